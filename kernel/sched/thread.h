// SPDX-License-Identifier: MIT
// Threads: preemptive, on all CPUs, with fixed priorities and round robin among equals.
#pragma once

#include "kernel/arch/context.h"
#include "kernel/cpu/cpu.h"
#include "kernel/lib/base.h"
#include "kernel/lib/list.h"
#include "kernel/sync/lock.h"
#include "kernel/time/time.h"

#define THREAD_NAME_MAX  32
#define PRIORITY_IDLE    0
#define PRIORITY_LOW     8
#define PRIORITY_NORMAL  16
#define PRIORITY_HIGH    24
#define PRIORITY_MAX     31
#define THREAD_LOCKS_MAX 8 // held at once

enum thread_state {
    THREAD_READY,   // on a run queue
    THREAD_RUNNING, // on thread->cpu
    THREAD_BLOCKED, // waiting; thread->wait says for what
    THREAD_EXITED,  // its stack may be freed once it is off the CPU and joined
};

struct held_lock {
    const void *lock;
    const char *name;
    unsigned rank;
    uintptr_t stack[6]; // return addresses when it was taken, 0 ends
};

struct thread {
    // Machines read these four from assembly (build/<arch>/gen/offsets.h has their offsets).
    uint64_t stack_canary;
    struct cpu *cpu;     // where it runs or ran last
    uintptr_t sp;        // while it does not run
    uintptr_t stack_low; // first usable byte; the guard lies below

    uintptr_t stack_high;
    int64_t id;
    char name[THREAD_NAME_MAX];
    enum thread_state state;
    uint8_t priority;
    uint64_t affinity; // bit per CPU
    const char *wait;  // what it waits for: a constant string, or NULL
    uint64_t wake_ns;  // deadline of a timed wait, 0 none
    unsigned preempt_off;
    bool need_resched;
    struct list run_link;
    struct list all_link;
    struct timer sleep_timer;
    void (*entry)(void *);
    void *argument;
    bool detached;
    bool gone; // exited and off its CPU for good: only its memory is left
    struct condition exited;
    uint64_t cpu_ns, switches, started_ns;
    struct held_lock held[THREAD_LOCKS_MAX];
    unsigned held_count;
};

// 0 or -errno. It runs at once, on the CPUs of `affinity` (0: all). The name is copied. Thread
// context.
int thread_create(const char *name, uint8_t priority, uint64_t affinity, void (*entry)(void *),
                  void *argument, struct thread **out);
// Waits for its end and frees it: exactly once for each thread that is not detached.
void thread_join(struct thread *thread);
void thread_detach(struct thread *thread);
_Noreturn void thread_exit(void);

static inline struct thread *thread_current(void)
{
    return arch_current();
}

void thread_yield(void);
void thread_sleep_ns(uint64_t ns);
// Moves the thread at its next switch if it must. -EINVAL: no CPU of the mask is online.
int thread_set_affinity(struct thread *thread, uint64_t affinity);
void thread_set_priority(struct thread *thread, uint8_t priority);

// Nest; the scheduler leaves the thread on the CPU in between. Interrupts stay as they are.
void preempt_disable(void);
void preempt_enable(void);

// -- for the scheduler's neighbours
// The first thread of each CPU: `boot` adopts the running context (becomes the idle thread of
// secondary CPUs). Called before anything else of this header; needs no memory.
struct thread *sched_boot_thread(struct cpu *cpu);
void sched_init(void);                              // boot CPU, once kmalloc works
void sched_cpu_init(struct cpu *cpu);               // each CPU: run queue, idle thread
_Noreturn void sched_idle_loop(void);               // what a CPU does with nothing to do
_Noreturn void thread_start(struct thread *thread); // first C code of a new thread
void sched_ipi(void);                               // IPI_RESCHEDULE arrived
void sched_preempt(void);                           // end of an interrupt: switch if needed

// All threads in the order of creation, without locks, for a stopped machine: *cursor starts at
// NULL. Ends after 4096 or at a link that is not a thread.
const struct thread *thread_next_unlocked(const struct thread *cursor);
