// SPDX-License-Identifier: MIT
// A CPU whose per-CPU pointer or current thread has been destroyed can do nothing, not even panic:
// the exception that a use of them raises would use them again. So exceptions and panics come here
// first. Who the CPU is, the machine knows by hardware; which thread it executes, the stack it is
// on tells. Not instrumented: the stack protector reads its canary through what is mended here.
#include "kdebug/machine.h"
#include "kernel/cpu/cpu.h"
#include "kernel/log/log.h"
#include "kernel/sched/walk.h"

__debugger_text static struct thread *thread_of_stack(uintptr_t sp)
{
    const struct thread *thread = NULL;
    struct thread_view view;
    while ((thread = thread_next_unlocked(thread)) != NULL)
        if (thread_view(thread, &view) && sp > view.stack_low && sp <= view.stack_high)
            return (struct thread *)thread;
    return NULL;
}

__debugger_text static struct thread *find_current(const struct cpu *cpu, uintptr_t sp)
{
    if (thread_is_on(cpu->current, cpu))
        return cpu->current;
    struct thread *thread = thread_of_stack(sp);
    return thread != NULL ? thread : cpu->idle;
}

__debugger_text void cpu_pointers_repair(uintptr_t sp)
{
    unsigned index = arch_cpu_index();
    struct cpu *cpu = &cpus[index];
    if (cpu->self == cpu && cpu->index == index && arch_cpu_pointers_valid(cpu))
        return;
    struct thread *current = find_current(cpu, sp);
    if (current == NULL)
        return; // so early that there is nothing to go by
    cpu->self = cpu;
    cpu->index = index;
    cpu->current = current;
    current->cpu = cpu;
    arch_cpu_pointers_load(cpu, current);
    log_error("the per-CPU pointer or the current thread was destroyed; restored: cpu %u, %s",
              index, current->name);
}
