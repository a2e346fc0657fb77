// SPDX-License-Identifier: MIT
// The `spawn` command: threads that do nothing, for trying out (and measuring) what the debugger
// does with many of them.
#include <errno.h>

#include "kernel/sched/thread.h"
#include "kernel/shell/command.h"

#define SPAWN_MAX 2000 // at a time

static void spawned_run(void *unused)
{
    (void)unused;
    for (;;)
        thread_sleep_ns(3600 * NSEC_PER_SEC);
}

static int spawn_run(struct command_call *call)
{
    unsigned count = 0;
    const char *digit = call->argc == 2 ? call->argv[1] : "";
    for (; *digit >= '0' && *digit <= '9' && count <= SPAWN_MAX; digit++)
        count = 10 * count + (unsigned)(*digit - '0');
    if (*digit || count == 0 || count > SPAWN_MAX) {
        kd_text_printf(call->out, "spawn COUNT, which is 1 to %d\n", SPAWN_MAX);
        return -EINVAL;
    }
    for (unsigned i = 0; i < count; i++) {
        struct thread *thread;
        int status = thread_create("spawned", PRIORITY_LOW, 0, spawned_run, NULL, &thread);
        if (status < 0) {
            kd_text_printf(call->out, "no memory after %u threads\n", i);
            return status;
        }
        thread_detach(thread);
    }
    return 0;
}

COMMAND_RUNNING_ONLY(spawn, "spawn", "spawn COUNT", "start threads that only sleep", spawn_run,
                     "They stay. A debugger has something to list then.\n");
