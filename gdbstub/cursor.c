// SPDX-License-Identifier: MIT
// The bounded reader of packet arguments: see cursor.h. Nothing here reads at or behind `end`,
// whatever the packet holds.
#include "gdbstub/cursor.h"

#include <errno.h>
#include <string.h>

#include "gdbstub/writer.h"

int gdb_hex_digit(int character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    if (character >= 'a' && character <= 'f')
        return character - 'a' + 10;
    if (character >= 'A' && character <= 'F')
        return character - 'A' + 10;
    return -1;
}

void gdb_cursor_init(struct gdb_cursor *cursor, const uint8_t *bytes, size_t length)
{
    *cursor = (struct gdb_cursor){.at = bytes, .end = bytes + length};
}

int gdb_cursor_peek(const struct gdb_cursor *cursor)
{
    return cursor->expected || cursor->at == cursor->end ? -1 : *cursor->at;
}

bool gdb_cursor_accept(struct gdb_cursor *cursor, char byte)
{
    if (gdb_cursor_peek(cursor) != (uint8_t)byte)
        return false;
    cursor->at++;
    return true;
}

bool gdb_cursor_accept_text(struct gdb_cursor *cursor, const char *text)
{
    size_t length = strlen(text);

    if (cursor->expected || gdb_cursor_left(cursor) < length)
        return false;
    if (memcmp(cursor->at, text, length) != 0)
        return false;
    cursor->at += length;
    return true;
}

void gdb_cursor_fail(struct gdb_cursor *cursor, const char *what)
{
    if (!cursor->expected)
        cursor->expected = what;
}

void gdb_cursor_expect(struct gdb_cursor *cursor, char byte)
{
    if (!gdb_cursor_accept(cursor, byte))
        gdb_cursor_fail(cursor, "separator");
}

uint64_t gdb_cursor_hex(struct gdb_cursor *cursor, const char *what)
{
    const uint8_t *start = cursor->at;
    uint64_t value = 0;
    int digit;

    while ((digit = gdb_hex_digit(gdb_cursor_peek(cursor))) >= 0) {
        if (value >> 60) {
            gdb_cursor_fail(cursor, "number of 64 bits");
            return 0;
        }
        value = value << 4 | (unsigned)digit;
        cursor->at++;
    }
    if (cursor->at == start) {
        gdb_cursor_fail(cursor, what);
        return 0;
    }
    return value;
}

gdb_thread_t gdb_cursor_thread(struct gdb_cursor *cursor)
{
    if (gdb_cursor_accept_text(cursor, "-1"))
        return GDB_THREAD_ALL;

    uint64_t thread = gdb_cursor_hex(cursor, "thread");
    if (thread > INT64_MAX) {
        gdb_cursor_fail(cursor, "thread");
        return 0;
    }
    return (gdb_thread_t)thread;
}

void gdb_cursor_bytes(struct gdb_cursor *cursor, void *to, size_t count)
{
    uint8_t *bytes = to;

    for (size_t i = 0; i < count; i++) {
        if (cursor->expected)
            return;
        if (gdb_cursor_left(cursor) < 2) {
            gdb_cursor_fail(cursor, "more hex digits");
            return;
        }
        int high = gdb_hex_digit(cursor->at[0]);
        int low = gdb_hex_digit(cursor->at[1]);
        if (high < 0 || low < 0) {
            gdb_cursor_fail(cursor, "hex digit");
            return;
        }
        bytes[i] = (uint8_t)(high << 4 | low);
        cursor->at += 2;
    }
}

void gdb_cursor_skip(struct gdb_cursor *cursor, size_t count)
{
    if (cursor->expected)
        return;
    size_t left = gdb_cursor_left(cursor);
    cursor->at += count < left ? count : left;
}

int gdb_cursor_check(const struct gdb_cursor *cursor, struct gdb_error *error)
{
    struct gdb_writer writer;
    size_t left = gdb_cursor_left(cursor);

    if (!cursor->expected)
        return 0;
    gdb_writer_init(&writer, error->text, sizeof error->text - 1);
    gdb_put_text(&writer, cursor->expected);
    gdb_put_text(&writer, left > 0 ? " expected at '" : " expected at the end");
    if (left > 0) {
        gdb_put_printable(&writer, cursor->at, left < 16 ? left : 16);
        gdb_put_char(&writer, '\'');
    }
    error->text[writer.length] = '\0';
    return -EINVAL;
}

int gdb_cursor_end(struct gdb_cursor *cursor, struct gdb_error *error)
{
    if (gdb_cursor_left(cursor) > 0)
        gdb_cursor_fail(cursor, "end of packet");
    return gdb_cursor_check(cursor, error);
}
