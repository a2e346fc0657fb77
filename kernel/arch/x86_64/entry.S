/* SPDX-License-Identifier: MIT
 * The way into every exception and interrupt, and out again. A stub per vector pushes what the CPU
 * left out, the common part completes the struct kd_frame and calls trap_entry(frame), and the
 * (perhaps changed) frame is resumed.
 *
 * Below the frame lies a frame record {rbp, rip} of the interrupted context, so that a walk along
 * frame pointers crosses the exception; the CFI says the same to gdb.
 *
 * Stacks. Most vectors stay on the interrupted stack; if that is bad, the push faults and the CPU
 * makes it a double fault, which has a stack of its own and is reported as an overflow. NMI, #DB
 * and #MC can hit at any instruction and can nest: an NMI handler that has parked its CPU has
 * allowed NMIs again (machines.md of the debugger's manual: iretq, then hlt). An IST entry alone
 * would let the inner one overwrite the outer one's frame. So they land on a tiny stack each, and
 * the first thing they do, while the same exception cannot come again, is to copy the frame to the
 * CPU's exception stack:
 *   - interrupted on the exception stack: below where it was;
 *   - interrupted elsewhere, but `depth` handlers are in progress (the debugger's own stack): the
 *     slice for that depth;
 *   - else at its top.
 * The way out resumes from the copy; between leaving `depth` and iretq the first rule protects it.
 *
 * Only the kernel runs on this machine so far. User mode would add, for frames with cs & 3: swapgs
 * on both ways (for NMI, #DB, #MC by the value of GS_BASE), and rsp0 in the TSS. */
#include <offsets.h>
#include <machine/percpu.h>
#include <machine/vectors.h>

#define FRAME_RIP 136
#define FRAME_RSP 160

    .cfi_sections .debug_frame

    .macro FRAME_PUSH register
    pushq %\register
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset \register, 0
    .endm

    .macro FRAME_POP register
    popq %\register
    .cfi_adjust_cfa_offset -8
    .cfi_restore \register
    .endm

/* The part of struct kd_frame below `vector`. */
    .macro REGISTERS_PUSH
    .irp register, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
    FRAME_PUSH \register
    .endr
    .endm

    .macro REGISTERS_POP
    .irp register, r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax
    FRAME_POP \register
    .endr
    .endm

/* Where the CPU pushed what, seen from the end of the frame. */
    .macro CFI_FRAME bytes
    .cfi_signal_frame
    .cfi_def_cfa rsp, \bytes
    .cfi_offset rip, -40
    .cfi_offset 49, -24
    .cfi_offset rsp, -16
    .endm

    .section .text.entry, "ax"
    .balign 16
    .globl vector_stubs
    .type vector_stubs, @function
vector_stubs:
    .cfi_startproc
    CFI_FRAME 40
    .set vector, 0
    .rept 256
    .balign 16
    .if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
    .cfi_def_cfa_offset 48
    .else
    .cfi_def_cfa_offset 40
    pushq $0
    .cfi_adjust_cfa_offset 8
    .endif
    pushq $vector
    .cfi_adjust_cfa_offset 8
    .if vector == VECTOR_NMI || vector == VECTOR_DEBUG || vector == VECTOR_MACHINE
    jmp trap_landing
    .else
    jmp trap_common
    .endif
    .set vector, vector + 1
    .endr
    .cfi_endproc
    .size vector_stubs, . - vector_stubs

    .balign 16
    .type trap_common, @function
trap_common:
    .cfi_startproc
    CFI_FRAME 56
    cld
    REGISTERS_PUSH
    movq %rsp, %rdi
    pushq FRAME_RIP(%rsp)
    .cfi_adjust_cfa_offset 8
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    movq %rsp, %rbp
    call trap_entry
.Ltrap_leave:
    addq $16, %rsp
    .cfi_adjust_cfa_offset -16
    REGISTERS_POP
    addq $16, %rsp
    .cfi_adjust_cfa_offset -16
    iretq
    .cfi_endproc
    .size trap_common, . - trap_common

    .balign 16
    .type trap_landing, @function
