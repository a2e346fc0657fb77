// SPDX-License-Identifier: MIT
// Memory that is given back all at once: what belongs to the lines and reports being read lives
// until the last of them has been written. Running out of memory ends the program.
#pragma once

#include <stdarg.h>
#include <stddef.h>

struct report_arena {
    struct report_chunk *chunks;
    size_t used;  // of the newest chunk
    size_t total; // bytes asked for since the last reset
};

// Zeroed.
void *report_alloc(struct report_arena *arena, size_t bytes);
char *report_strndup(struct report_arena *arena, const char *text, size_t length);
char *report_printf(struct report_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// Everything allocated is gone; one chunk is kept for the next turn.
void report_arena_reset(struct report_arena *arena);
void report_arena_deinit(struct report_arena *arena);
