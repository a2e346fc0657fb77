// SPDX-License-Identifier: MIT
// The scheduler: who runs where. sched.h has the rules of who may touch what; this file is the only
// one that changes a thread's state. Each CPU runs the first of its own queue; queues are kept even
// by three means: a thread that wakes up is placed on an idle CPU if there is one, a CPU that falls
// idle pulls from the others, and the slice timer of a busy CPU pushes to a less busy one.
#include "kernel/sched/sched.h"

#include <errno.h>

#include "kdebug/kdebug.h"
#include "kernel/panic.h"
#include "kernel/sync/held.h"

static struct run_queue run_queues[CPU_MAX];

static bool may_run_on(const struct thread *thread, const struct cpu *cpu)
{
    return thread->affinity >> cpu->index & 1;
}

static bool is_idle(const struct run_queue *queue)
{
    return READ_ONCE(queue->current_priority) == PRIORITY_IDLE && !READ_ONCE(queue->count);
}

// -- the run queue lock across a switch

static struct run_queue *lock_own_queue(void)
{
    irq_state_t irq = arch_irq_save();
    struct run_queue *queue = this_cpu()->queue;
    spinlock_take_(&queue->lock.lock, RANK_RUN_QUEUE);
    queue->lock.lock.irq = irq;
    return queue;
}

// The thread may have moved since it locked: it is this CPU's queue that is locked now.
static void unlock_own_queue(void)
{
    spinlock_release_(&this_cpu()->queue->lock.lock);
}

// -- the slice timer

static void slice_start(struct run_queue *queue)
{
    if (!queue->count || queue->slice_armed)
        return;
    uint64_t now = clock_ns();
    queue->slice_armed = true;
    timer_start(&queue->slice, queue->slice_end_ns > now ? queue->slice_end_ns : now + SLICE_NS);
}

// -- choosing a CPU. Works on what it can see without locks: a wrong guess costs time, not
// correctness.

static struct cpu *choose_cpu(const struct thread *thread)
{
    uint64_t allowed = thread->affinity & cpu_online_mask();
    if (!allowed)
        return thread->cpu;
    struct cpu *best = NULL;
    unsigned best_cost = UINT32_MAX;
    CPU_FOR_EACH (cpu) {
        if (!(allowed >> cpu->index & 1))
            continue;
        // Best first: idle; running something less important; the shortest queue. The CPU where
        // the thread ran last wins among equals.
        unsigned cost = 2;
        if (!is_idle(cpu->queue)) {
            bool preempts = READ_ONCE(cpu->queue->current_priority) < thread->priority;
            cost = (preempts ? 4 : 0x1000) + 2 * READ_ONCE(cpu->queue->count);
        }
        if (cpu == thread->cpu)
            cost--;
        if (cost < best_cost) {
            best_cost = cost;
            best = cpu;
        }
    }
    return best;
}

// Another CPU is interrupted only when this one has let go of its last spin lock: it would wake up
// just to spin for the run queue we have locked, or for the lock of what it was waiting for.
static void kick_later(const struct cpu *cpu)
{
    this_cpu()->kick_mask |= UINT64_C(1) << cpu->index;
}

void sched_kick(void)
{
    uint64_t mask = this_cpu()->kick_mask;
    this_cpu()->kick_mask = 0;
    arch_ipi_send(mask, IPI_RESCHEDULE);
}

// The thread has just been queued: sees to it that its CPU notices.
static void notify(struct run_queue *queue, const struct thread *thread)
{
    bool own = queue->cpu == this_cpu();
    bool preempts = thread->priority > queue->current_priority;
    if (preempts)
        WRITE_ONCE(queue->cpu->current->need_resched, true);
    if (!own && (preempts || !queue->slice_armed))
        kick_later(queue->cpu);
    if (own)
        slice_start(queue);
}

