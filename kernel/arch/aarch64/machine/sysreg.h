// SPDX-License-Identifier: MIT
// System registers of AArch64 (Arm ARM DDI 0487, D17) as far as the kernel uses them: accessors for
// C, and the values of their fields for C and assembly.
#pragma once

// PSTATE.DAIF as in SPSR_EL1 and the DAIF register; for daifset and daifclr shift right by 6.
#define PSTATE_F    0x040
#define PSTATE_I    0x080
#define PSTATE_A    0x100
#define PSTATE_D    0x200
#define PSTATE_EL1H 0x5

// SCTLR_EL1: the bits that are RES1 without the extensions that give them a meaning, and
// MMU, D-cache, sp alignment check, I-cache.
#define SCTLR_RES1 0x30d00800
#define SCTLR_MMU  (SCTLR_RES1 | 1 << 0 | 1 << 2 | 1 << 3 | 1 << 12)

// MAIR_EL1: index 0 device-nGnRnE, index 1 normal write-back.
#define MAIR_VALUE        0xff00
#define MAIR_INDEX_DEVICE 0
#define MAIR_INDEX_NORMAL 1

// TCR_EL1: 48 bits in both halves, 4 KiB granule (TG0 = 0, TG1 = 2), tables inner shareable and
// write-back. IPS is filled in from ID_AA64MMFR0_EL1.PARange. EPD0 switches the lower half off.
#define TCR_EPD0 (1 << 7)
#define TCR_VALUE                                                                                  \
    (16 | 1 << 8 | 1 << 10 | 3 << 12 | 16 << 16 | 1 << 24 | 1 << 26 | 3 << 28 | 2 << 30)
#define TCR_IPS_SHIFT 32

#define ID_AA64ISAR0_RNDR(value) ((value) >> 60)

#define MPIDR_AFFINITY 0xff00ffffff // MPIDR_EL1: Aff3 and Aff2 to Aff0

#define MDSCR_SS 1 // MDSCR_EL1: software step

// ICC_PMR_EL1: what an interrupt's priority must be below (numerically) to be taken. Ordinary
// interrupts have GIC_PRIORITY_ORDINARY, the debug class passes PMR_OFF, and only the stop signal
// passes PMR_STOP_ONLY. The top four bits exist on every implementation.
#define PMR_ON                0xf0
#define PMR_OFF               0x60
#define PMR_STOP_ONLY         0x30
#define GIC_PRIORITY_ORDINARY 0xa0
#define GIC_PRIORITY_DEBUG    0x40
#define GIC_PRIORITY_STOP     0x20

#ifndef __ASSEMBLER__
#define sysreg_read(name)                                                                          \
    ({                                                                                             \
        uint64_t sysreg_value_;                                                                    \
        __asm__ volatile("mrs %0, " #name : "=r"(sysreg_value_)::"memory");                        \
        sysreg_value_;                                                                             \
    })
#define sysreg_write(name, value)                                                                  \
    __asm__ volatile("msr " #name ", %x0" ::"rZ"((uint64_t)(value)) : "memory")
#define isb()            __asm__ volatile("isb" ::: "memory")
#define dsb(domain)      __asm__ volatile("dsb " #domain ::: "memory")
#define daif_set(bits)   __asm__ volatile("msr daifset, %0" ::"i"((bits) >> 6) : "memory")
#define daif_clear(bits) __asm__ volatile("msr daifclr, %0" ::"i"((bits) >> 6) : "memory")
#endif
