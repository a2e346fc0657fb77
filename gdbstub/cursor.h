// SPDX-License-Identifier: MIT
// A bounded reader for the arguments of a packet. It remembers its first error: after that every
// call returns 0 and moves nothing, so a handler parses all its arguments in a straight line and
// asks once, with gdb_cursor_end(), whether they were right. Used by the packet handlers only.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gdbstub/gdbstub.h"

struct gdb_cursor {
    const uint8_t *at;
    const uint8_t *end;
    const char *expected; // what was missing at `at`; NULL: no error yet
};

void gdb_cursor_init(struct gdb_cursor *cursor, const uint8_t *bytes, size_t length);

static inline size_t gdb_cursor_left(const struct gdb_cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}

// The next byte without taking it, or -1 at the end.
int gdb_cursor_peek(const struct gdb_cursor *cursor);

// Takes `byte` if it is next. No error if it is not.
bool gdb_cursor_accept(struct gdb_cursor *cursor, char byte);

// Takes `text` if it is next. No error if it is not.
bool gdb_cursor_accept_text(struct gdb_cursor *cursor, const char *text);

// Takes `byte`; an error if it is not next.
void gdb_cursor_expect(struct gdb_cursor *cursor, char byte);

// One or more hex digits, big-endian, 64 bits at most (leading zeros are free). `what` names the
// argument in the error.
uint64_t gdb_cursor_hex(struct gdb_cursor *cursor, const char *what);

// A thread: hex, or -1 for all.
gdb_thread_t gdb_cursor_thread(struct gdb_cursor *cursor);

// Exactly `count` bytes as pairs of hex digits. `to` may be the place they are read from.
void gdb_cursor_bytes(struct gdb_cursor *cursor, void *to, size_t count);

// Moves on by `count` bytes, at most to the end.
void gdb_cursor_skip(struct gdb_cursor *cursor, size_t count);

// Makes "`what` expected" the error, unless there is one.
void gdb_cursor_fail(struct gdb_cursor *cursor, const char *what);

// 0 if everything was as asked and nothing is left, else -EINVAL with the argument named in
// `error`.
int gdb_cursor_end(struct gdb_cursor *cursor, struct gdb_error *error);

// The same, with more to come.
int gdb_cursor_check(const struct gdb_cursor *cursor, struct gdb_error *error);

// The value of a hex digit, or -1.
int gdb_hex_digit(int character);
