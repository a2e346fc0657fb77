// SPDX-License-Identifier: MIT
// Moves the bytes between a machine's serial line, its monitor, a gdb and the terminal, in one loop
// until the machine has ended. Whatever cannot be written at once waits in a queue, so that no side
// can block another. `fathom run` makes the ends and hands them over.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "fathom/splitter.h"
#include "fathom/terminal.h"
#include "fathom/verdict.h"

// A descriptor with what could not be written to it yet. fd -1: closed, what is written is lost.
struct queue {
    int fd;
    uint8_t *bytes;
    size_t length, room;
};

struct relay {
    struct queue line, monitor, gdb, terminal;
    int gdb_listener; // -1: none
    int signals;
    bool input_open; // standard input
    bool to_monitor; // what is typed goes to QEMU's monitor
    struct terminal_keys keys;
    struct splitter splitter;
    struct verdict verdict;
    pid_t qemu;
    int qemu_status;
    bool ended;
    enum exit_status forced;  // EXIT_TIMEOUT or EXIT_INTERRUPTED, else EXIT_DONE
    struct timespec deadline; // of --timeout; tv_sec 0: none
};

// Standard input and output are open, the other ends closed.
void relay_init(struct relay *relay);
// Returns when the machine has ended and all that it said has been passed on.
void relay_serve(struct relay *relay);
// A line of our own for the person at the terminal, apart from what the machine says.
void relay_note(const char *text);
