// SPDX-License-Identifier: MIT
// A walk over all threads for commands: running or stopped, it copies what is known of one thread
// at a time, so nothing is held while the caller prints.
#pragma once

#include "kernel/sched/thread.h"

extern struct list thread_list; // by all_link, in the order of creation

struct thread_view {
    int64_t id;
    char name[THREAD_NAME_MAX];
    char wait[THREAD_NAME_MAX];
    enum thread_state state;
    uint8_t priority;
    unsigned cpu;
    uint64_t affinity;
    bool timed; // waits with a deadline
    bool idle;  // a CPU's idle thread
    uint64_t cpu_ns, switches;
    struct held_lock held[THREAD_LOCKS_MAX];
    unsigned held_count;
    uintptr_t stack_low, stack_high;
};

// *cursor starts at 0; false at the end. Threads that come and go meanwhile may be missed.
bool thread_walk(int64_t *cursor, struct thread_view *out);

// Copies what the thread's memory says, each pointer checked. False: it makes no sense. The caller
// holds the list's lock or the machine stands still.
bool thread_view(const struct thread *thread, struct thread_view *out);
// May it be what `cpu` executes? Follows no pointer that it has not checked.
bool thread_is_on(const struct thread *thread, const struct cpu *cpu);
const char *thread_state_name(const struct thread_view *view);
