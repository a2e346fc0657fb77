// SPDX-License-Identifier: MIT
// Changing stacks, capturing registers, the jump out of a fault, the debugger's own breakpoint and
// the access that survives faults, for RISC-V 64 (psABI, lp64).

#include "kdebug/assembly.h"

    .cfi_sections .debug_frame
    .section .text.debugger, "ax", @progbits

// uintptr_t kd_call_on_stack(uintptr_t (*fn)(void *), void *argument, void *top)
FUNCTION(kd_call_on_stack)
    addi sp, sp, -16
    .cfi_def_cfa_offset 16
    sd ra, 8(sp)
    sd s0, 0(sp)
    .cfi_offset ra, -8
    .cfi_offset s0, -16
    addi s0, sp, 16
    .cfi_def_cfa s0, 0
    mv t0, a0
    mv a0, a1
    mv sp, a2
    jalr t0
    addi sp, s0, -16
    .cfi_def_cfa sp, 16
    ld ra, 8(sp)
    ld s0, 0(sp)
    .cfi_restore ra
    .cfi_restore s0
    addi sp, sp, 16
    .cfi_def_cfa_offset 0
    ret
END(kd_call_on_stack)

// void kd_frame_capture(struct kd_frame *frame)
FUNCTION(kd_frame_capture)
    sd zero, 0(a0)
    .irp n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    sd x\n, 8*\n(a0)
    .endr
    sd ra, 256(a0)
    csrr t0, sstatus
    // In a trap frame SPIE is the interrupted context's SIE.
    andi t1, t0, 2
    slli t1, t1, 4
    andi t0, t0, ~0x22
    or t0, t0, t1
    ori t0, t0, 0x100
    sd t0, 264(a0)
    sd zero, 272(a0)
    sd zero, 280(a0)
    ld t0, 40(a0)
    ld t1, 48(a0)
    ret
END(kd_frame_capture)

// int kd_jump_set(struct kd_jump *jump)
FUNCTION(kd_jump_set)
    sd ra, 0(a0)
    sd sp, 8(a0)
    sd s0, 16(a0)
    sd s1, 24(a0)
    sd s2, 32(a0)
    sd s3, 40(a0)
    sd s4, 48(a0)
    sd s5, 56(a0)
    sd s6, 64(a0)
    sd s7, 72(a0)
    sd s8, 80(a0)
    sd s9, 88(a0)
    sd s10, 96(a0)
    sd s11, 104(a0)
    li a0, 0
    ret
END(kd_jump_set)

// _Noreturn void kd_jump_go(struct kd_jump *jump, int value)
FUNCTION(kd_jump_go)
    ld ra, 0(a0)
    ld sp, 8(a0)
    ld s0, 16(a0)
    ld s1, 24(a0)
    ld s2, 32(a0)
    ld s3, 40(a0)
    ld s4, 48(a0)
    ld s5, 56(a0)
    ld s6, 64(a0)
    ld s7, 72(a0)
    ld s8, 80(a0)
    ld s9, 88(a0)
    ld s10, 96(a0)
    ld s11, 104(a0)
    mv a0, a1
    ret
END(kd_jump_go)

// void kd_break_trap(void)
FUNCTION(kd_break_trap)
    addi sp, sp, -16
    .cfi_def_cfa_offset 16
    sd ra, 8(sp)
    sd s0, 0(sp)
    .cfi_offset ra, -8
    .cfi_offset s0, -16
    addi s0, sp, 16
    .globl kd_break_insn
kd_break_insn:
    .option push
    .option norvc
    ebreak
    .option pop
    ld ra, 8(sp)
    ld s0, 0(sp)
    .cfi_restore ra
    .cfi_restore s0
    addi sp, sp, 16
    .cfi_def_cfa_offset 0
    ret
END(kd_break_trap)

// bool kd_copy_word(void *to, const void *from, size_t width). A fault goes on at its end.
FUNCTION(kd_copy_word)
    andi a3, a2, 8
    bnez a3, 8f
    andi a3, a2, 4
    bnez a3, 4f
    andi a3, a2, 2
    bnez a3, 2f
    lb a3, (a1)
    sb a3, (a0)
    j 9f
2:  lh a3, (a1)
    sh a3, (a0)
    j 9f
4:  lw a3, (a1)
    sw a3, (a0)
    j 9f
8:  ld a3, (a1)
    sd a3, (a0)
9:  li a0, 1
    ret
    .globl kd_copy_fault
kd_copy_fault:
    li a0, 0
    ret
END(kd_copy_word)

    .section .note.GNU-stack, "", @progbits
