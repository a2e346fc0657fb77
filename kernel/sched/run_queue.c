// SPDX-License-Identifier: MIT
// The threads that wait for one CPU: a list a priority and a bitmap of those that are not empty.
// Called by the scheduler with the queue's lock held.
#include "kernel/panic.h"
#include "kernel/sched/sched.h"

void run_queue_init(struct run_queue *queue, struct cpu *cpu)
{
    lock_init(&queue->lock, "run queue");
    queue->cpu = cpu;
    for (unsigned i = 0; i < PRIORITY_COUNT; i++)
        list_init(&queue->waiting[i]);
}

void run_queue_add(struct run_queue *queue, struct thread *thread, bool front)
{
    struct list *list = &queue->waiting[thread->priority];
    ASSERT(thread->state == THREAD_READY && list_empty(&thread->run_link));
    if (front)
        list_push_front(list, &thread->run_link);
    else
        list_push_back(list, &thread->run_link);
    queue->ready |= UINT32_C(1) << thread->priority;
    WRITE_ONCE(queue->count, queue->count + 1);
}

void run_queue_remove(struct run_queue *queue, struct thread *thread)
{
    ASSERT(!list_empty(&thread->run_link));
    list_remove(&thread->run_link);
    if (list_empty(&queue->waiting[thread->priority]))
        queue->ready &= ~(UINT32_C(1) << thread->priority);
    WRITE_ONCE(queue->count, queue->count - 1);
}

struct thread *run_queue_first(const struct run_queue *queue, const struct cpu *cpu)
{
    uint64_t bit = UINT64_C(1) << cpu->index;
    for (uint32_t ready = queue->ready; ready;) {
        unsigned priority = 31 - (unsigned)__builtin_clz(ready);
        LIST_FOR_EACH (&queue->waiting[priority], struct thread, run_link, thread)
            if (thread->affinity & bit)
                return thread;
        ready &= ~(UINT32_C(1) << priority);
    }
    return NULL;
}
