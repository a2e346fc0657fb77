// SPDX-License-Identifier: MIT
// One line of a log as it came: made printable, and its prefixes told apart from the kernel's own
// words. What a target sends is not trusted: terminal sequences are taken out, other control
// characters and damaged UTF-8 are shown as \xNN, so what remains is always printable UTF-8.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/report/arena.h"
#include "symbolizer/report/cursor.h"

#define REPORT_LINE_MAX 16384 // longer ones are cut in pieces

struct report;
struct report_frame;

struct report_line {
    struct report_line *next;
    const char *text; // printable, without the line's end
    size_t length;
    struct report_span body; // behind the prefixes and spaces: what the formats look at
    const char *caller;      // printk's T123 or C0, or NULL
    const char *host;        // from syslog's prefix, or NULL
    bool has_time, wall;     // wall: seconds since 1970, else since boot
    double time_s;
    uint64_t offset; // in the log
    size_t bytes;    // in the log
    bool damaged;    // bytes that no kernel prints
    // Set by the reader:
    struct report *report;       // the one it belongs to, or NULL
    struct report_frame *frames; // named on it
    bool code;                   // holds the bytes of instructions
    bool capsule;                // a piece of a panic's capsule, which no person reads
};

struct report_line *report_line_make(struct report_arena *arena, const char *bytes, size_t length);
// Printable UTF-8 from anything, as above. *damaged is set where something had to be changed; NULL:
// nobody wants to know.
char *report_printable(struct report_arena *arena, const char *bytes, size_t length, bool *damaged);
// How many bytes at `at` are one printable character in well-formed UTF-8; 0: they are none.
size_t report_utf8_length(const char *at, size_t left);
