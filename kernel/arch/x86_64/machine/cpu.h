// SPDX-License-Identifier: MIT
// The inline part of kernel/arch/cpu.h for this machine. The gs base points at this CPU's struct
// cpu: self at 0, current at 8, the compiler's stack canary at 16. Each read is one instruction,
// so a thread that is moved between two CPUs never mixes them.
#pragma once

#include <kd_machine/frame.h>
#include <machine/msr.h>

#define RFLAGS_IF 0x200

static inline struct cpu *arch_this_cpu(void)
{
    struct cpu *cpu;
    __asm__ volatile("movq %%gs:0, %0" : "=r"(cpu));
    return cpu;
}

static inline struct thread *arch_current(void)
{
    struct thread *thread;
    __asm__ volatile("movq %%gs:8, %0" : "=r"(thread));
    return thread;
}

static inline uint64_t arch_flags(void)
{
    uint64_t flags;
    __asm__ volatile("pushfq\n\tpopq %0" : "=r"(flags)::"memory");
    return flags;
}

static inline void arch_irq_disable(void)
{
    __asm__ volatile("cli" ::: "memory");
}

static inline void arch_irq_enable(void)
{
    __asm__ volatile("sti" ::: "memory");
}

static inline bool arch_irq_enabled(void)
{
    return arch_flags() & RFLAGS_IF;
}

static inline bool arch_frame_irq_enabled(const struct kd_frame *frame)
{
    return (frame->rflags & RFLAGS_IF) != 0;
}

static inline irq_state_t arch_irq_save(void)
{
    irq_state_t state = arch_flags() & RFLAGS_IF;
    arch_irq_disable();
    return state;
}

static inline void arch_irq_restore(irq_state_t state)
{
    if (state)
        arch_irq_enable();
}

static inline void arch_cache_write_back(const void *start, size_t bytes)
{
    const size_t line = 64; // longer ones are only flushed more than once
    for (size_t done = 0; done < bytes; done += line)
        __asm__ volatile("clflush %0" ::"m"(*((const char *)start + done)));
    __asm__ volatile("mfence" ::: "memory");
}

static inline void arch_cpu_relax(void)
{
    __asm__ volatile("pause" ::: "memory");
}

// rdtsc may run ahead of earlier loads; lfence holds it back (SDM volume 2, RDTSC).
static inline uint64_t arch_counter(void)
{
    uint32_t low, high;
    __asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

#define CPUID_1_ECX_RDRAND (1u << 30)

static inline uint64_t arch_entropy(void)
{
    uint64_t value = 0;
    if (cpuid(1, 0).ecx & CPUID_1_ECX_RDRAND)
        __asm__ volatile("rdrand %0" : "=r"(value)::"cc"); // 0 when it is exhausted
    return value;
}

static inline void arch_memory_barrier(void)
{
    __asm__ volatile("mfence" ::: "memory");
}
