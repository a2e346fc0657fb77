// SPDX-License-Identifier: MIT
// The variables of a dead machine's frames: what functions, also inlined ones, lie at a frame, and
// what their arguments and locals hold as far as the capsule has it. Called by `fathom decode
// --locals`.
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "symbolizer/dead.h"
#include "symbolizer/debug.h"
#include "symbolizer/unwind.h"

struct sym_local {
    const char *name;
    const char *type;
    const char *value; // of the type's own form, or a reason in angle brackets
    bool argument;
    bool known; // `value` holds something
};

// Functions at a frame go from the innermost inlined call to the function itself.
struct sym_local_scope {
    const char *function; // NULL: not known
    unsigned inlined;     // how many calls are inlined below it: 0 for the innermost
    bool innermost, outermost;
};

typedef void sym_scope_fn(const struct sym_local_scope *scope, void *argument);
typedef void sym_local_fn(const struct sym_local *local, void *argument);

// Calls scope() for each function at the frame and after each of them local() for each variable;
// either may be NULL. No debug information for it is no error: nothing is called, and `missing` is
// the .dwo that has it if that is why (NULL: it is not); it lives as long as `debug`.
struct error *sym_locals_each(const struct sym_dead *dead, struct sym_debug *debug,
                              const struct sym_unwinder *unwinder,
                              const struct sym_unwind_frame *frame, sym_scope_fn *scope,
                              sym_local_fn *local, void *argument, const char **missing);

struct sym_locals_options {
    bool all_threads; // else only those that CPUs executed
    bool colour;
    // Searched, and then /usr/lib/debug, for the debug information of a kernel that has none
    // itself; ends with NULL, and may be NULL.
    const char *const *debug_folders;
};

// Prints each thread's frames with file and line, arguments and locals.
struct error *sym_locals_print(const struct sym_dead *dead,
                               const struct sym_locals_options *options, FILE *out);
