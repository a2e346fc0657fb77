// SPDX-License-Identifier: MIT
// The CPUs. `cpus[i].index == i`; CPU 0 is the one that booted. cpu_online_mask only grows.
#pragma once

#include "kernel/arch/cpu.h"
#include "kernel/lib/base.h"

struct run_queue;
struct thread;

struct cpu {
    // Machines read these four from assembly (build/<arch>/gen/offsets.h has their offsets).
    struct cpu *self;
    struct thread *current;
    uint64_t stack_canary; // of current, for machines whose compiler reads it per CPU
    void *boot_stack;      // end (highest address) of the stack the CPU starts on

    unsigned index;
    uint64_t hw_id;
    char name[8];       // "cpu0"
    unsigned irq_depth; // nesting of interrupt handlers, 0 in thread context
    unsigned nmi_depth;
    uint64_t irq_count, ipi_count, timer_count, idle_ns;
    struct thread *idle;
    struct run_queue *queue;
    uint64_t kick_mask; // CPUs to interrupt for rescheduling once no spin lock is held here
    void *machine;      // the architecture's own per-CPU data
};

extern struct cpu cpus[CPU_MAX];
unsigned cpu_count(void);       // present: boot_info.cpu_count
uint64_t cpu_online_mask(void); // bit per index
void cpu_set_online(struct cpu *cpu);

static inline struct cpu *this_cpu(void)
{
    return arch_this_cpu();
}

// Where the per-CPU pointer or the current thread has been destroyed, makes them right again, as
// far as can be told, and logs it. `sp`: the stack pointer of the context in which that was
// noticed. To be called before anything that may end in the debugger or a panic. Any context.
void cpu_pointers_repair(uintptr_t sp);

#define CPU_FOR_EACH(var) for (struct cpu *var = cpus; var < cpus + cpu_count(); var++)

// Brings up the other CPUs; returns when each is online or has been given up (logged).
void smp_start(void);

// Runs fn(argument) on the CPUs of the mask, this one included if named, in interrupt context with
// interrupts off. `wait`: until all have run. Interrupts must be on (two CPUs may call at once).
void smp_call(uint64_t mask, void (*fn)(void *), void *argument, bool wait);
void smp_call_ipi(void); // IPI_CALL arrived
