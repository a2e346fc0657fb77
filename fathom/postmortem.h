// SPDX-License-Identifier: MIT
// What `fathom decode` does with the capsule in a log: variables of frames, a core file, a gdb over
// the dead machine.
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "fathom/options.h"

struct postmortem_options {
    bool locals, all_threads;
    const char *core; // NULL: none is written
    unsigned gdb;     // the port; POSTMORTEM_NO_GDB: none
    bool colour;
    const char *const *debug_folders; // for a kernel without debug information; ends with NULL
};

#define POSTMORTEM_NO_GDB 65536

bool postmortem_wanted(const struct postmortem_options *options);

// Standard input, so that it can be read once more; other logs are files already.
struct error *postmortem_keep_input(void);

// `log` is a path, or "-" for standard input from its beginning. Of the ELF files the one with the
// capsule's build-id is used.
struct error *postmortem_run(const struct postmortem_options *options, const char *log,
                             const struct option_list *elfs);
