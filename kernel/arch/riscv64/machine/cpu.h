// SPDX-License-Identifier: MIT
// The inline part of kernel/arch/cpu.h on RISC-V. tp holds the current thread (the compiler's stack
// protector reads the canary through it); the CPU is the one the thread runs on. sscratch points to
// this hart's struct machine_cpu_data, always, for the exception entry.
//
// "Interrupts off" is sstatus.SIE = 0: the machine has nothing stronger to offer supervisor mode.
#pragma once

#include "kernel/lib/base.h"
#include <kd_machine/frame.h>
#include <machine/csr.h>

// Not volatile: within one thread it never changes.
static inline struct thread *arch_current(void)
{
    struct thread *thread;
    __asm__("mv %0, tp" : "=r"(thread));
    return thread;
}

// Read anew each time: the thread may have moved in between. cpu.c checks the offset.
#define THREAD_CPU_OFFSET 8
static inline struct cpu *arch_this_cpu(void)
{
    struct cpu *cpu;
    __asm__ volatile("ld %0, %1(tp)" : "=r"(cpu) : "i"(THREAD_CPU_OFFSET) : "memory");
    return cpu;
}

static inline irq_state_t arch_irq_save(void)
{
    return csr_read_clear(sstatus, SSTATUS_SIE) & SSTATUS_SIE;
}

static inline void arch_irq_restore(irq_state_t state)
{
    if (state != 0)
        csr_set(sstatus, SSTATUS_SIE);
    else
        csr_clear(sstatus, SSTATUS_SIE);
}

static inline void arch_irq_enable(void)
{
    csr_set(sstatus, SSTATUS_SIE);
}

static inline void arch_irq_disable(void)
{
    csr_clear(sstatus, SSTATUS_SIE);
}

static inline bool arch_irq_enabled(void)
{
    return (csr_read(sstatus) & SSTATUS_SIE) != 0;
}

// In the frame of an exception it is what SIE was before.
static inline bool arch_frame_irq_enabled(const struct kd_frame *frame)
{
    return (frame->sstatus & SSTATUS_SPIE) != 0;
}

// Zicbom, which would have an instruction for it, is not in what the kernel is compiled for.
static inline void arch_cache_write_back(const void *start, size_t bytes)
{
    (void)start;
    (void)bytes;
    __asm__ volatile("fence" ::: "memory");
}

// The pause hint of Zihintpause; where it is unknown it is a fence that orders nothing.
static inline void arch_cpu_relax(void)
{
    __asm__ volatile(".insn i 0x0f, 0, x0, x0, 0x010" ::: "memory");
}

// For fences a read of the time CSR counts as device input (unprivileged specification, 2.7).
static inline uint64_t arch_counter(void)
{
    uint64_t now;
    __asm__ volatile("fence r, i\n\trdtime %0" : "=r"(now)::"memory");
    return now;
}

// The seed CSR is machine mode's.
static inline uint64_t arch_entropy(void)
{
    return 0;
}

static inline void arch_memory_barrier(void)
{
    __asm__ volatile("fence iorw, iorw" ::: "memory");
}
