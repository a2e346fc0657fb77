// SPDX-License-Identifier: MIT
// What becomes of a log that was read: the log itself with what was found out beneath its lines, a
// line of JSON for each report, a page of HTML, or groups of reports. Each is a sink for the
// reader.
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "symbolizer/report/disassembly.h"
#include "symbolizer/report/reader.h"
#include "symbolizer/report/source.h"

struct report_show {
    FILE *to;
    bool colour;      // text: the reader is a terminal
    bool flush;       // behind each line
    bool source;      // lines of the source around the place it happened
    bool disassembly; // and the instructions
    struct report_sources *sources;
    const char *log;  // the log's name, for JSON's log_ref and the groups
    unsigned hidden;  // lines of a capsule that were left out since the last line shown
    unsigned reports; // that were written
    struct report_arena scratch;
};

void report_show_deinit(struct report_show *show);

// The text sinks write what is ours as lines that begin with "---  ".
struct report_sink report_text_sink(struct report_show *show);
// docs/panics.md describes the object; its schema is "fathom.panic/1".
struct report_sink report_json_sink(struct report_show *show);
struct report_sink report_html_sink(struct report_show *show);
// A page's head and foot; between them any number of logs.
void report_html_begin(struct report_show *show);
void report_html_end(struct report_show *show);

// -- groups ---------------------------------------------------------------------------------------

struct report_groups;

struct report_groups *report_groups_create(void);
void report_groups_destroy(struct report_groups *groups);
// Counts each report of the log called `name`.
struct report_sink report_groups_sink(struct report_groups *groups, const char *name);
// The largest first, as a table or as a line of JSON each.
void report_groups_write(const struct report_groups *groups, FILE *to, bool json);

// -- for the writers ------------------------------------------------------------------------------

// Did the exception the report is about come here? Then its instructions are shown.
bool report_is_fault(const struct report *report, const struct report_frame *frame);
// Is it that one, or the one the title names? Then its source is shown.
bool report_is_subject(const struct report *report, const struct report_frame *frame);
// What a frame's line says of itself, innermost call first.
struct report_place_text {
    const char *function; // never NULL
    const char *file;     // NULL: not known
    unsigned line, column;
    bool inlined; // into the next one
};
size_t report_place_count(const struct report_frame *frame);
struct report_place_text report_place_text(const struct report_frame *frame, size_t index);
// The instructions to be shown at this frame or line; empty: none.
struct report_listing report_listing_at(struct report_show *show, const struct report_line *line,
                                        const struct report_frame *frame);
// "WARNING in f" and what else is to be said at the end; NULL behind the last.
const char *report_remark(struct report_arena *arena, const struct report *report, unsigned index);
