// SPDX-License-Identifier: MIT
// Changing stacks, capturing registers, the jump out of a fault, the debugger's own breakpoint and
// the access that survives faults, for x86-64 (System V ABI).

#include "kdebug/assembly.h"

    .cfi_sections .debug_frame
    .section .text.debugger, "ax", @progbits

// uintptr_t kd_call_on_stack(uintptr_t (*fn)(void *), void *argument, void *top)
FUNCTION(kd_call_on_stack)
    pushq %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    movq %rsp, %rbp
    .cfi_def_cfa_register %rbp
    movq %rdx, %rsp
    movq %rdi, %rax
    movq %rsi, %rdi
    call *%rax
    leave
    .cfi_def_cfa %rsp, 8
    ret
END(kd_call_on_stack)

// void kd_frame_capture(struct kd_frame *frame)
FUNCTION(kd_frame_capture)
    movq %r15, 0(%rdi)
    movq %r14, 8(%rdi)
    movq %r13, 16(%rdi)
    movq %r12, 24(%rdi)
    movq %r11, 32(%rdi)
    movq %r10, 40(%rdi)
    movq %r9, 48(%rdi)
    movq %r8, 56(%rdi)
    movq %rbp, 64(%rdi)
    movq %rdi, 72(%rdi)
    movq %rsi, 80(%rdi)
    movq %rdx, 88(%rdi)
    movq %rcx, 96(%rdi)
    movq %rbx, 104(%rdi)
    movq %rax, 112(%rdi)
    movq $0, 120(%rdi)
    movq $0, 128(%rdi)
    movq (%rsp), %rax
    movq %rax, 136(%rdi)
    xorl %eax, %eax
    movw %cs, %ax
    movq %rax, 144(%rdi)
    pushfq
    .cfi_adjust_cfa_offset 8
    popq 152(%rdi)
    .cfi_adjust_cfa_offset -8
    leaq 8(%rsp), %rax
    movq %rax, 160(%rdi)
    xorl %eax, %eax
    movw %ss, %ax
    movq %rax, 168(%rdi)
    ret
END(kd_frame_capture)

// int kd_jump_set(struct kd_jump *jump)
FUNCTION(kd_jump_set)
    movq %rbx, 0(%rdi)
    movq %rbp, 8(%rdi)
    movq %r12, 16(%rdi)
    movq %r13, 24(%rdi)
    movq %r14, 32(%rdi)
    movq %r15, 40(%rdi)
    leaq 8(%rsp), %rax
    movq %rax, 48(%rdi)
    movq (%rsp), %rax
    movq %rax, 56(%rdi)
    xorl %eax, %eax
    ret
END(kd_jump_set)

// _Noreturn void kd_jump_go(struct kd_jump *jump, int value)
FUNCTION(kd_jump_go)
    movq 0(%rdi), %rbx
    movq 8(%rdi), %rbp
    movq 16(%rdi), %r12
    movq 24(%rdi), %r13
    movq 32(%rdi), %r14
    movq 40(%rdi), %r15
    movq 48(%rdi), %rsp
    movl %esi, %eax
    jmp *56(%rdi)
END(kd_jump_go)

// void kd_break_trap(void)
FUNCTION(kd_break_trap)
    pushq %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    movq %rsp, %rbp
    .cfi_def_cfa_register %rbp
    .globl kd_break_insn
kd_break_insn:
    int3
    popq %rbp
    .cfi_def_cfa %rsp, 8
    ret
END(kd_break_trap)

// bool kd_copy_word(void *to, const void *from, size_t width). A fault goes on at its end.
FUNCTION(kd_copy_word)
    testb $8, %dl
    jnz 8f
    testb $4, %dl
    jnz 4f
    testb $2, %dl
    jnz 2f
    movb (%rsi), %al
    movb %al, (%rdi)
    jmp 9f
2:  movw (%rsi), %ax
    movw %ax, (%rdi)
    jmp 9f
4:  movl (%rsi), %eax
    movl %eax, (%rdi)
    jmp 9f
8:  movq (%rsi), %rax
    movq %rax, (%rdi)
9:  movl $1, %eax
    ret
    .globl kd_copy_fault
kd_copy_fault:
    xorl %eax, %eax
    ret
END(kd_copy_word)

    .section .note.GNU-stack, "", @progbits
