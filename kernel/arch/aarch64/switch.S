/* SPDX-License-Identifier: MIT
 * The switch between two threads, and where a new thread's chain of frames begins. */
#include <offsets.h>
#include <machine/context.h>

    .cfi_sections .debug_frame
    .text

/* struct thread *arch_switch(struct thread *prev, struct thread *next); kernel/arch/context.h.
 * x0 stays prev throughout and is the result. */
    .global arch_switch
    .type arch_switch, %function
    .balign 4
arch_switch:
    .cfi_startproc
    stp     x29, x30, [sp, #-SWITCH_BYTES]!
    .cfi_def_cfa_offset SWITCH_BYTES
    .cfi_offset 29, -SWITCH_BYTES
    .cfi_offset 30, -SWITCH_BYTES + 8
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    .cfi_offset 19, -SWITCH_BYTES + 16
    .cfi_offset 20, -SWITCH_BYTES + 24
    .cfi_offset 21, -SWITCH_BYTES + 32
    .cfi_offset 22, -SWITCH_BYTES + 40
    .cfi_offset 23, -SWITCH_BYTES + 48
    .cfi_offset 24, -SWITCH_BYTES + 56
    .cfi_offset 25, -SWITCH_BYTES + 64
    .cfi_offset 26, -SWITCH_BYTES + 72
    .cfi_offset 27, -SWITCH_BYTES + 80
    .cfi_offset 28, -SWITCH_BYTES + 88
    mov     x9, sp
    str     x9, [x0, #THREAD_SP]
    ldr     x9, [x1, #THREAD_SP]
    mrs     x10, tpidr_el1
    mov     sp, x9
    msr     sp_el0, x1
    str     x1, [x10, #CPU_CURRENT]
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     x29, x30, [sp], #SWITCH_BYTES
    .cfi_def_cfa_offset 0
    .cfi_restore 29
    .cfi_restore 30
    ret
    .cfi_endproc
    .size arch_switch, . - arch_switch

/* The first switch to a thread returns here, with the thread in x19 (arch_thread_init). */
    .global thread_begin
    .type thread_begin, %function
thread_begin:
    .cfi_startproc
    .cfi_undefined x30
    mov     x0, x19
    mov     x29, #0
    mov     x30, #0
    bl      thread_start
    brk     #0
    .cfi_endproc
    .size thread_begin, . - thread_begin
