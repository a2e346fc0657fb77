// SPDX-License-Identifier: MIT
// Changing stacks, capturing registers, the jump out of a fault, the debugger's own breakpoint and
// the access that survives faults, for AArch64 (AAPCS64).

#include "kdebug/assembly.h"

    .cfi_sections .debug_frame
    .section .text.debugger, "ax", @progbits

// uintptr_t kd_call_on_stack(uintptr_t (*fn)(void *), void *argument, void *top)
FUNCTION(kd_call_on_stack)
    stp x29, x30, [sp, #-16]!
    .cfi_def_cfa_offset 16
    .cfi_offset x29, -16
    .cfi_offset x30, -8
    mov x29, sp
    .cfi_def_cfa_register x29
    mov x9, x0
    mov x0, x1
    mov sp, x2
    blr x9
    mov sp, x29
    .cfi_def_cfa_register sp
    ldp x29, x30, [sp], #16
    .cfi_def_cfa_offset 0
    .cfi_restore x29
    .cfi_restore x30
    ret
END(kd_call_on_stack)

// void kd_frame_capture(struct kd_frame *frame)
FUNCTION(kd_frame_capture)
    stp x0, x1, [x0, #0]
    stp x2, x3, [x0, #16]
    stp x4, x5, [x0, #32]
    stp x6, x7, [x0, #48]
    stp x8, x9, [x0, #64]
    stp x10, x11, [x0, #80]
    stp x12, x13, [x0, #96]
    stp x14, x15, [x0, #112]
    stp x16, x17, [x0, #128]
    stp x18, x19, [x0, #144]
    stp x20, x21, [x0, #160]
    stp x22, x23, [x0, #176]
    stp x24, x25, [x0, #192]
    stp x26, x27, [x0, #208]
    stp x28, x29, [x0, #224]
    mov x9, sp
    stp x30, x9, [x0, #240]
    mrs x9, daif
    mrs x10, nzcv
    orr x9, x9, x10
    orr x9, x9, #4          // EL1h less SPSel, which every kernel that gets here uses
    orr x9, x9, #1
    stp x30, x9, [x0, #256] // pc: where the caller goes on
    stp xzr, xzr, [x0, #272]
    stp xzr, xzr, [x0, #288]
    stp xzr, xzr, [x0, #304]
    ret
END(kd_frame_capture)

// int kd_jump_set(struct kd_jump *jump)
FUNCTION(kd_jump_set)
    stp x19, x20, [x0, #0]
    stp x21, x22, [x0, #16]
    stp x23, x24, [x0, #32]
    stp x25, x26, [x0, #48]
    stp x27, x28, [x0, #64]
    stp x29, x30, [x0, #80]
    mov x1, sp
    str x1, [x0, #96]
    mov w0, #0
    ret
END(kd_jump_set)

// _Noreturn void kd_jump_go(struct kd_jump *jump, int value)
FUNCTION(kd_jump_go)
    ldp x19, x20, [x0, #0]
    ldp x21, x22, [x0, #16]
    ldp x23, x24, [x0, #32]
    ldp x25, x26, [x0, #48]
    ldp x27, x28, [x0, #64]
    ldp x29, x30, [x0, #80]
    ldr x2, [x0, #96]
    mov sp, x2
    mov w0, w1
    ret
END(kd_jump_go)

// void kd_break_trap(void)
FUNCTION(kd_break_trap)
    stp x29, x30, [sp, #-16]!
    .cfi_def_cfa_offset 16
    .cfi_offset x29, -16
    .cfi_offset x30, -8
    mov x29, sp
    .globl kd_break_insn
kd_break_insn:
    brk #0
    ldp x29, x30, [sp], #16
    .cfi_def_cfa_offset 0
    .cfi_restore x29
    .cfi_restore x30
    ret
END(kd_break_trap)

// bool kd_copy_word(void *to, const void *from, size_t width). A fault goes on at its end.
FUNCTION(kd_copy_word)
    tbnz x2, #3, 8f
    tbnz x2, #2, 4f
    tbnz x2, #1, 2f
    ldrb w3, [x1]
    strb w3, [x0]
    b 9f
2:  ldrh w3, [x1]
    strh w3, [x0]
    b 9f
4:  ldr w3, [x1]
    str w3, [x0]
    b 9f
8:  ldr x3, [x1]
    str x3, [x0]
9:  mov w0, #1
    ret
    .globl kd_copy_fault
kd_copy_fault:
    mov w0, #0
    ret
END(kd_copy_word)

    .section .note.GNU-stack, "", %progbits
