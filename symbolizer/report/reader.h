// SPDX-License-Identifier: MIT
// Reads a log of any size and form, line by line, and finds the reports in it. Lines and reports go
// to a sink in the log's order: a line when everything about it is known, a report behind its last
// line.
//
// While a report is open its lines wait, because what comes later may be needed for what came
// before: the kernel's slide is printed at a panic's very end. A live log does not wait: each line
// goes out at once with what is known by then, which is nearly always all. Several reports may be
// open at the same time if the kernel tells who prints each line. Memory is bounded: reports that
// are longer than any kernel's are cut.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/report/images.h"
#include "symbolizer/report/report.h"

struct report_sink {
    // Either may be NULL. The pointers are valid during the call.
    void (*line)(void *context, const struct report_line *line);
    void (*report)(void *context, const struct report *report);
    void *context;
};

struct report_reader;

struct report_reader *report_reader_create(struct report_images *images,
                                           const struct report_sink *sink, bool live);
void report_reader_feed(struct report_reader *reader, const char *bytes, size_t length);
// Nothing has come for a while: an open report is taken to be over.
void report_reader_idle(struct report_reader *reader);
// The log is at its end, in the middle of a line or not. The reader may be fed with another log.
void report_reader_end(struct report_reader *reader);
void report_reader_destroy(struct report_reader *reader);
