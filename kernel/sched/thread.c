// SPDX-License-Identifier: MIT
// The life of threads: creation, the list of all, exit, join, and the reaper that frees detached
// ones. A thread cannot free the stack it stands on: on its last switch the next thread marks it
// `gone`, and from then on whoever joins it, or the reaper, may free it in peace.
#include "kernel/sched/thread.h"

#include <errno.h>
#include <string.h>

#include "kernel/log/log.h"
#include "kernel/mm/kmalloc.h"
#include "kernel/mm/mapping.h"
#include "kernel/panic.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/walk.h"
#include "kernel/sync/held.h"

// Protects the list, and exit against join and detach.
static SPINLOCK(RANK_THREAD_LIST) list_lock = LOCK_INIT("thread list");
struct list thread_list = LIST_INIT(thread_list);

static struct thread boot_threads[CPU_MAX];
static struct slab_cache *thread_cache;
static int64_t last_id;

static struct list dead = LIST_INIT(dead); // detached and gone, by run_link
static struct condition dead_arrived = CONDITION_INIT("dead threads");

// Not secret, but different for each thread and boot, and never zero.
static uint64_t canary_make(const struct thread *thread)
{
    uint64_t mix = arch_counter() ^ (uintptr_t)thread ^ (uint64_t)thread->id << 32;
    mix = (mix ^ mix >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mix = (mix ^ mix >> 27) * UINT64_C(0x94d049bb133111eb);
    return (mix ^ mix >> 31) << 8 | 1 << 16; // a zero byte first: string functions stop there
}

static void thread_init(struct thread *thread, const char *name, uint8_t priority,
                        uint64_t affinity, struct cpu *cpu)
{
    thread->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
    thread->stack_canary = canary_make(thread);
    thread->cpu = cpu;
    thread->priority = priority;
    thread->affinity = affinity;
    strlcpy(thread->name, name, sizeof(thread->name));
    condition_init(&thread->exited, "join");
    sched_thread_init(thread);
}

struct thread *sched_boot_thread(struct cpu *cpu)
{
    extern char __kernel_start[], __kernel_end[];
    struct thread *thread = &boot_threads[cpu->index];
    if (thread->id)
        return thread;
    thread_init(thread, cpu->name, PRIORITY_IDLE, UINT64_C(1) << cpu->index, cpu);
    thread->state = THREAD_RUNNING;
    thread->stack_low = (uintptr_t)__kernel_start; // the boot CPU's stack is in the image
    thread->stack_high = (uintptr_t)__kernel_end;
    if (cpu->boot_stack) {
        thread->stack_high = (uintptr_t)cpu->boot_stack;
        thread->stack_low = thread->stack_high - THREAD_STACK_BYTES;
    }
    // For CPU 0 nothing works yet that a lock needs; and nobody else is there.
    if (cpu == &cpus[0])
        list_push_back(&thread_list, &thread->all_link);
    else WITH (&list_lock)
        list_push_back(&thread_list, &thread->all_link);
    return thread;
}

int thread_create(const char *name, uint8_t priority, uint64_t affinity, void (*entry)(void *),
                  void *argument, struct thread **out)
{
    if (!affinity)
        affinity = UINT64_MAX;
    uint64_t online = cpu_online_mask();
    if (online && !(affinity & online))
        return -EINVAL;
    struct thread *thread = slab_alloc(thread_cache);
    uintptr_t stack = thread ? stack_alloc() : 0;
    if (!stack) {
        if (thread)
            slab_free(thread_cache, thread);
        return -ENOMEM;
    }
    thread_init(thread, name, MAX(MIN(priority, PRIORITY_MAX), PRIORITY_IDLE + 1), affinity,
                this_cpu());
    thread->stack_low = stack;
    thread->stack_high = stack + THREAD_STACK_BYTES;
    thread->entry = entry;
    thread->argument = argument;
    thread->state = THREAD_READY;
    arch_thread_init(thread);
    WITH (&list_lock)
        list_push_back(&thread_list, &thread->all_link);
    *out = thread;
    sched_place(thread);
    return 0;
}

_Noreturn void thread_exit(void)
{
    struct thread *thread = thread_current();
    if (thread->held_count) {
        log_error("\"%s\" was taken by", thread->held[0].name);
        held_log(&thread->held[0]);
        panic("thread %lld (%s) exits with \"%s\" held", (long long)thread->id, thread->name,
              thread->held[0].name);
    }
    ASSERT(thread != this_cpu()->idle && !thread->preempt_off);
    sched_exit();
}

void thread_gone(struct thread *thread)
{
    WITH (&list_lock) {
        thread->gone = true;
        if (thread->detached) {
            list_push_back(&dead, &thread->run_link);
            condition_signal(&dead_arrived);
        } else {
            condition_broadcast(&thread->exited);
        }
    }
}

static void thread_free(struct thread *thread)
{
    WITH (&list_lock)
        list_remove(&thread->all_link);
    stack_free(thread->stack_low);
    slab_free(thread_cache, thread);
}

void thread_join(struct thread *thread)
{
    ASSERT(thread != thread_current());
    WITH (&list_lock) {
        ASSERT(!thread->detached);
        while (!thread->gone)
            condition_wait(&thread->exited, &list_lock);
    }
    thread_free(thread);
}

void thread_detach(struct thread *thread)
{
    WITH (&list_lock) {
        ASSERT(!thread->detached);
        thread->detached = true;
        if (thread->gone) {
            list_push_back(&dead, &thread->run_link);
            condition_signal(&dead_arrived);
        }
    }
}

static void reaper_run(void *unused)
{
    (void)unused;
    for (;;) {
        struct thread *thread = NULL;
        WITH (&list_lock) {
            while (list_empty(&dead))
                condition_wait(&dead_arrived, &list_lock);
            thread = LIST_ENTRY(dead.next, struct thread, run_link);
            list_remove(&thread->run_link);
        }
        thread_free(thread);
    }
}

void thread_system_init(void)
{
    struct thread *reaper;
    thread_cache = slab_cache_create("thread", sizeof(struct thread), _Alignof(struct thread));
    if (!thread_cache || thread_create("reaper", PRIORITY_HIGH, 0, reaper_run, NULL, &reaper) < 0)
        panic("no memory for the first threads");
    thread_detach(reaper);
}

// -- the walk over all threads

bool thread_walk(int64_t *cursor, struct thread_view *out)
{
    bool found = false;
    WITH (&list_lock) {
        const struct thread *thread = NULL;
        while (!found && (thread = thread_next_unlocked(thread)))
            found = thread->id > *cursor && thread_view(thread, out);
    }
    if (found)
        *cursor = out->id;
    return found;
}
