// SPDX-License-Identifier: MIT
// The scheduler's inside: run queues, blocking and waking. For kernel/sched and kernel/sync.
//
// Who may touch a thread's scheduling state (state, cpu, priority, affinity, wait, wake_ns and
// run_link): the holder of the run queue lock of thread->cpu. thread->cpu itself changes only under
// the lock of the queue it leaves. A thread that is THREAD_READY but in no queue is on its way to
// thread->cpu, in the hands of whoever took it out; everyone else may change its fields under that
// lock but not move it.
//
// A run queue's lock is held across arch_switch(): taken by the thread that leaves, released by the
// one that comes. So whoever has locked the queue of a blocked thread knows that its registers have
// been saved. No two run queues are ever locked together.
#pragma once

#include "kernel/sched/thread.h"
#include "kernel/sync/lock.h"

#define PRIORITY_COUNT (PRIORITY_MAX + 1)
#define SLICE_NS       (10 * NSEC_PER_MSEC)

struct run_queue {
    SPINLOCK(RANK_RUN_QUEUE) lock;
    struct cpu *cpu;
    uint32_t ready; // bit per priority with a thread waiting
    unsigned count; // threads waiting
    struct list waiting[PRIORITY_COUNT];
    uint8_t current_priority; // of cpu->current: others read it without the lock
    struct thread *previous;  // switched away from, until the next thread has dealt with it
    // A timer runs while anybody waits, and only then (no ticks otherwise).
    struct timer slice;
    bool slice_armed;
    uint64_t slice_end_ns; // from when on equals take turns
};

void run_queue_init(struct run_queue *queue, struct cpu *cpu);
void run_queue_add(struct run_queue *queue, struct thread *thread, bool front);
void run_queue_remove(struct run_queue *queue, struct thread *thread);
// The highest-priority thread that may run on the CPU, or NULL. Stays in the queue.
struct thread *run_queue_first(const struct run_queue *queue, const struct cpu *cpu);

// Blocks the current thread until *woken or, unless it is UINT64_MAX, the deadline. Whoever sets
// *woken calls sched_wake() afterwards; the order makes sure that no wake-up is lost.
void sched_block(const bool *woken, const char *what, uint64_t deadline_ns);
// Makes the thread ready if it is blocked. The caller guarantees that it lives. Any context but
// NMI.
void sched_wake(struct thread *thread);

// Sends what is due to cpu->kick_mask. For the release of spin locks, interrupts off.
void sched_kick(void);

void sched_thread_init(struct thread *thread);
// Gives a new thread, READY and in no queue, to a CPU.
void sched_place(struct thread *thread);
// Never returns; the thread is handed to thread_gone() once its stack is no longer in use.
_Noreturn void sched_exit(void);

// -- thread.c, for the scheduler: the thread has left its CPU for ever. Interrupts off, no lock.
void thread_gone(struct thread *thread);
// Creates the reaper and the cache of threads.
void thread_system_init(void);
