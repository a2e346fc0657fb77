// SPDX-License-Identifier: MIT
// Queues of sleeping threads; see wait.h. All but wait_sleep() run under the queue's guard.
#include "kernel/sync/wait.h"
#include "kernel/sched/sched.h"

void wait_queue_add(struct wait_queue *queue, struct lock_waiter *waiter)
{
    waiter->next = NULL;
    if (queue->last)
        queue->last->next = waiter;
    else
        queue->first = waiter;
    queue->last = waiter;
}

void wait_queue_remove(struct wait_queue *queue, struct lock_waiter *waiter)
{
    struct lock_waiter *before = NULL;
    for (struct lock_waiter *w = queue->first; w; before = w, w = w->next) {
        if (w != waiter)
            continue;
        if (before)
            before->next = w->next;
        else
            queue->first = w->next;
        if (queue->last == w)
            queue->last = before;
        return;
    }
}

struct thread *wait_queue_wake_first(struct wait_queue *queue)
{
    struct lock_waiter *waiter = queue->first;
    if (!waiter)
        return NULL;
    struct thread *thread = waiter->thread;
    queue->first = waiter->next;
    if (!queue->first)
        queue->last = NULL;
    __atomic_store_n(&waiter->woken, true, __ATOMIC_RELEASE);
    sched_wake(thread);
    return thread;
}

void wait_sleep(struct lock_waiter *waiter, const char *what, uint64_t deadline_ns)
{
    sched_block(&waiter->woken, what, deadline_ns);
}