// One attempt to queue a thread that is in our hands where it should be; false: it has been given
// to another CPU, whose lock is to be taken next.
static bool settle(struct thread *thread, bool anywhere)
{
    bool settled = false;
    struct run_queue *queue = thread->cpu->queue;
    WITH (&queue->lock) {
        struct cpu *best =
            anywhere && may_run_on(thread, queue->cpu) ? queue->cpu : choose_cpu(thread);
        settled = best == queue->cpu;
        if (settled) {
            run_queue_add(queue, thread, false);
            notify(queue, thread);
        } else {
            thread->cpu = best;
        }
    }
    return settled;
}

// Interrupts are off throughout, or the thread would wait for whoever interrupts us.
void sched_place(struct thread *thread)
{
    irq_state_t irq = arch_irq_save();
    for (bool anywhere = false; !settle(thread, anywhere);)
        anywhere = true;
    arch_irq_restore(irq);
    if (READ_ONCE(thread_current()->need_resched) && arch_irq_enabled())
        sched_preempt();
}

// -- the switch

static void account(struct thread *prev, struct thread *next)
{
    uint64_t now = clock_ns();
    uint64_t ran = now - prev->started_ns;
    prev->cpu_ns += ran;
    if (prev->cpu->idle == prev)
        prev->cpu->idle_ns += ran;
    next->started_ns = now;
    next->switches++;
}

// First thing on the other side of a switch, the queue still locked: deals with the thread that
// has left, and restores the interrupt state of the one that has come.
static void switch_finish(irq_state_t irq)
{
    struct run_queue *queue = this_cpu()->queue;
    struct thread *prev = queue->previous;
    queue->previous = NULL;
    bool gone = prev->state == THREAD_EXITED;
    bool moves =
        prev->state == THREAD_READY && list_empty(&prev->run_link) && prev != prev->cpu->idle;
    queue->lock.lock.irq = arch_irq_save();
    unlock_own_queue();
    if (gone)
        thread_gone(prev);
    if (moves)
        sched_place(prev);
    arch_irq_restore(irq);
}

// The current thread gives up the CPU, in the state it has set; its queue is locked, and unlocked
// on return. A running thread keeps its place before its equals unless its slice is over.
static void switch_away(struct run_queue *queue, bool to_the_back)
{
    struct thread *prev = thread_current();
    irq_state_t irq = queue->lock.lock.irq;
    uint64_t now = clock_ns();
    prev->need_resched = false;
    if (prev->state == THREAD_RUNNING) {
        prev->state = THREAD_READY;
        if (prev != queue->cpu->idle && may_run_on(prev, queue->cpu))
            run_queue_add(queue, prev, !to_the_back && now < queue->slice_end_ns);
    }
    struct thread *next = run_queue_first(queue, queue->cpu);
    if (next)
        run_queue_remove(queue, next);
    else
        next = queue->cpu->idle;
    next->state = THREAD_RUNNING;
    WRITE_ONCE(queue->current_priority, next->priority);
    if (next != prev || to_the_back)
        queue->slice_end_ns = now + SLICE_NS;
    slice_start(queue);
    if (next == prev) {
        unlock_own_queue();
        return;
    }
    account(prev, next);
    queue->previous = prev;
    held_hand_over(prev, next, &queue->lock.lock);
    WRITE_ONCE(queue->lock.lock.holder, next);
    arch_switch(prev, next);
    switch_finish(irq);
}

_Noreturn void thread_start(struct thread *thread)
{
    switch_finish(arch_irq_save());
    arch_irq_enable();
    thread->entry(thread->argument);
    thread_exit();
}

_Noreturn void sched_exit(void)
{
    struct run_queue *queue = lock_own_queue();
    thread_current()->state = THREAD_EXITED;
    switch_away(queue, false);
    panic("a thread that has exited runs again");
}

void thread_yield(void)
{
    held_assert_may_sleep("yield");
    switch_away(lock_own_queue(), true);
}

void sched_preempt(void)
{
    struct thread *thread = thread_current();
    struct cpu *cpu = this_cpu();
    if (!READ_ONCE(thread->need_resched) || thread->preempt_off || cpu->irq_depth ||
        cpu->nmi_depth || !cpu->queue || kd_active())
        return;
    switch_away(lock_own_queue(), false);
}

