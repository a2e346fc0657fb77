// SPDX-License-Identifier: MIT
// Bringing up the other CPUs, and having them call a function.
//
// A call travels through a slot for each pair of CPUs: free, claimed by a sender, posted, and free
// again as soon as the receiver has copied it. So nothing is allocated, calls from all CPUs to all
// may be under way at once, and a sender only waits for a receiver that is a call behind.
#include "kernel/arch/boot.h"
#include "kernel/cpu/cpu.h"
#include "kernel/irq/irq.h"
#include "kernel/log/log.h"
#include "kernel/mm/mapping.h"
#include "kernel/panic.h"
#include "kernel/sched/thread.h"
#include "kernel/sync/patience.h"

#define ONLINE_WAIT_NS (5 * NSEC_PER_SEC)

static bool cpu_bring_up(struct cpu *cpu)
{
    uintptr_t stack = stack_alloc();
    if (!stack) {
        log_error("%s: no memory for its stack", cpu->name);
        return false;
    }
    cpu->boot_stack = (void *)(stack + THREAD_STACK_BYTES);
    sched_boot_thread(cpu);
    int error = arch_cpu_start(cpu);
    if (error) {
        log_error("%s: does not start (error %d)", cpu->name, -error);
        return false;
    }
    uint64_t deadline = clock_ns() + ONLINE_WAIT_NS;
    while (!(cpu_online_mask() >> cpu->index & 1)) {
        if (clock_ns() > deadline) {
            log_error("%s: started but not online after %u s", cpu->name,
                      (unsigned)(ONLINE_WAIT_NS / NSEC_PER_SEC));
            return false;
        }
        arch_cpu_relax();
    }
    return true;
}

void smp_start(void)
{
    CPU_FOR_EACH (cpu)
        cpu->hw_id = boot_info.cpu_hw_id[cpu->index];
    CPU_FOR_EACH (cpu)
        if (cpu != &cpus[0])
            cpu_bring_up(cpu);
}

// -- calls

enum { SLOT_FREE, SLOT_CLAIMED, SLOT_POSTED };

struct call_slot {
    uint32_t state;
    void (*fn)(void *);
    void *argument;
    uint64_t *pending; // the caller's mask of CPUs that have not finished, or NULL
};
static struct call_slot slots[CPU_MAX][CPU_MAX]; // [from][to]

static struct call_slot *slot_claim(unsigned from, unsigned to)
{
    struct call_slot *slot = &slots[from][to];
    struct patience patience;
    patience_start(&patience);
    for (;;) {
        uint32_t expected = SLOT_FREE;
        if (__atomic_compare_exchange_n(&slot->state, &expected, SLOT_CLAIMED, false,
                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return slot;
        arch_cpu_relax();
        if (patience_over(&patience))
            panic("smp_call: %s does not take its calls", cpus[to].name);
    }
}

// In interrupt context, as the other CPUs do.
static void call_here(void (*fn)(void *), void *argument)
{
    irq_state_t irq = arch_irq_save();
    irq_enter(NULL);
    fn(argument);
    irq_exit(NULL);
    arch_irq_restore(irq);
}

static void wait_for_all(const uint64_t *pending)
{
    struct patience patience;
    patience_start(&patience);
    uint64_t left;
    while ((left = __atomic_load_n(pending, __ATOMIC_ACQUIRE)) != 0) {
        arch_cpu_relax();
        if (patience_over(&patience))
            panic("smp_call: %s does not answer", cpus[__builtin_ctzll(left)].name);
    }
}

void smp_call(uint64_t mask, void (*fn)(void *), void *argument, bool wait)
{
    ASSERT(arch_irq_enabled());
    preempt_disable(); // `own` stays the CPU we are on
    uint64_t own = UINT64_C(1) << this_cpu()->index;
    uint64_t others = mask & cpu_online_mask() & ~own;
    uint64_t pending = others;
    for (uint64_t left = others; left; left &= left - 1) {
        struct call_slot *slot = slot_claim(this_cpu()->index, (unsigned)__builtin_ctzll(left));
        slot->fn = fn;
        slot->argument = argument;
        slot->pending = wait ? &pending : NULL;
        __atomic_store_n(&slot->state, SLOT_POSTED, __ATOMIC_RELEASE);
    }
    if (others)
        arch_ipi_send(others, IPI_CALL);
    if (mask & own)
        call_here(fn, argument);
    if (wait)
        wait_for_all(&pending);
    preempt_enable();
}

void smp_call_ipi(void)
{
    struct cpu *cpu = this_cpu();
    cpu->ipi_count++;
    for (unsigned from = 0; from < CPU_MAX; from++) {
        struct call_slot *slot = &slots[from][cpu->index];
        if (__atomic_load_n(&slot->state, __ATOMIC_ACQUIRE) != SLOT_POSTED)
            continue;
        struct call_slot call = *slot;
        __atomic_store_n(&slot->state, SLOT_FREE, __ATOMIC_RELEASE);
        call.fn(call.argument);
        if (call.pending)
            __atomic_fetch_and(call.pending, ~(UINT64_C(1) << cpu->index), __ATOMIC_RELEASE);
    }
}
