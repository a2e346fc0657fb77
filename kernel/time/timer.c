// SPDX-License-Identifier: MIT
// Timers: a list a CPU, sorted by deadline, above the machine's one comparator. Called from any
// context but NMI.
//
// A timer belongs to the queue of timer->cpu, which changes only under that queue's lock while the
// timer is in no list. While a queue calls a timer's function without its lock, `running` names
// it: that is what timer_cancel() waits for, and it looks at all queues, since the timer may have
// been started elsewhere meanwhile.
#include "kernel/cpu/cpu.h"
#include "kernel/panic.h"
#include "kernel/sync/lock.h"
#include "kernel/sync/patience.h"
#include "kernel/time/time.h"

struct timer_queue {
    SPINLOCK(RANK_TIMER) lock;
    struct list armed; // by deadline
    struct timer *running;
    bool ready; // the CPU has a comparator
};
#define QUEUE(i) [i] = {.lock = LOCK_INIT("timers"), .armed = LIST_INIT(queues[i].armed)}
static struct timer_queue queues[CPU_MAX] = {QUEUE(0), QUEUE(1), QUEUE(2), QUEUE(3),
                                             QUEUE(4), QUEUE(5), QUEUE(6), QUEUE(7)};
_Static_assert(CPU_MAX == 8, "a row each");

static struct timer_queue *queue_of(const struct timer *timer)
{
    return &queues[READ_ONCE(timer->cpu)->index];
}

// The queue is locked, and this CPU's.
static void arm_first(struct timer_queue *queue)
{
    if (!queue->ready)
        return;
    uint64_t deadline = UINT64_MAX;
    if (!list_empty(&queue->armed))
        deadline = LIST_ENTRY(queue->armed.next, struct timer, link)->deadline_ns;
    arch_timer_arm(clock_to_counter(deadline));
}

static void insert(struct timer_queue *queue, struct timer *timer)
{
    struct list *after = queue->armed.prev; // most timers end later than those before them
    while (after != &queue->armed &&
           LIST_ENTRY(after, struct timer, link)->deadline_ns > timer->deadline_ns)
        after = after->prev;
    list_insert_after(after, &timer->link);
    if (queue->armed.next == &timer->link)
        arm_first(queue);
}

void timer_init(struct timer *timer, void (*expired)(struct timer *))
{
    list_init(&timer->link);
    timer->expired = expired;
    timer->deadline_ns = 0;
    timer->cpu = this_cpu();
}

void timer_start(struct timer *timer, uint64_t deadline_ns)
{
    irq_state_t irq = arch_irq_save();
    struct cpu *here = this_cpu();
    for (bool started = false; !started;) {
        struct timer_queue *queue = queue_of(timer);
        WITH (&queue->lock) {
            if (queue_of(timer) != queue)
                break;
            list_remove(&timer->link);
            started = timer->cpu == here;
            timer->cpu = here;
            if (started) {
                timer->deadline_ns = deadline_ns;
                insert(queue, timer);
            }
        }
    }
    arch_irq_restore(irq);
}

// Is its function running on another CPU? On this one it can only be the caller.
static bool runs_elsewhere(const struct timer *timer)
{
    const struct timer_queue *own = &queues[this_cpu()->index];
    for (const struct timer_queue *queue = queues; queue < queues + CPU_MAX; queue++)
        if (queue != own && __atomic_load_n(&queue->running, __ATOMIC_ACQUIRE) == timer)
            return true;
    return false;
}

// Takes the timer out of its queue and, at the same instant, looks whether its function runs: if
// not, nobody is left who might start it again. True if it was armed.
static bool take_out(struct timer *timer, bool *runs)
{
    bool armed = false;
    for (bool found = false; !found;) {
        struct timer_queue *queue = queue_of(timer);
        WITH (&queue->lock) {
            found = queue_of(timer) == queue;
            if (!found)
                break;
            armed = !list_empty(&timer->link);
            list_remove(&timer->link);
            *runs = runs_elsewhere(timer);
        }
    }
    return armed;
}

bool timer_cancel(struct timer *timer)
{
    bool runs;
    bool armed = take_out(timer, &runs);
    struct patience patience;
    patience_start(&patience);
    while (runs) {
        arch_cpu_relax();
        if (patience_over(&patience))
            panic("timer_cancel: the timer's function does not end");
        armed |= take_out(timer, &runs); // it may start itself again
    }
    return armed;
}

void timer_interrupt(void)
{
    struct cpu *cpu = this_cpu();
    struct timer_queue *queue = &queues[cpu->index];
    cpu->timer_count++;
    for (;;) {
        struct timer *timer = NULL;
        WITH (&queue->lock) {
            if (!list_empty(&queue->armed)) {
                timer = LIST_ENTRY(queue->armed.next, struct timer, link);
                if (timer->deadline_ns > clock_ns())
                    timer = NULL;
            }
            if (timer) {
                list_remove(&timer->link);
                __atomic_store_n(&queue->running, timer, __ATOMIC_RELEASE);
            } else {
                arm_first(queue);
            }
        }
        if (!timer)
            return;
        timer->expired(timer);
        __atomic_store_n(&queue->running, NULL, __ATOMIC_RELEASE);
    }
}

void time_cpu_init(void)
{
    struct timer_queue *queue = &queues[this_cpu()->index];
    WITH (&queue->lock) {
        queue->ready = true;
        arm_first(queue);
    }
}