void preempt_disable(void)
{
    thread_current()->preempt_off++;
    __asm__ volatile("" ::: "memory");
}

void preempt_enable(void)
{
    __asm__ volatile("" ::: "memory");
    struct thread *thread = thread_current();
    ASSERT(thread->preempt_off > 0);
    if (--thread->preempt_off == 0 && READ_ONCE(thread->need_resched) && arch_irq_enabled())
        sched_preempt();
}

// -- blocking and waking

// Calls out the run queue of a thread that may be moving: locks, and looks whether it is still
// the right one.
static struct run_queue *queue_of(struct thread *thread)
{
    return READ_ONCE(thread->cpu)->queue;
}

void sched_block(const bool *woken, const char *what, uint64_t deadline_ns)
{
    held_assert_may_sleep(what);
    struct thread *thread = thread_current();
    bool timed = deadline_ns != UINT64_MAX;
    ASSERT(thread != this_cpu()->idle);
    if (timed) {
        thread->wake_ns = deadline_ns | 1; // 0 will mean that the time is over
        timer_start(&thread->sleep_timer, deadline_ns);
    }
    for (;;) {
        struct run_queue *queue = lock_own_queue();
        if (__atomic_load_n(woken, __ATOMIC_ACQUIRE) || (timed && !thread->wake_ns)) {
            unlock_own_queue();
            break;
        }
        thread->state = THREAD_BLOCKED;
        thread->wait = what;
        switch_away(queue, false);
    }
    if (timed) {
        timer_cancel(&thread->sleep_timer);
        thread->wake_ns = 0;
    }
}

static void wake(struct thread *thread, bool time_over)
{
    irq_state_t irq = arch_irq_save();
    bool ready = false;
    for (bool found = false; !found;) {
        struct run_queue *queue = queue_of(thread);
        WITH (&queue->lock) {
            found = thread->cpu->queue == queue;
            if (found && time_over)
                thread->wake_ns = 0;
            ready = found && thread->state == THREAD_BLOCKED;
            if (ready) {
                thread->state = THREAD_READY;
                thread->wait = NULL;
            }
        }
    }
    if (ready)
        sched_place(thread);
    arch_irq_restore(irq);
    if (READ_ONCE(thread_current()->need_resched) && arch_irq_enabled())
        sched_preempt();
}

void sched_wake(struct thread *thread)
{
    wake(thread, false);
}

static void sleep_over(struct timer *timer)
{
    wake(CONTAINER_OF(timer, struct thread, sleep_timer), true);
}

void thread_sleep_ns(uint64_t ns)
{
    static const bool never;
    sched_block(&never, "sleep", clock_ns() + ns);
}

// -- changing a thread that is somewhere

void thread_set_priority(struct thread *thread, uint8_t priority)
{
    priority = MAX(MIN(priority, PRIORITY_MAX), PRIORITY_IDLE + 1);
    for (bool found = false; !found;) {
        struct run_queue *queue = queue_of(thread);
        WITH (&queue->lock) {
            found = thread->cpu->queue == queue;
            if (!found)
                break;
            bool queued = !list_empty(&thread->run_link);
            if (queued)
                run_queue_remove(queue, thread);
            thread->priority = priority;
            if (queued) {
                run_queue_add(queue, thread, false);
                notify(queue, thread);
            } else if (thread->state == THREAD_RUNNING) {
                WRITE_ONCE(queue->current_priority, priority);
                struct thread *first = run_queue_first(queue, queue->cpu);
                if (first)
                    notify(queue, first);
            }
        }
    }
}

