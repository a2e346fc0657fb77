// SPDX-License-Identifier: MIT
// Reading words and numbers out of a line of text, and patterns with wildcards for the tables of
// formats. A cursor that could not read what was asked for has failed, stays where it is and gives
// zeros and empty spans from then on, so one check at the end is enough.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct report_span {
    const char *at;
    size_t length;
};

struct report_cursor {
    const char *at, *end;
    bool failed;
};

static inline struct report_cursor report_cursor(const char *text, size_t length)
{
    return (struct report_cursor){.at = text, .end = text + length};
}
static inline struct report_cursor report_span_cursor(struct report_span span)
{
    return report_cursor(span.at, span.length);
}
static inline size_t report_left(const struct report_cursor *cursor)
{
    return cursor->failed ? 0 : (size_t)(cursor->end - cursor->at);
}

void report_skip_spaces(struct report_cursor *cursor);
// Passes over the text and returns true, or stays and returns false; does not fail.
bool report_accept(struct report_cursor *cursor, const char *text);
// The same, but the cursor fails where it is not there.
void report_expect(struct report_cursor *cursor, const char *text);
// Hexadecimal digits, at most 16, "0x" before them or not. Fails without a digit or with more.
uint64_t report_hex(struct report_cursor *cursor);
uint64_t report_decimal(struct report_cursor *cursor);
// Up to the next space or the end; empty fails.
struct report_span report_word(struct report_cursor *cursor);
// Up to one of the characters, which is left, or the end; may be empty.
struct report_span report_until(struct report_cursor *cursor, const char *characters);

bool report_span_is(struct report_span span, const char *text);
bool report_span_begins(struct report_span span, const char *text);

#define REPORT_CAPTURES 6
struct report_match {
    struct report_span captures[REPORT_CAPTURES]; // what each * stands for
    struct report_span rest;                      // behind the pattern
};
// Does the text begin like the pattern? A * stands for any run of characters, the shortest that
// what follows it in the pattern allows; at the pattern's end, for the rest.
bool report_match(const char *pattern, struct report_span text, struct report_match *match);
