// SPDX-License-Identifier: MIT
// The terminal the console is shown on: raw while the machine runs, as it was when the program
// ends, however it ends. Where standard input or output is no terminal everything here does
// nothing.
#pragma once

#include <stdbool.h>
#include <stdint.h>

void terminal_raw(void);
// Puts the terminal back. Safe in a signal handler, and more than once.
void terminal_restore(void);

// What a key typed behind ^A asks for, as in QEMU.
enum terminal_key {
    TERMINAL_BYTE,    // an ordinary byte, to be passed on
    TERMINAL_NOTHING, // the ^A itself
    TERMINAL_QUIT,    // x
    TERMINAL_BREAK,   // b
    TERMINAL_MONITOR, // c
    TERMINAL_HELP,    // h, ?
};

struct terminal_keys {
    bool escaped; // ^A was typed
};
enum terminal_key terminal_key(struct terminal_keys *keys, uint8_t byte);
extern const char terminal_key_help[];
