// SPDX-License-Identifier: MIT
// The threads as the debugger sees them. Runs while the machine stands still, perhaps in the middle
// of a change to any of these structures, or after they have been overwritten: so every pointer is
// read through kd_mem_copy(), nothing is believed, and the walk is bounded. Not instrumented, no
// locks, no breakpoints here.
#include "kernel/sched/kd_threads.h"

#include <errno.h>
#include <string.h>

#include "kdebug/machine.h"
#include "kernel/sched/walk.h"

#define THREADS_MAX 4096

__debugger_text static bool read_thread(const struct thread *thread, struct thread *copy)
{
    return (uintptr_t)thread % _Alignof(struct thread) == 0 &&
           kd_mem_copy(copy, thread, sizeof(*copy)) == sizeof(*copy);
}

__debugger_text bool thread_is_on(const struct thread *thread, const struct cpu *cpu)
{
    int64_t id;
    const struct cpu *at;
    return (uintptr_t)thread % _Alignof(struct thread) == 0 &&
           kd_mem_copy(&id, &thread->id, sizeof(id)) == sizeof(id) && id > 0 &&
           kd_mem_copy(&at, &thread->cpu, sizeof(at)) == sizeof(at) && at == cpu;
}

// Only the CPU that holds the thread list, or the debugger, walks; the count need not be shared.
__debugger_text const struct thread *thread_next_unlocked(const struct thread *cursor)
{
    static unsigned count;
    const struct list *link = &thread_list;
    if (cursor)
        link = &cursor->all_link;
    else
        count = 0;
    struct list here, there;
    if (++count > THREADS_MAX || kd_mem_copy(&here, link, sizeof(here)) != sizeof(here))
        return NULL;
    if (here.next == &thread_list || (uintptr_t)here.next % sizeof(void *) != 0)
        return NULL;
    if (kd_mem_copy(&there, here.next, sizeof(there)) != sizeof(there))
        return NULL;
    return LIST_ENTRY(here.next, struct thread, all_link);
}

__debugger_text static void copy_string(char *to, size_t size, const char *from)
{
    size_t n = 0;
    while (from && n + 1 < size && kd_mem_copy(to + n, from + n, 1) == 1 && to[n])
        n++;
    to[n] = '\0';
}

__debugger_text bool thread_view(const struct thread *thread, struct thread_view *out)
{
    struct thread copy;
    if (!read_thread(thread, &copy) || copy.id <= 0 || copy.state > THREAD_EXITED ||
        copy.stack_low >= copy.stack_high)
        return false;
    const struct cpu *cpu = copy.cpu;
    if (cpu < cpus || cpu >= cpus + CPU_MAX)
        cpu = &cpus[0];
    memset(out, 0, sizeof(*out));
    out->id = copy.id;
    copy_string(out->name, sizeof(out->name), copy.name);
    if (copy.state == THREAD_BLOCKED)
        copy_string(out->wait, sizeof(out->wait), copy.wait);
    out->state = copy.state;
    out->priority = copy.priority;
    out->cpu = (unsigned)(cpu - cpus);
    out->affinity = copy.affinity;
    out->timed = copy.wake_ns != 0;
    out->idle = cpu->idle == thread;
    out->cpu_ns = copy.cpu_ns;
    if (copy.state == THREAD_RUNNING && cpu->current == thread)
        out->cpu_ns += clock_ns() - copy.started_ns;
    out->switches = copy.switches;
    out->held_count = MIN(copy.held_count, (unsigned)THREAD_LOCKS_MAX);
    memcpy(out->held, copy.held, sizeof(out->held));
    out->stack_low = copy.stack_low;
    out->stack_high = copy.stack_high;
    return true;
}

__debugger_text static enum kd_thread_state kd_state(const struct thread_view *view)
{
    switch (view->state) {
    case THREAD_RUNNING:
        return KD_THREAD_RUNNING;
    case THREAD_BLOCKED:
        return view->timed ? KD_THREAD_SLEEPING : KD_THREAD_BLOCKED;
    case THREAD_EXITED:
        return KD_THREAD_EXITED;
    default:
        return KD_THREAD_READY;
    }
}

__debugger_text int sched_kd_thread_next(uintptr_t *cursor, struct kd_thread *out)
{
    struct thread_view view;
    const struct thread *thread = (const struct thread *)*cursor;
    do {
        thread = thread_next_unlocked(thread);
        if (!thread)
            return -ENOENT;
    } while (!thread_view(thread, &view));
    *cursor = (uintptr_t)thread;
    memset(out, 0, sizeof(*out));
    out->id = view.id;
    copy_string(out->name, sizeof(out->name), view.name);
    copy_string(out->wait, sizeof(out->wait), view.wait);
    out->state = kd_state(&view);
    out->cpu = view.cpu;
    out->priority = view.priority;
    out->stack_low = view.stack_low;
    out->stack_high = view.stack_high;
    out->handle = (uintptr_t)thread;
    return 0;
}

__debugger_text int sched_kd_thread_frame(const struct kd_thread *thread, struct kd_frame *out,
                                          uint64_t *valid)
{
    struct thread copy;
    if (!read_thread((const struct thread *)thread->handle, &copy))
        return -EFAULT;
    return arch_thread_frame(&copy, out, valid);
}

// The cursor: the CPUs' numbers from 1 on, then the threads of the list.
__debugger_text int sched_kd_canary_next(uintptr_t *cursor, uint64_t *value)
{
    while (*cursor < CPU_MAX) {
        const struct thread *thread = cpus[(*cursor)++].current;
        if (kd_mem_copy(value, &thread->stack_canary, sizeof(*value)) == sizeof(*value))
            return 0;
    }
    const struct thread *before = *cursor > CPU_MAX ? (const struct thread *)*cursor : NULL;
    const struct thread *thread = thread_next_unlocked(before);
    if (thread == NULL ||
        kd_mem_copy(value, &thread->stack_canary, sizeof(*value)) != sizeof(*value))
        return -ENOENT;
    *cursor = (uintptr_t)thread;
    return 0;
}

__debugger_text int64_t sched_kd_thread_current(unsigned cpu)
{
    int64_t id = 0;
    if (cpu < CPU_MAX && cpus[cpu].current)
        kd_mem_copy(&id, &cpus[cpu].current->id, sizeof(id));
    return id;
}
