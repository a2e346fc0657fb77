// SPDX-License-Identifier: MIT
// Spin locks: a ticket counter gives each CPU its turn. Interrupts are off from before the ticket
// is drawn until after the release, so a holder is never interrupted by somebody who wants the same
// lock. Called through the macros of lock.h from any context but NMI.
#include "kdebug/kdebug.h"
#include "kernel/log/log.h"
#include "kernel/panic.h"
#include "kernel/sched/sched.h"
#include "kernel/sync/held.h"
#include "kernel/sync/patience.h"

static const char *lock_name(const struct spinlock *lock)
{
    return lock->name ? lock->name : "waiters";
}

static _Noreturn __cold void stuck_panic(const struct spinlock *lock)
{
    const struct thread *holder = READ_ONCE(lock->holder);
    if (!holder)
        panic("lock stuck: \"%s\" is free but its turn does not come", lock_name(lock));
    for (unsigned i = 0; i < THREAD_LOCKS_MAX; i++) {
        if (holder->held[i].lock != lock)
            continue;
        log_error("\"%s\" was taken by thread %lld (%s) at", lock_name(lock), (long long)holder->id,
                  holder->name);
        held_log(&holder->held[i]);
        break;
    }
    panic("lock stuck: \"%s\" held by thread %lld (%s) for more than %u s", lock_name(lock),
          (long long)holder->id, holder->name, (unsigned)(PATIENCE_NS / NSEC_PER_SEC));
}

static __noinline void wait_for_turn(struct spinlock *lock, uint32_t ticket)
{
    struct patience patience;
    patience_start(&patience);
    while (__atomic_load_n(&lock->now_serving, __ATOMIC_ACQUIRE) != ticket) {
        arch_cpu_relax();
        if (patience_over(&patience))
            stuck_panic(lock);
    }
}

static void taken(struct spinlock *lock, unsigned rank, irq_state_t irq, const void *frame)
{
    lock->irq = irq;
    WRITE_ONCE(lock->holder, thread_current());
    held_add(lock, lock_name(lock), rank, frame);
}

void spinlock_take_(void *l, unsigned rank)
{
    struct spinlock *lock = l;
    if (kd_active())
        return;
    irq_state_t irq = arch_irq_save();
    ASSERT(!this_cpu()->nmi_depth);
    held_check(lock, lock_name(lock), rank, __builtin_frame_address(0));
    uint32_t ticket = __atomic_fetch_add(&lock->next_ticket, 1, __ATOMIC_RELAXED);
    if (__atomic_load_n(&lock->now_serving, __ATOMIC_ACQUIRE) != ticket)
        wait_for_turn(lock, ticket);
    taken(lock, rank, irq, __builtin_frame_address(0));
}

bool spinlock_try_(void *l, unsigned rank)
{
    struct spinlock *lock = l;
    if (kd_active())
        return true;
    irq_state_t irq = arch_irq_save();
    uint32_t turn = __atomic_load_n(&lock->now_serving, __ATOMIC_ACQUIRE);
    uint32_t free_ticket = turn;
    if (thread_current()->held_count < THREAD_LOCKS_MAX &&
        __atomic_compare_exchange_n(&lock->next_ticket, &free_ticket, turn + 1, false,
                                    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        taken(lock, rank, irq, __builtin_frame_address(0));
        return true;
    }
    arch_irq_restore(irq);
    return false;
}

void spinlock_release_(void *l)
{
    struct spinlock *lock = l;
    if (kd_active())
        return;
    held_remove(lock, lock_name(lock));
    irq_state_t irq = lock->irq;
    WRITE_ONCE(lock->holder, NULL);
    __atomic_store_n(&lock->now_serving, lock->now_serving + 1, __ATOMIC_RELEASE);
    if (this_cpu()->kick_mask && !held_spin_lock())
        sched_kick();
    arch_irq_restore(irq);
    // A wake-up under the lock may have asked for another thread, and no interrupt need follow.
    if (READ_ONCE(thread_current()->need_resched) && arch_irq_enabled())
        sched_preempt();
}
