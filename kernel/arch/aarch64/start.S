/* SPDX-License-Identifier: MIT
 * Where AArch64 CPUs begin: entered with the MMU off at EL1 or EL2, by the boot loader (boot CPU, x0
 * the device tree or 0) or by PSCI CPU_ON (others, x0 their struct cpu). Builds the boot tables,
 * enters the kernel half, calls C. Runs at its physical address up to the jump, so it may only use
 * pc-relative addresses; everything below the jump is ordinary kernel text. */
#include <offsets.h>
#include <machine/layout.h>
#include <machine/sysreg.h>

#define LEAF_NORMAL (1 << 10 | 3 << 8 | MAIR_INDEX_NORMAL << 2 | 1) /* a block, read-write */
#define LEAF_NX_HI  0x60                                            /* UXN and PXN, bits 54:53 */
#define IMAGE_BYTES_MAX 0x1000000

    .cfi_sections .debug_frame

/* The header makes the flat binary bootable as an Image as well (Linux's booting protocol). */
    .section .text.boot, "ax"
    .global start
    .type start, %function
start:
    .cfi_startproc
    .cfi_undefined x30
    b       start_boot_cpu
    .long   0
    .quad   KERNEL_LINK_ADDRESS - KERNEL_BASE /* offset from a 2 MiB boundary of RAM */
    .quad   IMAGE_BYTES_MAX
    .quad   0xa                               /* little-endian, 4 KiB pages, anywhere in RAM */
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .long   0

start_boot_cpu:
    mov     x20, x0
    bl      drop_to_el1

    /* With the MMU off stores go to memory past the cache: clear, then drop stale lines. */
    adrp    x0, __bss_start
    add     x0, x0, :lo12:__bss_start
    adrp    x1, __bss_end
    add     x1, x1, :lo12:__bss_end
    mov     x2, x0
