/* SPDX-License-Identifier: MIT
 * The switch between threads. What lies on a sleeping thread's stack, from thread->sp upwards, is
 * struct switch_frame of context.c. */
#include <offsets.h>

    .cfi_sections .debug_frame
    .text

/* struct thread *arch_switch(struct thread *prev, struct thread *next) */
    .balign 16
    .globl arch_switch
    .type arch_switch, @function
arch_switch:
    .cfi_startproc
    .irp register, rbp, rbx, r12, r13, r14, r15
    pushq %\register
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset \register, 0
    .endr
    movq %rsp, THREAD_SP(%rdi)
    movq THREAD_SP(%rsi), %rsp
    movq %rsi, %gs:CPU_CURRENT
    movq THREAD_STACK_CANARY(%rsi), %rax
    movq %rax, %gs:CPU_STACK_CANARY
    movq %rdi, %rax
    .irp register, r15, r14, r13, r12, rbx, rbp
    popq %\register
    .cfi_adjust_cfa_offset -8
    .cfi_restore \register
    .endr
    ret
    .cfi_endproc
    .size arch_switch, . - arch_switch

/* Where a new thread's first switch returns to; arch_thread_init() has put the thread into r12 and
 * zero into rbp, and nothing called it. */
    .balign 16
    .globl thread_begin
    .type thread_begin, @function
thread_begin:
    .cfi_startproc
    .cfi_undefined rip
    nop
    movq %r12, %rdi
    call thread_start
    ud2
    .cfi_endproc
    .size thread_begin, . - thread_begin
