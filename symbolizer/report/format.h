// SPDX-License-Identifier: MIT
// How the panics of a kernel are written: one row of data for each kind of kernel, with the lines
// that begin a report and the parsers of the lines in it. The reader (reader.h) walks the rows in
// order; a new kernel is a new file with a row. Patterns are those of report_match().
#pragma once

#include "symbolizer/report/report.h"

struct report_images;

// What a parser may use. The line is in the parser's hands until it returns.
struct report_parser {
    struct report_arena *arena;
    struct report *report; // NULL only in parsers of lines outside any report
    struct report_line *line;
    struct report_images *images;
};

enum report_verdict {
    REPORT_NOT_OURS, // the next rule may try
    REPORT_PART,
    REPORT_END, // the report's last line, apart from an aftermath
};

struct report_rule {
    const char *pattern;
    enum report_verdict (*parse)(struct report_parser *parser, const struct report_match *match);
};

enum report_beginning_kind {
    REPORT_NEW,     // begins a report even where one is open
    REPORT_JOIN,    // belongs to an open report, begins one where there is none
    REPORT_PENDING, // begins one whose kind a later line tells
};

#define REPORT_ENDS      1u // has a last line; without it the report was cut off
#define REPORT_PLACELESS 2u // asked for rather than happened: the title names no function

struct report_beginning {
    const char *pattern;
    const char *kind;  // NULL: a later line tells it
    const char *words; // of the title; %1 is what the pattern's first * stands for, %2 the second
    enum report_beginning_kind how;
    unsigned flags;   // REPORT_ENDS, REPORT_PLACELESS
    uint16_t machine; // 0: the line does not tell
};

struct report_format {
    const char *name; // also the report's `os` unless a line says otherwise
    const struct report_beginning *beginnings; // ends with {0}
    const struct report_rule *rules;           // ends with {0}
    // Functions that say how a panic is reported rather than where it happened, for title and
    // signature; one that ends in _ stands for all that begin so. Ends with NULL.
    const char *const *skips;
    const char *const *entries; // functions below which the next frame is where an exception came
    bool tells_traps;           // where it tells of none, the kernel called its panic itself
    bool fixed;                 // runs where it was linked for unless a line says otherwise
    unsigned patience;          // foreign lines in a row after which a report is over
};

// Behind a frame of ours that an exception or interrupt left.
#define REPORT_INTERRUPTED " (interrupted)"

extern const struct report_format report_format_fathom, report_format_linux, report_format_freebsd,
    report_format_redox, report_format_zircon;

// -- for parsers ----------------------------------------------------------------------------------

// "symbol+0x12/0x40 [module 0123abcd]", anything behind it left. False: not such a token, and the
// cursor stays.
bool report_token(struct report_parser *parser, struct report_cursor *cursor,
                  struct report_frame *frame);
// A copy of the frame: on the present line, and unless it is `aside` in the present stack.
struct report_frame *report_add_frame(struct report_parser *parser,
                                      const struct report_frame *frame);
// A stack of its own for the frames that follow, unless the present one is still empty and
// untitled.
void report_add_stack(struct report_parser *parser, const char *title);
// The same for a stack that is not what the report is about: the first one stays for that, even
// where it is still empty, until the second function returns to it.
void report_add_side_stack(struct report_parser *parser, const char *title);
void report_return_to_first_stack(struct report_parser *parser);
// The first value of a name stays.
void report_add_register(struct report_parser *parser, struct report_span name, uint64_t value);
// "rax 0123456789abcdef rbx ...", "RAX: 0123456789abcdef RBX: ...", "x1 : 0123...": returns how
// many there were.
unsigned report_add_registers(struct report_parser *parser, struct report_cursor cursor);
// Rules for lines that only have to be known as the report's, or as its last.
enum report_verdict report_part(struct report_parser *parser, const struct report_match *match);
enum report_verdict report_end(struct report_parser *parser, const struct report_match *match);
const char *report_copy(struct report_parser *parser, struct report_span span);
// The words with %1, %2 from the captures, and numbers and addresses in what they stand for
// replaced, since they differ from crash to crash.
const char *report_fill_words(struct report_arena *arena, const char *words,
                              const struct report_match *match);
