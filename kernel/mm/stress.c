// SPDX-License-Identifier: MIT
// For the self-tests of the allocators: the same work on several CPUs at once.
#include "kernel/mm/stress.h"

#include "kernel/sched/thread.h"
#include "kernel/time/time.h"

struct stress_worker {
    bool (*work)(unsigned thread);
    unsigned number;
    bool good;
    struct thread *thread;
};

#define STRESS_NS (300 * NSEC_PER_MSEC)

static uint64_t stress_end_ns;

bool stress_goes_on(unsigned rounds_done)
{
    return rounds_done < STRESS_ROUNDS_MIN || clock_ns() < stress_end_ns;
}

static void stress_thread(void *argument)
{
    struct stress_worker *worker = argument;
    worker->good = worker->work(worker->number);
}

bool stress_run(bool (*work)(unsigned thread))
{
    struct stress_worker workers[STRESS_THREADS];
    unsigned started = 0;
    stress_end_ns = clock_ns() + STRESS_NS;
    for (; started < STRESS_THREADS; started++) {
        struct stress_worker *worker = &workers[started];
        *worker = (struct stress_worker){.work = work, .number = started};
        uint64_t cpu = UINT64_C(1) << started % cpu_count();
        if (thread_create("stress", PRIORITY_NORMAL, cpu & cpu_online_mask(), stress_thread, worker,
                          &worker->thread) < 0)
            break;
    }
    bool good = started == STRESS_THREADS;
    for (unsigned i = 0; i < started; i++) {
        thread_join(workers[i].thread);
        good = good && workers[i].good;
    }
    return good;
}
