// SPDX-License-Identifier: MIT
// The machines the OS runs on, as QEMU knows them, and where files of the suite lie. The only place
// where their command lines stand: the tests ask for them with `fathom run --print`.
#pragma once

#include <stddef.h>

#include "base/error.h"

struct machine {
    const char *arch;           // "x86_64"
    const char *qemu;           // the program
    const char *const *options; // its machine and CPU, NULL-terminated
    const char *uart1;          // how a second serial port is added: format with the chardev's name
};

extern const char *const machine_arches[]; // for an option's choices; NULL-terminated

// The machine of that name; NULL names the default: $FATHOM_ARCH, else the host's kind, else
// x86_64.
struct error *machine_find(const char *arch, const struct machine **machine);

// A list of words for exec. Words are copied; the list ends with NULL always.
struct words {
    char **at;
    size_t count;
};
void words_add(struct words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));
void words_free(struct words *words);

// Finds a file of the suite, `in_build` below the build directory the program lies in or ./build,
// `in_share` below PREFIX/share/fathom or the source tree. The result is the caller's to free.
struct error *machine_kernel(const struct machine *machine, char **path);
struct error *machine_gdb_script(char **path);
