// SPDX-License-Identifier: MIT
// The records of held locks and the run-time check of their order; see held.h. Called by the lock
// functions for every lock. It may take no lock itself; the logging it does goes before a panic.
#include "kernel/sync/held.h"
#include "kdebug/kdebug.h"
#include "kernel/log/log.h"
#include "kernel/panic.h"
#include "kernel/sync/patience.h"

// Set by the first report, whose own logging must not be judged.
static bool reporting;

enum held_verdict held_judge(const struct held_lock *held, unsigned count, const void *lock,
                             unsigned rank, unsigned *clash)
{
    for (unsigned i = 0; i < count; i++) {
        *clash = i;
        if (held[i].lock == lock)
            return HELD_DOUBLE;
    }
    for (unsigned i = 0; i < count; i++) {
        *clash = i;
        if (held[i].rank >= rank)
            return HELD_ORDER;
    }
    return count < THREAD_LOCKS_MAX ? HELD_FINE : HELD_TOO_MANY;
}

// The callers of the function whose frame it is.
static void stack_record(struct held_lock *record, const void *frame)
{
    const struct thread *thread = thread_current();
    uintptr_t addresses[ARRAY_SIZE(record->stack) + 1];
    unsigned n = kd_backtrace(0, (uintptr_t)frame, thread->stack_low, thread->stack_high, addresses,
                              ARRAY_SIZE(addresses));
    for (unsigned i = 0; i < ARRAY_SIZE(record->stack); i++)
        record->stack[i] = i + 1 < n ? addresses[i + 1] : 0;
}

void held_log(const struct held_lock *record)
{
    for (unsigned i = 0; i < ARRAY_SIZE(record->stack) && record->stack[i]; i++) {
        char line[LOG_LINE_MAX];
        struct kd_text text;
        kd_text_init(&text, line, sizeof(line));
        kd_text_symbol(&text, record->stack[i]);
        log_error("    %s", line);
    }
}

static _Noreturn __cold void held_panic(enum held_verdict verdict, const struct held_lock *wanted,
                                        const struct held_lock *clash)
{
    __atomic_store_n(&reporting, true, __ATOMIC_RELAXED);
    log_error("\"%s\" (rank %u), which is held, was taken by", clash->name, clash->rank);
    held_log(clash);
    log_error("\"%s\" (rank %u) is being taken by", wanted->name, wanted->rank);
    held_log(wanted);
    switch (verdict) {
    case HELD_DOUBLE:
        panic("double lock: \"%s\" (rank %u) taken by the thread that holds it", wanted->name,
              wanted->rank);
    case HELD_TOO_MANY:
        panic("too many locks: \"%s\" (rank %u) would be number %u", wanted->name, wanted->rank,
              THREAD_LOCKS_MAX + 1);
    default:
        panic("lock order: \"%s\" (rank %u) taken while \"%s\" (rank %u) is held", wanted->name,
              wanted->rank, clash->name, clash->rank);
    }
}

void held_check(const void *lock, const char *name, unsigned rank, const void *frame)
{
    const struct thread *thread = thread_current();
    unsigned clash;
    enum held_verdict verdict = held_judge(thread->held, thread->held_count, lock, rank, &clash);
    if (__builtin_expect(verdict == HELD_FINE, 1) || __atomic_load_n(&reporting, __ATOMIC_RELAXED))
        return;
    struct held_lock wanted = {lock, name, rank, {0}};
    stack_record(&wanted, frame);
    held_panic(verdict, &wanted, &thread->held[clash]);
}

void held_add(const void *lock, const char *name, unsigned rank, const void *frame)
{
    irq_state_t irq = arch_irq_save();
    struct thread *thread = thread_current();
    if (thread->held_count < THREAD_LOCKS_MAX) {
        struct held_lock *record = &thread->held[thread->held_count];
        record->lock = lock;
        record->name = name;
        record->rank = rank;
        stack_record(record, frame);
        thread->held_count++;
    }
    arch_irq_restore(irq);
}

void held_remove(const void *lock, const char *name)
{
    irq_state_t irq = arch_irq_save();
    struct thread *thread = thread_current();
    unsigned i = thread->held_count;
    while (i > 0 && thread->held[i - 1].lock != lock)
        i--;
    if (i > 0) {
        for (; i < thread->held_count; i++)
            thread->held[i - 1] = thread->held[i];
        thread->held_count--;
    } else if (!__atomic_load_n(&reporting, __ATOMIC_RELAXED)) {
        panic("lock \"%s\" released by a thread that does not hold it", name);
    }
    arch_irq_restore(irq);
}

void held_hand_over(struct thread *from, struct thread *to, const void *lock)
{
    ASSERT(from->held_count > 0 && from->held[from->held_count - 1].lock == lock);
    to->held[to->held_count++] = from->held[--from->held_count];
}

bool lock_held_by_current_(const void *lock)
{
    const struct thread *thread = thread_current();
    for (unsigned i = 0; i < thread->held_count; i++)
        if (thread->held[i].lock == lock)
            return true;
    return false;
}

const struct held_lock *held_spin_lock(void)
{
    const struct thread *thread = thread_current();
    for (unsigned i = thread->held_count; i > 0; i--)
        if (thread->held[i - 1].rank > RANK_SPIN_FIRST_)
            return &thread->held[i - 1];
    return NULL;
}

void held_assert_may_sleep(const char *what)
{
    const struct thread *thread = thread_current();
    const struct cpu *cpu = this_cpu();
    const struct held_lock *spin = held_spin_lock();
    if (spin) {
        log_error("\"%s\" was taken by", spin->name);
        held_log(spin);
        panic("sleeping (%s) with the spin lock \"%s\" held", what, spin->name);
    }
    if (cpu->irq_depth || cpu->nmi_depth)
        panic("sleeping (%s) in an interrupt", what);
    if (thread == cpu->idle)
        return; // boot, before there are threads: the lock is free or sched_block() panics
    if (thread->preempt_off)
        panic("sleeping (%s) with preemption off", what);
    if (!arch_irq_enabled())
        panic("sleeping (%s) with interrupts off", what);
}
