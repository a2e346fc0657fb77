// SPDX-License-Identifier: MIT
// Changing stacks, capturing registers, the jump out of a fault, the debugger's own breakpoint and
// the copy that survives faults, for x86-64 (System V ABI).

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

// size_t kd_mem_copy(void *to, const void *from, size_t length). %rax counts what is done; the
// fixup only has to return, since nothing is on the stack.
FUNCTION(kd_mem_copy)
    xorl %eax, %eax
1:  testq %rdx, %rdx
    jz kd_mem_copy_fault
    movq %rdi, %rcx
    orq %rsi, %rcx
    testb $7, %cl
    jnz 2f
    cmpq $8, %rdx
    jb 2f
    movq (%rsi), %r8
    movq %r8, (%rdi)
    movl $8, %r9d
    jmp 5f
2:  testb $3, %cl
    jnz 3f
    cmpq $4, %rdx
    jb 3f
    movl (%rsi), %r8d
    movl %r8d, (%rdi)
    movl $4, %r9d
    jmp 5f
3:  testb $1, %cl
    jnz 4f
    cmpq $2, %rdx
    jb 4f
    movw (%rsi), %r8w
    movw %r8w, (%rdi)
    movl $2, %r9d
    jmp 5f
4:  movb (%rsi), %r8b
    movb %r8b, (%rdi)
    movl $1, %r9d
5:  addq %r9, %rsi
    addq %r9, %rdi
    addq %r9, %rax
    subq %r9, %rdx
    jmp 1b
    .globl kd_mem_copy_fault
kd_mem_copy_fault:
    ret
END(kd_mem_copy)

    .section .note.GNU-stack, "", @progbits
