// SPDX-License-Identifier: MIT
// Start and exception entry of the tiny kernel: RISC-V 64, supervisor mode under SBI firmware, no
// page tables, one hart.

    .section .text.boot, "ax", @progbits
    .globl _start
_start:
    la sp, boot_stack_top
    li fp, 0
    la t0, trap_entry
    csrw stvec, t0
    la t0, bss_start
    la t1, bss_end
1:  sd zero, (t0)
    addi t0, t0, 8
    bltu t0, t1, 1b
    call tiny_main
2:  wfi
    j 2b

    .section .text.entry, "ax", @progbits
    .balign 4
trap_entry:
    addi sp, sp, -288
    .irp n, 1,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    sd x\n, 8*\n(sp)
    .endr
    sd zero, 0(sp)
    addi t0, sp, 288
    sd t0, 16(sp)
    csrr t0, sepc
    sd t0, 256(sp)
    csrr t1, sstatus
    sd t1, 264(sp)
    csrr t0, scause
    sd t0, 272(sp)
    csrr t0, stval
    sd t0, 280(sp)
    mv a0, sp
    call tiny_trap
    ld t0, 256(sp)
    csrw sepc, t0
    ld t0, 264(sp)
    csrw sstatus, t0
    .irp n, 1,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    ld x\n, 8*\n(sp)
    .endr
    ld sp, 16(sp)
    sret

// A sequence that a trap in between would never let succeed: adds 1 to *a0.
    .section .text, "ax", @progbits
    .globl atomic_increment
    .type atomic_increment, @function
atomic_increment:
1:  lr.d t0, (a0)
    addi t0, t0, 1
    sc.d t1, t0, (a0)
    bnez t1, 1b
    ret
    .size atomic_increment, . - atomic_increment

    .section .bss
    .balign 16
    .space 16384
boot_stack_top:
    .section .note.GNU-stack, "", @progbits
