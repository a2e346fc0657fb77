// SPDX-License-Identifier: MIT
// The `ps` and `cpu` commands. They run in the shell's thread or in the debugger, and so only look
// through walkers that work in both.
#include <string.h>

#include "kernel/sched/walk.h"
#include "kernel/shell/command.h"

const char *thread_state_name(const struct thread_view *view)
{
    switch (view->state) {
    case THREAD_READY:
        return view->idle ? "idle" : "ready";
    case THREAD_RUNNING:
        return "running";
    case THREAD_BLOCKED:
        return view->timed ? "sleeping" : "blocked";
    default:
        return "exited";
    }
}

static int ps_run(struct command_call *call)
{
    struct thread_view view;
    kd_text_printf(call->out, "%5s  %-16s %-8s %4s %4s %12s %10s  %s\n", "ID", "NAME", "STATE",
                   "CPU", "PRIO", "TIME", "SWITCHES", "WAITS FOR");
    for (int64_t cursor = 0; thread_walk(&cursor, &view);) {
        kd_text_printf(call->out, "%5lld  %-16s %-8s %4u %4u %5llu.%06llu %10llu  %s\n",
                       (long long)view.id, view.name, thread_state_name(&view), view.cpu,
                       view.priority, (unsigned long long)(view.cpu_ns / NSEC_PER_SEC),
                       (unsigned long long)(view.cpu_ns % NSEC_PER_SEC / NSEC_PER_USEC),
                       (unsigned long long)view.switches, view.wait);
    }
    return 0;
}
COMMAND(ps, "ps", "ps", "all threads: state, CPU, priority, time, what they wait for", ps_run,
        "TIME is the CPU time in seconds. A thread that is `sleeping` waits with a deadline, one\n"
        "that is `blocked` without; the last column says for which lock, condition or event.\n");

static int cpu_run(struct command_call *call)
{
    char running[CPU_MAX][THREAD_NAME_MAX] = {0};
    uint64_t idle_ns[CPU_MAX] = {0};
    struct thread_view view;
    for (int64_t cursor = 0; thread_walk(&cursor, &view);) {
        if (view.state == THREAD_RUNNING)
            strlcpy(running[view.cpu], view.idle ? "idle" : view.name, THREAD_NAME_MAX);
        if (view.idle)
            idle_ns[view.cpu] = view.cpu_ns;
    }
    kd_text_printf(call->out, "%-6s %6s %-8s %10s %10s %10s %12s  %s\n", "CPU", "HW-ID", "STATE",
                   "IRQS", "IPIS", "TIMERS", "IDLE", "THREAD");
    CPU_FOR_EACH (cpu) {
        bool online = cpu_online_mask() >> cpu->index & 1;
        kd_text_printf(call->out, "%-6s %6llx %-8s %10llu %10llu %10llu %5llu.%06llu  %s\n",
                       cpu->name, (unsigned long long)cpu->hw_id, online ? "online" : "offline",
                       (unsigned long long)cpu->irq_count, (unsigned long long)cpu->ipi_count,
                       (unsigned long long)cpu->timer_count,
                       (unsigned long long)(idle_ns[cpu->index] / NSEC_PER_SEC),
                       (unsigned long long)(idle_ns[cpu->index] % NSEC_PER_SEC / NSEC_PER_USEC),
                       running[cpu->index]);
    }
    return 0;
}
COMMAND(cpu, "cpu", "cpu", "the CPUs: interrupts, idle time, current thread", cpu_run,
        "HW-ID is the APIC id, MPIDR affinity or hart id, in hexadecimal. IDLE is in seconds.\n");
