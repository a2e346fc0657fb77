// SPDX-License-Identifier: MIT
// The inline part of kernel/arch/cpu.h on AArch64. sp_el0 holds the current thread (the compiler's
// stack protector reads the canary through it), tpidr_el1 the CPU.
//
// With a GICv3 "interrupts off" is ICC_PMR_EL1 = PMR_OFF and DAIF.I stays clear, so that the
// debug class and the stop signal arrive. Without its CPU interface registers it is DAIF.I, and
// DAIF.F stays clear for group 0.
#pragma once

#include "kernel/lib/base.h"
#include <kd_machine/frame.h>
#include <machine/sysreg.h>

// Set by arch_cpu_early_init() of the boot CPU before the first use, constant from then on.
extern bool cpu_masks_by_priority;

static inline struct cpu *arch_this_cpu(void)
{
    return (struct cpu *)sysreg_read(tpidr_el1);
}

// Not volatile: within one thread it never changes.
static inline struct thread *arch_current(void)
{
    struct thread *thread;
    __asm__("mrs %0, sp_el0" : "=r"(thread));
    return thread;
}

static inline void arch_irq_disable(void)
{
    if (cpu_masks_by_priority)
        sysreg_write(icc_pmr_el1, PMR_OFF);
    else
        daif_set(PSTATE_I);
}

static inline void arch_irq_enable(void)
{
    if (cpu_masks_by_priority)
        sysreg_write(icc_pmr_el1, PMR_ON);
    else
        daif_clear(PSTATE_I);
}

static inline irq_state_t arch_irq_save(void)
{
    irq_state_t state = cpu_masks_by_priority ? sysreg_read(icc_pmr_el1) : sysreg_read(daif);
    arch_irq_disable();
    return state;
}

static inline void arch_irq_restore(irq_state_t state)
{
    if (cpu_masks_by_priority)
        sysreg_write(icc_pmr_el1, state);
    else
        sysreg_write(daif, state);
}

static inline bool arch_irq_enabled(void)
{
    if (cpu_masks_by_priority && sysreg_read(icc_pmr_el1) != PMR_ON)
        return false;
    return (sysreg_read(daif) & PSTATE_I) == 0;
}

static inline bool arch_frame_irq_enabled(const struct kd_frame *frame)
{
    if (cpu_masks_by_priority && frame->pmr != PMR_ON)
        return false;
    return (frame->pstate & PSTATE_I) == 0;
}

static inline void arch_cache_write_back(const void *start, size_t bytes)
{
    size_t line = (size_t)4 << (sysreg_read(ctr_el0) >> 16 & 15); // DminLine: log2 of words
    for (size_t done = 0; done < bytes; done += line)
        __asm__ volatile("dc cvac, %0" ::"r"((const char *)start + done) : "memory");
    __asm__ volatile("dsb sy" ::: "memory");
}

static inline void arch_cpu_relax(void)
{
    __asm__ volatile("yield" ::: "memory");
}

// The isb keeps the counter from being read before earlier loads have completed.
static inline uint64_t arch_counter(void)
{
    isb();
    return sysreg_read(cntvct_el0);
}

// RNDR by its encoding, since gcc's default architecture does not know the name.
static inline uint64_t arch_entropy(void)
{
    return ID_AA64ISAR0_RNDR(sysreg_read(id_aa64isar0_el1)) != 0 ? sysreg_read(s3_3_c2_c4_0) : 0;
}

static inline void arch_memory_barrier(void)
{
    dsb(sy);
}
