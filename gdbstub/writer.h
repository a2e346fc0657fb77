// SPDX-License-Identifier: MIT
// A bounded builder of replies. What does not fit is dropped and remembered, so nobody counts
// bytes by hand. In its windowed mode it keeps only the bytes [offset, offset + length) of what is
// written, escaped as binary data: a document of any size is generated anew for every qXfer
// request and needs no buffer. Used by the packet handlers and by whoever words an error.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gdbstub/gdbstub.h"

struct gdb_writer {
    uint8_t *bytes;
    size_t capacity;
    size_t length; // bytes kept
    bool full;     // something was dropped

    // Windowed mode. `position` counts what was written since gdb_writer_window(); bytes of the
    // window are kept until one of them does not fit, and none after that (a hole would shift the
    // rest); `more` says that gdb has to come again.
    bool windowed;
    bool more;
    uint64_t position;
    uint64_t window_start;
    uint64_t window_end;
};

void gdb_writer_init(struct gdb_writer *writer, void *bytes, size_t capacity);

// From here on only the window is kept, escaped (E.1 "Overview", binary data).
void gdb_writer_window(struct gdb_writer *writer, uint64_t offset, uint64_t length);

// Drops everything written; leaves the windowed mode.
void gdb_writer_reset(struct gdb_writer *writer);

size_t gdb_writer_room(const struct gdb_writer *writer);

void gdb_put_char(struct gdb_writer *writer, char character);
void gdb_put_text(struct gdb_writer *writer, const char *text);
void gdb_put_hex(struct gdb_writer *writer, uint64_t number); // no leading zeros
void gdb_put_decimal(struct gdb_writer *writer, uint64_t number);
void gdb_put_hex_bytes(struct gdb_writer *writer, const void *bytes, size_t count);
// What is not printable ASCII, or means something to the framing (# $ * }), becomes '?'.
void gdb_put_printable(struct gdb_writer *writer, const void *bytes, size_t count);
// Text of an XML attribute or element: < > & " are written as entities, control characters as '?'.
void gdb_put_xml(struct gdb_writer *writer, const char *text);

// Words `error` as "`text` 0x`number`", unless the target already did, and returns `code`.
int gdb_fail_at(struct gdb_error *error, int code, const char *text, uint64_t number);
int gdb_fail(struct gdb_error *error, int code, const char *text);
