// SPDX-License-Identifier: MIT
// smp_call()'s contract: the function runs once on each CPU of the mask, in interrupt context;
// with `wait` it has run when the call returns; calls from all CPUs to all at once do not deadlock
// and none is lost.
#include "kernel/cpu/cpu.h"
#include "kernel/irq/irq.h"
#include "kernel/sched/thread.h"
#include "kernel/test/ktest.h"

struct visits {
    unsigned count[CPU_MAX];
    unsigned wrong_context;
};

static void visit(void *argument)
{
    struct visits *visits = argument;
    struct cpu *cpu = this_cpu();
    __atomic_fetch_add(&visits->count[cpu->index], 1, __ATOMIC_RELAXED);
    if (!cpu->irq_depth || arch_irq_enabled())
        __atomic_fetch_add(&visits->wrong_context, 1, __ATOMIC_RELAXED);
}

static bool all_visited(const struct visits *visits, uint64_t mask, unsigned times)
{
    for (unsigned i = 0; i < CPU_MAX; i++)
        if (__atomic_load_n(&visits->count[i], __ATOMIC_RELAXED) != (mask >> i & 1 ? times : 0))
            return false;
    return true;
}

KTEST(smp, mask, "a call runs on the CPUs of the mask and no others, in interrupt context")
{
    for (uint64_t mask = 0; mask < UINT64_C(1) << cpu_count(); mask++) {
        struct visits visits = {0};
        smp_call(mask, visit, &visits, true);
        EXPECT(all_visited(&visits, mask & cpu_online_mask(), 1));
        EXPECT_EQ(visits.wrong_context, 0);
    }
    EXPECT(arch_irq_enabled());
    EXPECT(!irq_frame());
}

KTEST(smp, no_wait, "a call that does not wait arrives before a later one that does")
{
    static struct visits visits; // outlives the calls whatever happens
    visits = (struct visits){0};
    uint64_t online = cpu_online_mask();
    EXPECT_EQ(thread_set_affinity(thread_current(), online & -online), 0);
    for (unsigned i = 0; i < 50; i++)
        smp_call(online, visit, &visits, false);
    smp_call(online, visit, &visits, true);
    EXPECT(all_visited(&visits, online, 51));
}

#define STORM_CALLS 60

static void storm(void *visits)
{
    for (unsigned i = 0; i < STORM_CALLS; i++)
        smp_call(cpu_online_mask(), visit, visits, i % 4 != 3);
    smp_call(cpu_online_mask(), visit, visits, true);
}

KTEST(smp, storm, "calls from all CPUs to all CPUs at once all arrive")
{
    struct visits visits = {0};
    struct thread *threads[CPU_MAX];
    uint64_t online = cpu_online_mask();
    unsigned cpus_online = (unsigned)__builtin_popcountll(online);
    CPU_FOR_EACH (cpu) {
        uint64_t bit = UINT64_C(1) << cpu->index;
        if (online & bit)
            EXPECT_EQ(thread_create("smp storm", PRIORITY_NORMAL, bit, storm, &visits,
                                    &threads[cpu->index]),
                      0);
    }
    CPU_FOR_EACH (cpu)
        if (online >> cpu->index & 1)
            thread_join(threads[cpu->index]);
    EXPECT(all_visited(&visits, online, cpus_online * (STORM_CALLS + 1)));
    EXPECT_EQ(visits.wrong_context, 0);
}