1:  stp     xzr, xzr, [x2], #16
    cmp     x2, x1
    b.lo    1b

    /* Boot tables. x19: physical address of the image. */
    adrp    x19, __kernel_start
    mov     x7, #LEAF_NORMAL
    movz    x8, #LEAF_NX_HI, lsl #48
    orr     x8, x8, x7

    /* Identity, executable: the GiB this code runs in. */
    adrp    x2, identity_root
    adrp    x3, identity_l2
    ubfx    x4, x19, #39, #9
    orr     x5, x3, #3
    str     x5, [x2, x4, lsl #3]
    ubfx    x4, x19, #30, #9
    and     x5, x19, #~0x3fffffff
    orr     x5, x5, x7
    str     x5, [x3, x4, lsl #3]

    /* Direct map: the same GiB, and the one that holds the device tree. */
    adrp    x2, boot_root
    adrp    x3, direct_l2
    ubfx    x4, x19, #39, #9
    add     x4, x4, #256
    orr     x5, x3, #3
    str     x5, [x2, x4, lsl #3]
    ubfx    x4, x19, #30, #9
    and     x5, x19, #~0x3fffffff
    orr     x5, x5, x8
    str     x5, [x3, x4, lsl #3]
    eor     x5, x20, x19
    lsr     x5, x5, #39
    cbnz    x5, 2f
    ubfx    x4, x20, #30, #9
    and     x5, x20, #~0x3fffffff
    orr     x5, x5, x8
    cbz     x20, 2f
    str     x5, [x3, x4, lsl #3]
2:
    /* The image in blocks of 2 MiB, writable and executable until the final tables. */
    adrp    x3, image_l2
    adrp    x4, image_l1
    adrp    x5, fixmap_l1
    adrp    x6, fixmap_l0
    orr     x9, x3, #3
    str     x9, [x2, #511 * 8]
    orr     x9, x4, #3
    str     x9, [x3, #510 * 8]
    orr     x9, x5, #3
    str     x9, [x3, #511 * 8]
    orr     x9, x6, #3
    str     x9, [x5, #((FIXMAP_BASE >> 21) & 511) * 8]
    add     x4, x4, #((KERNEL_LINK_ADDRESS >> 21) & 511) * 8
    adrp    x10, __kernel_end
    orr     x9, x19, x7
3:  str     x9, [x4], #8
    add     x9, x9, #0x200000
    cmp     x9, x10
    b.lo    3b

#ifdef CONFIG_KASAN
    /* The shadow from that of KERNEL_BASE on: one block, all accessible. */
#define SHADOW ((KERNEL_BASE >> 3) + KASAN_SHADOW_OFFSET)
    adrp    x3, kasan_l2
    adrp    x4, kasan_l1
    adrp    x5, kasan_early_shadow
    orr     x9, x3, #3
    str     x9, [x2, #((SHADOW >> 39) & 511) * 8]
    orr     x9, x4, #3
    str     x9, [x3, #((SHADOW >> 30) & 511) * 8]
    orr     x9, x5, x8
    str     x9, [x4, #((SHADOW >> 21) & 511) * 8]
#endif

    dsb     sy
4:  dc      ivac, x0
    add     x0, x0, #64
    cmp     x0, x1
    b.lo    4b
    dsb     sy

    mov     x0, x2
    bl      mmu_enable
    ldr     x9, =boot_cpu_high
    br      x9

boot_cpu_high:
    bl      identity_disable
    ldr     x9, =boot_stack_high
    mov     sp, x9
    ldr     x10, =cpus
    str     x9, [x10, #CPU_BOOT_STACK]
    ldr     x9, =boot_canary
    msr     sp_el0, x9
    mrs     x0, mpidr_el1
    ldr     x9, =MPIDR_AFFINITY
    and     x0, x0, x9
    mov     x1, x20
    mov     x29, #0
    mov     x30, #0
    bl      kernel_main
    brk     #0
    .cfi_endproc
    .size start, . - start

/* Entry for PSCI CPU_ON: x0 is the struct cpu. */
    .global start_secondary
    .type start_secondary, %function
start_secondary:
    .cfi_startproc
    .cfi_undefined x30
    mov     x20, x0
    bl      drop_to_el1
    adrp    x0, secondary_root
    ldr     x0, [x0, :lo12:secondary_root]
    bl      mmu_enable
    ldr     x9, =secondary_high
    br      x9

secondary_high:
    bl      identity_disable
    ldr     x9, [x20, #CPU_BOOT_STACK]
    mov     sp, x9
    ldr     x9, =boot_canary
    msr     sp_el0, x9
    mov     x0, x20
    mov     x29, #0
    mov     x30, #0
    bl      cpu_secondary_start
    brk     #0
    .cfi_endproc
    .size start_secondary, . - start_secondary

/* From EL2 to EL1 with everything EL1 needs switched on; returns at EL1. At EL1 it only returns.
 * An EL3 start is not supported: the CPU sleeps. Changes x9, x10. */
    .type drop_to_el1, %function
drop_to_el1:
    .cfi_startproc
    mrs     x9, CurrentEL
    cmp     x9, #2 << 2
    b.eq    2f
    b.hi    1f
    ldr     x9, =SCTLR_RES1
    msr     sctlr_el1, x9
    isb
    ret
1:  wfi
    b       1b
2:  mov     x9, #1 << 31                /* HCR_EL2.RW: EL1 is AArch64; nothing is trapped */
    msr     hcr_el2, x9
    mov     x9, #3                      /* EL1 may read the counters and set the timers */
    msr     cnthctl_el2, x9
    msr     cntvoff_el2, xzr
    mrs     x9, mdcr_el2
    and     x9, x9, #0x1f               /* debug and PMU belong to EL1 */
    msr     mdcr_el2, x9
    mov     x9, #0x33ff
    msr     cptr_el2, x9
    msr     hstr_el2, xzr
    mrs     x9, midr_el1
    msr     vpidr_el2, x9
    mrs     x9, mpidr_el1
    msr     vmpidr_el2, x9
    mrs     x9, id_aa64pfr0_el1
    ubfx    x9, x9, #24, #4             /* GIC system registers? */
    cbz     x9, 3f
    mov     x9, #0xf
    msr     icc_sre_el2, x9
    isb
    msr     ich_hcr_el2, xzr
3:  ldr     x9, =SCTLR_RES1
    msr     sctlr_el1, x9
    mov     x9, #PSTATE_D | PSTATE_A | PSTATE_I | PSTATE_F | PSTATE_EL1H
    msr     spsr_el2, x9
    msr     elr_el2, x30
    eret
    .cfi_endproc

/* x0: physical root of the kernel half. Returns to the same code, identity-mapped. Changes x9, x10. */
    .type mmu_enable, %function
mmu_enable:
    .cfi_startproc
    msr     mdscr_el1, xzr
    msr     cpacr_el1, xzr              /* the kernel does not use floating point: a trap tells */
    ldr     x9, =MAIR_VALUE
    msr     mair_el1, x9
    ldr     x9, =TCR_VALUE
    mrs     x10, id_aa64mmfr0_el1
    ubfx    x10, x10, #0, #4
    cmp     x10, #5                     /* 48 bits; 52 would need another table format */
    b.ls    1f
    mov     x10, #5
1:  orr     x9, x9, x10, lsl #TCR_IPS_SHIFT
    msr     tcr_el1, x9
    adrp    x9, identity_root
    msr     ttbr0_el1, x9
    msr     ttbr1_el1, x0
    isb
    tlbi    vmalle1
    dsb     nsh
    isb
    ldr     x9, =SCTLR_MMU
    msr     sctlr_el1, x9
    isb
    ic      iallu
    dsb     nsh
    isb
    ret
    .cfi_endproc

/* Running in the kernel half: there is no lower half any more. Changes x9. */
    .type identity_disable, %function
identity_disable:
    .cfi_startproc
    mrs     x9, tcr_el1
    orr     x9, x9, #TCR_EPD0
    msr     tcr_el1, x9
    msr     ttbr0_el1, xzr
    isb
    tlbi    vmalle1
    dsb     nsh
    isb
    ret
    .cfi_endproc
    .ltorg

/* What the stack protector reads until the first thread is known. */
    .section .rodata
    .balign 8
boot_canary:
    .quad   0x00f47a3bc19e5d00

/* Read by other CPUs with the MMU off: written and cleaned by arch_cpu_start(). */
    .data
    .balign 8
    .global secondary_root
secondary_root:
    .quad   0

    .bss
    .balign 4096
boot_root:      .skip 4096
identity_root:  .skip 4096
identity_l2:    .skip 4096
direct_l2:      .skip 4096
image_l2:       .skip 4096
image_l1:       .skip 4096
fixmap_l1:      .skip 4096
fixmap_l0:      .skip 4096

/* The boot CPU's stack; the page below it is its guard once the final tables leave it out. */
    .global boot_stack_guard, boot_stack_low, boot_stack_high
boot_stack_guard:
    .skip   4096
boot_stack_low:
    .skip   STACK_BYTES
boot_stack_high:

#ifdef CONFIG_KASAN
kasan_l2:       .skip 4096
kasan_l1:       .skip 4096
    .balign 0x200000
    .global kasan_early_shadow
kasan_early_shadow:
    .skip   0x200000
#endif