trap_landing:
    .cfi_startproc
    CFI_FRAME 56
    cld
    REGISTERS_PUSH
    movq FRAME_BYTES(%rsp), %rbx        /* struct landing.machine */
    movq FRAME_RSP(%rsp), %rax
    movq MACHINE_EXCEPTION_HIGH(%rbx), %rdi
    cmpq %rdi, %rax
    ja 1f
    cmpq MACHINE_EXCEPTION_LOW(%rbx), %rax
    jb 1f
    movq %rax, %rdi
    andq $-16, %rdi
    jmp 3f
1:  movl MACHINE_EXCEPTION_DEPTH(%rbx), %ecx
    cmpl $(EXCEPTION_SLICES - 1), %ecx
    jbe 2f
    movl $(EXCEPTION_SLICES - 1), %ecx
2:  shlq $EXCEPTION_SLICE_SHIFT, %rcx
    subq %rcx, %rdi
3:  subq $FRAME_BYTES, %rdi
    movq %rdi, %rax
    movq %rsp, %rsi
    movl $(FRAME_BYTES / 8), %ecx
    rep movsq
    movq %rax, %rsp
    incl MACHINE_EXCEPTION_DEPTH(%rbx)
    movq %rsp, %rdi
    pushq FRAME_RIP(%rsp)
    .cfi_adjust_cfa_offset 8
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    movq %rsp, %rbp
    call trap_entry
    decl MACHINE_EXCEPTION_DEPTH(%rbx)
    jmp .Ltrap_leave
    .cfi_endproc
    .size trap_landing, . - trap_landing

/* Not what exceptions enter by, but what they find and move on. */
    .section .text.park, "ax"
/* void arch_stop_park(void): sleeps with NMIs allowed, until one comes. They are blocked while an
 * NMI handler runs, until an iretq; so one is made to the next instruction. A wake-up that comes
 * between the test of `wake` and the hlt moves rip from the window to its end (trap_entry), where
 * rsp is taken from rbp because it may have been anywhere. */
    .balign 16
    .globl arch_stop_park
    .type arch_stop_park, @function
arch_stop_park:
    .cfi_startproc
    pushq %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset rbp, -16
    movq %rsp, %rbp
    .cfi_def_cfa_register rbp
    movq %gs:CPU_MACHINE, %rdx
.Lpark_window:
    cmpl $0, MACHINE_WAKE(%rdx)
    jne .Lpark_end
    movq %rsp, %rax
    pushq $GDT_KERNEL_DATA
    pushq %rax
    pushfq
    pushq $GDT_KERNEL_CODE
    pushq $.Lpark_halt
    iretq
.Lpark_halt:
    hlt
.Lpark_end:
    movl $0, MACHINE_WAKE(%rdx)
    leave
    .cfi_def_cfa rsp, 8
    .cfi_restore rbp
    ret
    .cfi_endproc
    .size arch_stop_park, . - arch_stop_park

/* void arch_cpu_idle(void): sti takes effect after the hlt has begun, so an interrupt that is
 * pending ends it. One case remains, an NMI in between that lets a pending interrupt in before the
 * hlt: trap_entry() moves rip past the hlt on every way out. */
    .balign 16
    .globl arch_cpu_idle
    .type arch_cpu_idle, @function
arch_cpu_idle:
    .cfi_startproc
    pushq %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset rbp, -16
    movq %rsp, %rbp
    .cfi_def_cfa_register rbp
    sti
.Lidle_halt:
    hlt
    popq %rbp
    .cfi_def_cfa rsp, 8
    .cfi_restore rbp
    ret
    .cfi_endproc
    .size arch_cpu_idle, . - arch_cpu_idle

/* Places inside the two, for trap_entry(); as data, so that the symbol table keeps whole functions. */
    .section .rodata
    .balign 8
    .globl idle_halt, park_window, park_halt, park_end
idle_halt:
    .quad .Lidle_halt
park_window:
    .quad .Lpark_window
park_halt:
    .quad .Lpark_halt
park_end:
    .quad .Lpark_end
