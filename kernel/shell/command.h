// SPDX-License-Identifier: MIT
// Commands of the kernel's shell, which are also gdb's `monitor` commands. A command stands beside
// the data it shows and is registered by a row:
//
//     static int mem_run(struct command_call *call) { ... }
//     COMMAND(mem, "mem", "mem", "physical memory and slab caches", mem_run, NULL);
#pragma once

#include "kdebug/text.h"
#include "kernel/lib/base.h"
#include "kernel/lib/table.h"

struct command_call {
    struct kd_text *out;
    int argc;
    char **argv;
    bool stopped; // called from the debugger: nothing may sleep, other CPUs stand still
};

struct command {
    const char *name;
    const char *usage;                     // "crash KIND"
    const char *summary;                   // one line for `help`
    int (*run)(struct command_call *call); // 0 or -errno; it has printed what went wrong
    const char *help;                      // more, for `help NAME`, or NULL
    bool running_only;                     // refused while stopped
};
TABLE_DECLARE(command, struct command);

#define COMMAND(ident, name, usage, summary, run, help)                                            \
    TABLE_ROW(command, struct command, command_##ident) = {name, usage, summary, run, help, false}
#define COMMAND_RUNNING_ONLY(ident, name, usage, summary, run, help)                               \
    TABLE_ROW(command, struct command, command_##ident) = {name, usage, summary, run, help, true}

// Runs one line. 0, the command's own result, -ENOENT when there is no such command (said, with
// the nearest name), -E2BIG for too many words. Any context.
int command_execute(struct kd_text *out, const char *line, bool stopped);
