// SPDX-License-Identifier: MIT
// Changing stacks, capturing registers, the jump out of a fault, the debugger's own breakpoint and
// the copy that survives faults, for RISC-V 64 (psABI, lp64).

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

// size_t kd_mem_copy(void *to, const void *from, size_t length). a3 counts what is done; the fixup
// only has to return it.
FUNCTION(kd_mem_copy)
    li a3, 0
1:  beqz a2, kd_mem_copy_fault
    or a4, a0, a1
    andi a5, a4, 7
    bnez a5, 2f
    li a6, 8
    bltu a2, a6, 2f
    ld a7, (a1)
    sd a7, (a0)
    j 5f
2:  andi a5, a4, 3
    bnez a5, 3f
    li a6, 4
    bltu a2, a6, 3f
    lw a7, (a1)
    sw a7, (a0)
    j 5f
3:  andi a5, a4, 1
    bnez a5, 4f
    li a6, 2
    bltu a2, a6, 4f
    lh a7, (a1)
    sh a7, (a0)
    j 5f
4:  lb a7, (a1)
    sb a7, (a0)
    li a6, 1
5:  add a0, a0, a6
    add a1, a1, a6
    add a3, a3, a6
    sub a2, a2, a6
    j 1b
    .globl kd_mem_copy_fault
kd_mem_copy_fault:
    mv a0, a3
    ret
END(kd_mem_copy)

    .section .note.GNU-stack, "", @progbits
