// SPDX-License-Identifier: MIT
// The logs in tests/data/panics, what is in them, and ways to read them, for the tests of the
// formats. No ELF file is at hand: everything comes from the text.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "symbolizer/report/reader.h"

// `facts`: machine, kind, CPU, task, version, slide, and how many stacks there are and frames in
// the first. `names`: its frames' as far as they matter, ? for one without.
struct expected {
    const char *file, *facts, *title, *names;
};
extern const struct expected report_logs[];
extern const size_t report_log_count;

struct text {
    char *at; // to be freed, and 0 at its end
    size_t length;
};

// The log of that name, without ".log".
struct text report_log(const char *name);
// Reads the text in pieces of so many bytes.
void report_read(struct text text, const struct report_sink *sink, bool live, size_t step);

// What the first reports of a text say, and of the first one how many frames there are.
struct seen {
    char signatures[8][32];
    char titles[8][128];
    bool corrupted[8];
    unsigned count;
    struct {
        unsigned exact, frames;
    } first;
};

struct seen report_look(struct text text);
struct seen report_look_at(const char *words);
