/* SPDX-License-Identifier: MIT
 * The switch from one thread to another, and the first instructions of a new one. */
#include <offsets.h>
#include <machine/entry.h>

    .cfi_sections .debug_frame
    .section .text.entry, "ax"

/* struct thread *arch_switch(struct thread *prev, struct thread *next): saves what the psABI makes
 * the callee keep, as struct switch_frame, with ra and s0 where a prologue puts them. */
    .global arch_switch
    .type arch_switch, @function
arch_switch:
    .cfi_startproc
    addi    sp, sp, -SWITCH_BYTES
    .cfi_def_cfa_offset SWITCH_BYTES
    sd      ra, SWITCH_BYTES - 8(sp)
    sd      s0, SWITCH_BYTES - 16(sp)
    .cfi_offset ra, -8
    .cfi_offset s0, -16
    /* s1 to s11 are x9 and x18 to x27. */
    sd      s1, 0(sp)
    .cfi_offset s1, -SWITCH_BYTES
    .irp n, 2,3,4,5,6,7,8,9,10,11
    sd      s\n, 8 * (\n - 1)(sp)
    .cfi_offset s\n, 8 * (\n - 1) - SWITCH_BYTES
    .endr
    addi    s0, sp, SWITCH_BYTES
    sd      sp, THREAD_SP(a0)
    ld      sp, THREAD_SP(a1)
    mv      tp, a1
    ld      t0, THREAD_CPU(a1)
    sd      a1, CPU_CURRENT(t0)
    .irp n, 1,2,3,4,5,6,7,8,9,10,11
    ld      s\n, 8 * (\n - 1)(sp)
    .cfi_restore s\n
    .endr
    ld      s0, SWITCH_BYTES - 16(sp)
    ld      ra, SWITCH_BYTES - 8(sp)
    .cfi_restore s0
    .cfi_restore ra
    addi    sp, sp, SWITCH_BYTES
    .cfi_def_cfa_offset 0
    ret
    .cfi_endproc
    .size arch_switch, . - arch_switch

/* Where a new thread's first switch returns to: s1 is the thread. The chain of frames ends here. */
    .global thread_begin
    .type thread_begin, @function
thread_begin:
    .cfi_startproc
    .cfi_undefined ra
    mv      a0, s1
    mv      s0, zero
    call    thread_start
    unimp
    .cfi_endproc
    .size thread_begin, . - thread_begin
