// SPDX-License-Identifier: MIT
// Condition variables. A waiter is in the queue before it lets go of the lock that protects the
// predicate, so a signal given under that lock, or after it, finds it. Waiting is for threads;
// signalling for any context but NMI.
#include "kdebug/kdebug.h"
#include "kernel/panic.h"
#include "kernel/sync/held.h"
#include "kernel/sync/wait.h"
#include <errno.h>

int condition_wait_any_(struct condition *condition, const struct lock_ops *ops, void *lock,
                        unsigned rank, uint64_t deadline_ns)
{
    ASSERT(!kd_active());
    ASSERT(lock_held_by_current_(lock));
    struct lock_waiter waiter = {.thread = thread_current()};
    WITH (&condition->guard)
        wait_queue_add(&condition->waiters, &waiter);
    ops->release(lock);
    wait_sleep(&waiter, condition->name, deadline_ns);
    bool woken = false;
    WITH (&condition->guard) {
        woken = waiter.woken;
        if (!woken)
            wait_queue_remove(&condition->waiters, &waiter);
    }
    ops->take(lock, rank);
    return woken ? 0 : -ETIMEDOUT;
}

void condition_signal(struct condition *condition)
{
    WITH (&condition->guard)
        wait_queue_wake_first(&condition->waiters);
}

void condition_broadcast(struct condition *condition)
{
    WITH (&condition->guard)
        while (wait_queue_wake_first(&condition->waiters))
            ;
}
