// SPDX-License-Identifier: MIT
// The `locks` command: what every thread holds, and where it took it.
#include "kdebug/kdebug.h"
#include "kernel/sched/walk.h"
#include "kernel/shell/command.h"

static void show(struct kd_text *out, const struct thread_view *view, const struct held_lock *held)
{
    kd_text_printf(out, "\"%s\" (rank %u) at 0x%llx held by thread %lld (%s, %s), taken by\n",
                   held->name ? held->name : "?", held->rank,
                   (unsigned long long)(uintptr_t)held->lock, (long long)view->id, view->name,
                   thread_state_name(view));
    for (unsigned i = 0; i < ARRAY_SIZE(held->stack) && held->stack[i]; i++) {
        kd_text_string(out, "    ");
        kd_text_symbol(out, held->stack[i]);
        kd_text_string(out, "\n");
    }
}

// The walk itself holds the thread list's lock when it copies its own thread.
static bool is_walk(const struct thread_view *view, const struct held_lock *held)
{
    return view->id == thread_current()->id && held->rank == RANK_THREAD_LIST;
}

static int locks_run(struct command_call *call)
{
    unsigned count = 0;
    struct thread_view view;
    for (int64_t cursor = 0; thread_walk(&cursor, &view);) {
        for (unsigned i = 0; i < view.held_count; i++) {
            if (!call->stopped && is_walk(&view, &view.held[i]))
                continue;
            show(call->out, &view, &view.held[i]);
            count++;
        }
    }
    kd_text_printf(call->out, "%u held\n", count);
    return 0;
}
COMMAND(locks, "locks", "locks", "locks held by all threads, and where they were taken", locks_run,
        "On a running machine the picture is of no single instant; stopped, it is exact.\n");
