/* SPDX-License-Identifier: MIT
 * The exception vectors: save a struct kd_frame, call exception_entry(frame, vector), resume the
 * frame. Nothing of the interrupted context is trusted, its stack pointer included: one that is
 * misaligned, not writable or in the guard half of a stack slot sends the frame to the CPU's
 * emergency stack. tpidrro_el0 is the scratch register; exceptions are all masked while it is in use. */
#include <offsets.h>
#include <machine/entry.h>
#include <machine/layout.h>
#include <machine/sysreg.h>

    .cfi_sections .debug_frame
    .section .text.entry, "ax"

/* The whole frame as seen from an sp that points to it. DWARF register 31 is sp, 32 the pc. */
.macro cfi_frame
    .cfi_signal_frame
    .cfi_return_column 32
    .cfi_def_cfa sp, 0
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30
    .cfi_offset \n, 8 * \n
    .endr
    .cfi_offset 31, FRAME_SP
    .cfi_offset 32, FRAME_PC
.endm

/* Before anything is saved: the caller's registers are the registers, its pc is ELR_EL1, which no
 * unwinder can read; so the first instructions end the chain. */
.macro cfi_unsaved
    .cfi_signal_frame
    .cfi_return_column 32
    .cfi_def_cfa sp, 0
    .cfi_undefined 32
.endm

/* Fast check: sp - FRAME_BYTES lies in the VMAP area (its upper 19 bits are those of VMAP_BASE),
 * has the bit of the slot's upper half, and is a multiple of 16. Everything else (static stacks,
 * overflows, nonsense) asks the MMU whether the frame could be written. */
.macro vector number
    .balign 128
    .cfi_startproc
    cfi_unsaved
    msr     tpidrro_el0, x0
    sub     x0, sp, #FRAME_BYTES
    eor     x0, x0, #VMAP_BASE
    tst     x0, #STACK_BYTES
    b.eq    1f
    tst     x0, #0xffffe0000000000f
    b.ne    1f
0:  mrs     x0, tpidrro_el0
    sub     sp, sp, #FRAME_BYTES
    stp     x0, x1, [sp]
    mov     x1, #\number
    b       save_frame
1:  sub     x0, sp, #FRAME_BYTES
    tst     x0, #0xf
    b.ne    2f
    at      s1e1w, x0
    isb
    mrs     x0, par_el1
    tbz     x0, #0, 0b
2:  mrs     x0, tpidr_el1
    ldr     x0, [x0, #CPU_MACHINE]      /* the emergency stack ends where this points */
    sub     x0, x0, #FRAME_BYTES
    str     x1, [x0, #8]
    mov     x1, sp
    str     x1, [x0, #FRAME_SP]
    mov     sp, x0
    mov     x1, #\number | VECTOR_BAD_STACK
    b       save_frame_emergency
    .cfi_endproc
.endm

    .balign 2048
    .global vectors
    .type vectors, %function
vectors:
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    vector  \n
    .endr
    .size vectors, . - vectors

    .type save_frame_emergency, %function
save_frame_emergency:
    .cfi_startproc
    cfi_unsaved
    mrs     x0, tpidrro_el0
    str     x0, [sp]
    stp     x2, x3, [sp, #16]
    b       save_rest
    .cfi_endproc
    .size save_frame_emergency, . - save_frame_emergency

/* sp: the frame, with x0 and x1 saved; x1: the vector. */
    .type save_frame, %function
save_frame:
    .cfi_startproc
    cfi_unsaved
    stp     x2, x3, [sp, #16]
    add     x2, sp, #FRAME_BYTES
    str     x2, [sp, #FRAME_SP]
save_rest:
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x19, [sp, #144]
    stp     x20, x21, [sp, #160]
    stp     x22, x23, [sp, #176]
    stp     x24, x25, [sp, #192]
    stp     x26, x27, [sp, #208]
    stp     x28, x29, [sp, #224]
    str     x30, [sp, #FRAME_X30]
    mrs     x2, elr_el1
    mrs     x3, spsr_el1
    stp     x2, x3, [sp, #FRAME_PC]
    .cfi_remember_state
    cfi_frame
    mrs     x4, esr_el1
    mrs     x5, far_el1
    stp     x4, x5, [sp, #FRAME_ESR]
    /* A frame record, so that a walk along the frame pointers comes through. */
    stp     x29, x2, [sp, #FRAME_RECORD]
    add     x29, sp, #FRAME_RECORD
    adrp    x4, cpu_masks_by_priority
    ldrb    w4, [x4, :lo12:cpu_masks_by_priority]
    mov     x5, #0
    cbz     w4, 1f
    mrs     x5, icc_pmr_el1
1:  str     x5, [sp, #FRAME_PMR]
    mov     x0, sp
    bl      exception_entry

/* Resumes the frame sp points to; any field of it may have been changed, sp included. */
    .global exception_return
exception_return:
    msr     daifset, #0xf
    adrp    x4, cpu_masks_by_priority
    ldrb    w4, [x4, :lo12:cpu_masks_by_priority]
    cbz     w4, 2f
    ldr     x5, [sp, #FRAME_PMR]
    msr     icc_pmr_el1, x5
2:  ldp     x2, x3, [sp, #FRAME_PC]
    msr     elr_el1, x2
    msr     spsr_el1, x3
    ldp     x2, x3, [sp, #16]
    ldp     x4, x5, [sp, #32]
    ldp     x6, x7, [sp, #48]
    ldp     x8, x9, [sp, #64]
    ldp     x10, x11, [sp, #80]
    ldp     x12, x13, [sp, #96]
    ldp     x14, x15, [sp, #112]
    ldp     x16, x17, [sp, #128]
    ldp     x18, x19, [sp, #144]
    ldp     x20, x21, [sp, #160]
    ldp     x22, x23, [sp, #176]
    ldp     x24, x25, [sp, #192]
    ldp     x26, x27, [sp, #208]
    ldp     x28, x29, [sp, #224]
    ldr     x30, [sp, #FRAME_X30]
    ldp     x0, x1, [sp]
    msr     tpidrro_el0, x0
    ldr     x0, [sp, #FRAME_SP]
    .cfi_restore_state
    mov     sp, x0
    mrs     x0, tpidrro_el0
    eret
    .cfi_endproc
    .size save_frame, . - save_frame

/* Runs until the CPU has its real vectors: there is nobody to tell. */
    .balign 2048
    .global early_vectors
    .type early_vectors, %function
early_vectors:
    .rept   16
    .balign 128
    wfi
    b       . - 4
    .endr
    .size early_vectors, . - early_vectors
