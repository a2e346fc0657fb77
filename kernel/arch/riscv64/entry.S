/* SPDX-License-Identifier: MIT
 * The trap entry: saves a struct kd_frame and a frame record, calls trap_entry(frame, bad_stack),
 * resumes the frame. Nothing of the interrupted context is trusted, its sp and tp included: with an
 * sp that cannot hold the frame, it goes to the hart's emergency stack.
 *
 * sscratch always points to the hart's data, except between the two swaps at the top. While tp is
 * that pointer too, the only thing that can trap is a store to the stack; so a trap that finds the
 * two equal is such a store, and the stack was bad after all. */
#include <offsets.h>
#include <machine/csr.h>
#include <machine/entry.h>
#include <machine/layout.h>

#if STACK_BYTES == 16384
#define STACK_SHIFT 14
#elif STACK_BYTES == 32768
#define STACK_SHIFT 15
#else
#error "the check for stack overflow needs the stack's size as a shift"
#endif

    .cfi_sections .debug_frame
    .section .text.entry, "ax"

/* Column 64 is the psABI's for the pc of an interrupted context, which ra is not. */
#define CFI_PC 64

    .balign 4
    .global trap_vector
    .type trap_vector, @function
trap_vector:
    .cfi_startproc
    .cfi_signal_frame
    .cfi_return_column CFI_PC
    .cfi_def_cfa sp, 0
    .cfi_undefined CFI_PC               /* sepc: no unwinder can read it */
    csrrw   tp, sscratch, tp
    sd      sp, DATA_SP(tp)
    sd      t0, DATA_T0(tp)
    csrrw   t0, sscratch, tp
    sd      t0, DATA_TP(tp)
    beq     t0, tp, bad_stack
    addi    sp, sp, -ENTRY_BYTES
    andi    t0, sp, 15
    bnez    t0, bad_stack
    /* In the VMAP area (bits 63 to 36 are -2)? Then the bit of the slot's upper half must be set. */
    srai    t0, sp, 36
    addi    t0, t0, 2
    bnez    t0, static_stack
    srli    t0, sp, STACK_SHIFT
    andi    t0, t0, 1
    bnez    t0, save_frame
bad_stack:
    addi    sp, tp, -ENTRY_BYTES
    j       save_frame
static_stack:
    /* In the image (bits 63 to 31 are -1), and not in the guard of the boot stack. */
    srai    t0, sp, 31
    addi    t0, t0, 1
    bnez    t0, bad_stack
    la      t0, boot_stack_guard
    sub     t0, sp, t0
    srli    t0, t0, 12
    beqz    t0, bad_stack

save_frame:
    .irp n, 1,3,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    sd      x\n, 8 * \n(sp)
    .endr
    sd      zero, 0(sp)
    ld      t1, DATA_SP(tp)
    sd      t1, 16(sp)
    ld      t1, DATA_TP(tp)
    sd      t1, 32(sp)
    ld      t1, DATA_T0(tp)
    sd      t1, 40(sp)
    csrr    t2, sepc
    sd      t2, FRAME_PC(sp)
    .cfi_def_cfa sp, ENTRY_BYTES
    .irp n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    .cfi_offset \n, 8 * \n - ENTRY_BYTES
    .endr
    .cfi_offset CFI_PC, FRAME_PC - ENTRY_BYTES
    csrr    t1, sstatus
    sd      t1, FRAME_SSTATUS(sp)
    csrr    t1, scause
    sd      t1, FRAME_SCAUSE(sp)
    csrr    t1, stval
    sd      t1, FRAME_STVAL(sp)
    /* A frame record as a function's prologue makes it, so that a walk along the frame pointers
     * comes through. */
    sd      s0, FRAME_RECORD(sp)
    sd      t2, FRAME_RECORD + 8(sp)
    addi    s0, sp, ENTRY_BYTES
    /* The second argument: are we at the top of the emergency stack? */
    addi    t1, tp, -ENTRY_BYTES
    xor     t1, t1, sp
    seqz    a1, t1
    mv      a0, sp
    ld      tp, DATA_CPU(tp)
    ld      tp, CPU_CURRENT(tp)
    call    trap_entry

/* Resumes the frame sp points to; any field of it may have been changed, sp included. */
    .global trap_return
trap_return:
    csrci   sstatus, SSTATUS_SIE
    ld      t0, FRAME_PC(sp)
    /* Ends a reservation that was made in between: the interrupted LR/SC must begin again. */
    addi    t1, sp, FRAME_PC
    sc.d    zero, t0, (t1)
    csrw    sepc, t0
    ld      t1, FRAME_SSTATUS(sp)
    andi    t1, t1, ~SSTATUS_SIE
    csrw    sstatus, t1
    .irp n, 1,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    ld      x\n, 8 * \n(sp)
    .endr
    ld      sp, 16(sp)
    sret
    .cfi_endproc
    .size trap_vector, . - trap_vector
