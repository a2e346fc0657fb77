/* SPDX-License-Identifier: MIT
 * Where harts begin: entered by the firmware in supervisor mode with translation off, the boot hart
 * at `start` (a0 its number, a1 the device tree), the others at `start_secondary` (a1 their struct
 * cpu). Code up to mmu_enable's return runs at its physical address, so it may only use pc-relative
 * addresses; what follows is ordinary kernel text. */
#include <offsets.h>
#include <machine/csr.h>
#include <machine/layout.h>

    .cfi_sections .debug_frame

    .section .text.boot, "ax"
    .global start
    .type start, @function
start:
    .cfi_startproc
    .cfi_undefined ra
    csrw    sie, zero
    li      t0, SSTATUS_SIE | SSTATUS_FS    /* no floating point: a trap tells */
    csrc    sstatus, t0
    la      t0, start_taken
    li      t1, 1
    amoswap.w.aqrl t1, t1, (t0)
    bnez    t1, start_late
    mv      s1, a0
    mv      s2, a1
    la      t0, __bss_start
    la      t1, __bss_end
1:  sd      zero, 0(t0)
    addi    t0, t0, 8
    bltu    t0, t1, 1b
    la      sp, boot_stack_high
    mv      s0, zero
    call    start_tables_build
    call    mmu_enable
    la      sp, boot_stack_high
    la      t0, cpus
    sd      sp, CPU_BOOT_STACK(t0)
    la      tp, boot_canary
    mv      gp, zero
    mv      s0, zero
    mv      a0, s1
    mv      a1, s2
    call    kernel_main
    unimp
    .cfi_endproc
    .size start, . - start

/* OpenSBI 1.1 tells a waiting hart to start before it has noted where (sbi_hsm_hart_start marks the
 * state first), so a hart that looks at that moment comes here, where it was to go at power-on. It
 * is one of those that arch_cpu_start() has asked for: cpus[] says which. */
    .type start_late, @function
start_late:
    .cfi_startproc
    .cfi_undefined ra
    la      t0, cpus
    li      t1, CPU_COUNT_MAX
    li      t2, CPU_BYTES
1:  ld      t3, CPU_BOOT_STACK(t0)
    ld      t4, CPU_HW_ID(t0)
    beqz    t3, 2f
    beq     t4, a0, 3f
2:  add     t0, t0, t2
    addi    t1, t1, -1
    bnez    t1, 1b
    j       early_trap
3:  la      t1, start                       /* its link address, as start_secondary expects */
    sub     t0, t0, t1
    li      a1, KERNEL_LINK_ADDRESS
    add     a1, a1, t0
    j       start_secondary
    .cfi_endproc
    .size start_late, . - start_late

    .global start_secondary
    .type start_secondary, @function
start_secondary:
    .cfi_startproc
    .cfi_undefined ra
    csrw    sie, zero
    li      t0, SSTATUS_SIE | SSTATUS_FS    /* no floating point: a trap tells */
    csrc    sstatus, t0
    mv      s1, a1
    la      t0, secondary_root
    ld      a0, 0(t0)
    call    mmu_enable
    ld      sp, CPU_BOOT_STACK(s1)
    la      tp, boot_canary
    mv      gp, zero
    mv      s0, zero
    mv      a0, s1
    call    cpu_secondary_start
    unimp
    .cfi_endproc
    .size start_secondary, . - start_secondary

/* a0: physical root. Returns in the kernel half. The write to satp takes the ground from under the
 * next instruction, whose fetch faults; the trap vector is where it goes on. So nothing need be
 * mapped at its physical address. Changes t0, t1. */
    .type mmu_enable, @function
mmu_enable:
    .cfi_startproc
    .cfi_undefined ra
    la      t0, start
    li      t1, KERNEL_LINK_ADDRESS
    sub     t1, t1, t0
    add     ra, ra, t1
    la      t0, 1f
    add     t0, t0, t1
    csrw    stvec, t0
    srli    a0, a0, 12
    li      t0, SATP_SV39 << 60
    or      a0, a0, t0
    sfence.vma
    csrw    satp, a0
    .balign 4
1:  la      t0, early_trap
    csrw    stvec, t0
    sfence.vma
    ret
    .cfi_endproc
    .size mmu_enable, . - mmu_enable

/* Runs until the hart has its real trap vector: there is nobody to tell. */
    .balign 4
    .type early_trap, @function
early_trap:
    .cfi_startproc
    .cfi_undefined ra
    wfi
    j       early_trap
    .cfi_endproc
    .size early_trap, . - early_trap

/* What the stack protector reads through tp until the first thread is known. */
    .section .rodata
    .balign 8
boot_canary:
    .quad   0x006b1d93e7a4c200

/* Read by starting harts with translation off. */
    .data
    .balign 8
    .global secondary_root
secondary_root:
    .quad   0
start_taken:                                /* by the first hart at `start` */
    .word   0

/* The boot hart's stack; the page below it is its guard once the final tables leave it out. */
    .bss
    .balign 4096
    .global boot_stack_guard, boot_stack_low, boot_stack_high
boot_stack_guard:
    .skip   4096
boot_stack_low:
    .skip   STACK_BYTES
boot_stack_high:
