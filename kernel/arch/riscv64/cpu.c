// SPDX-License-Identifier: MIT
// A hart by itself: its registers at the start, its trap vector, idling and halting. No locks.
#include "kernel/arch/cpu.h"

#include "kernel/cpu/cpu.h"
#include "kernel/sched/walk.h"
#include <machine/percpu.h>

_Static_assert(offsetof(struct thread, cpu) == THREAD_CPU_OFFSET, "machine/cpu.h");
_Static_assert(offsetof(struct machine_cpu_data, sp) == DATA_SP, "entry.S");
_Static_assert(offsetof(struct machine_cpu_data, t0) == DATA_T0, "entry.S");
_Static_assert(offsetof(struct machine_cpu_data, tp) == DATA_TP, "entry.S");
_Static_assert(offsetof(struct machine_cpu_data, cpu) == DATA_CPU, "entry.S");
_Static_assert(offsetof(struct machine_cpu, data) == EMERGENCY_STACK_BYTES, "entry.S");

struct machine_cpu machine_cpus[CPU_MAX];

// A hart cannot ask for its number in supervisor mode, but the trap entry lives by sscratch.
__debugger_text unsigned arch_cpu_index(void)
{
    uintptr_t offset = csr_read(sscratch) - (uintptr_t)machine_cpus;
    uintptr_t index = offset / sizeof(machine_cpus[0]);
    return index < CPU_MAX ? (unsigned)index : 0;
}

__debugger_text bool arch_cpu_pointers_valid(const struct cpu *cpu)
{
    return thread_is_on(arch_current(), cpu);
}

__debugger_text void arch_cpu_pointers_load(struct cpu *cpu, struct thread *current)
{
    (void)cpu; // it is read through the thread
    __asm__ volatile("mv tp, %0" ::"r"(current) : "memory");
}

void arch_cpu_early_init(struct cpu *cpu, struct thread *current)
{
    extern char trap_vector[];
    struct machine_cpu_data *data = &machine_cpus[cpu - cpus].data;
    cpu->self = cpu;
    cpu->current = current;
    cpu->machine = data;
    current->cpu = cpu;
    data->cpu = cpu;
    arch_cpu_pointers_load(cpu, current);
    csr_write(sscratch, (uintptr_t)data);
    csr_write(stvec, (uintptr_t)trap_vector);
    csr_write(sie, 0);
}

// wfi ends for any interrupt that is pending and enabled in sie, whatever sstatus.SIE says
// (privileged architecture 3.3.3): nothing is lost between the caller's check and here.
void arch_cpu_idle(void)
{
    __asm__ volatile("wfi" ::: "memory");
    arch_irq_enable();
}

_Noreturn void arch_cpu_halt(void)
{
    arch_irq_disable();
    csr_write(sie, 0);
    for (;;)
        __asm__ volatile("wfi" ::: "memory");
}
