// SPDX-License-Identifier: MIT
// Queues of sleeping threads, the common ground of mutexes, reader-writer locks and condition
// variables. For the files of kernel/sync only.
//
// A waiter stands on its thread's stack and in the queue until somebody wakes it (who unlinks it
// and sets `woken`) or it gives up (and unlinks itself); both under the queue's guard. A woken
// thread takes the guard once more before it leaves, so whoever woke it has let go of the waiter,
// and of the thread, by then.
#pragma once

#include "kernel/sched/thread.h"
#include "kernel/sync/lock.h"

struct lock_waiter {
    struct thread *thread;
    struct lock_waiter *next;
    bool woken;
    bool writer; // rwlock: wants to write
};

void wait_queue_add(struct wait_queue *queue, struct lock_waiter *waiter);
void wait_queue_remove(struct wait_queue *queue, struct lock_waiter *waiter);
// Unlinks and wakes the first waiter. Returns its thread, for handing a lock to it, or NULL.
struct thread *wait_queue_wake_first(struct wait_queue *queue);
// Sleeps until woken or the deadline (UINT64_MAX: none). The guard must not be held.
void wait_sleep(struct lock_waiter *waiter, const char *what, uint64_t deadline_ns);