int thread_set_affinity(struct thread *thread, uint64_t affinity)
{
    if (!(affinity & cpu_online_mask()))
        return -EINVAL;
    bool moves = false;
    for (bool found = false; !found;) {
        struct run_queue *queue = queue_of(thread);
        WITH (&queue->lock) {
            found = thread->cpu->queue == queue;
            if (!found)
                break;
            thread->affinity = affinity;
            if (may_run_on(thread, queue->cpu))
                break;
            moves = !list_empty(&thread->run_link);
            if (moves)
                run_queue_remove(queue, thread);
            if (thread->state == THREAD_RUNNING) {
                WRITE_ONCE(thread->need_resched, true);
                if (queue->cpu != this_cpu())
                    kick_later(queue->cpu);
            }
        }
    }
    if (moves)
        sched_place(thread);
    return 0;
}

// -- balancing

// Takes a thread that may run on `to` out of the queue, into the caller's hands.
static struct thread *take_for(struct run_queue *from, struct cpu *to)
{
    struct thread *thread = NULL;
    WITH (&from->lock) {
        thread = run_queue_first(from, to);
        if (thread) {
            run_queue_remove(from, thread);
            thread->cpu = to;
        }
    }
    return thread;
}

static bool pull(struct cpu *to)
{
    CPU_FOR_EACH (cpu) {
        if (cpu == to || !cpu->queue)
            continue;
        // A single thread that waits for an idle CPU is about to run there.
        bool busy = READ_ONCE(cpu->queue->current_priority) != PRIORITY_IDLE;
        if (READ_ONCE(cpu->queue->count) <= !busy)
            continue;
        struct thread *thread = take_for(cpu->queue, to);
        if (!thread)
            continue;
        while (!settle(thread, true))
            ;
        return true;
    }
    return false;
}

static void push(struct run_queue *from)
{
    struct cpu *to = NULL;
    unsigned least = READ_ONCE(from->count);
    CPU_FOR_EACH (cpu) {
        if (!(cpu_online_mask() >> cpu->index & 1) || cpu == from->cpu)
            continue;
        unsigned load = READ_ONCE(cpu->queue->count) + !is_idle(cpu->queue);
        if (load < least) {
            least = load;
            to = cpu;
        }
    }
    struct thread *thread = to ? take_for(from, to) : NULL;
    if (!thread)
        return;
    while (!settle(thread, true))
        ;
}

static void slice_over(struct timer *timer)
{
    struct run_queue *queue = CONTAINER_OF(timer, struct run_queue, slice);
    WITH (&queue->lock) {
        queue->slice_armed = false;
        bool over = clock_ns() >= queue->slice_end_ns;
        bool equals_wait = queue->ready >> queue->current_priority;
        if (over && equals_wait)
            WRITE_ONCE(queue->cpu->current->need_resched, true);
        slice_start(queue);
    }
    push(queue);
}

void sched_ipi(void)
{
    struct run_queue *queue = this_cpu()->queue;
    this_cpu()->ipi_count++;
    if (!queue)
        return;
    WITH (&queue->lock)
        slice_start(queue);
}

// -- idling and setting up

_Noreturn void sched_idle_loop(void)
{
    struct cpu *cpu = this_cpu();
    ASSERT(thread_current() == cpu->idle);
    for (;;) {
        // Interrupts stay off from the check to the halt, which ends at once if one is pending.
        arch_irq_disable();
        if (cpu->queue->count || cpu->idle->need_resched || pull(cpu)) {
            struct run_queue *queue = lock_own_queue();
            switch_away(queue, true);
            arch_irq_enable();
        } else {
            arch_cpu_idle();
        }
    }
}

void sched_cpu_init(struct cpu *cpu)
{
    struct run_queue *queue = &run_queues[cpu->index];
    if (cpu->queue)
        return;
    run_queue_init(queue, cpu);
    timer_init(&queue->slice, slice_over);
    queue->slice.cpu = cpu;
    cpu->idle = sched_boot_thread(cpu);
    queue->current_priority = PRIORITY_IDLE;
    __atomic_store_n(&cpu->queue, queue, __ATOMIC_RELEASE);
}

void sched_thread_init(struct thread *thread)
{
    list_init(&thread->run_link);
    timer_init(&thread->sleep_timer, sleep_over);
}

void sched_init(void)
{
    sched_cpu_init(this_cpu());
    thread_system_init();
}
