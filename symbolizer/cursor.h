// SPDX-License-Identifier: MIT
// Reading a file's bytes in its own byte order, for the readers of ELF and DWARF. A cursor stays
// within its bounds whatever the input asks for: past them every read gives 0, nothing moves on,
// and the place of the first bad read is remembered, so that a reader checks once at the end of a
// row.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sym_bytes {
    const uint8_t *data;
    size_t size;
};

struct sym_cursor {
    const uint8_t *at, *end;
    const uint8_t *base;      // offsets in messages are counted from here
    bool failed;              // a read did not fit
    bool swap;                // the file's byte order is not this machine's
    const uint8_t *failed_at; // where the first such read was
};

static inline struct sym_cursor sym_cursor_over(struct sym_bytes bytes, bool swap)
{
    return (struct sym_cursor){bytes.data, bytes.data + bytes.size, bytes.data, false, swap, NULL};
}

// Nothing can be read any more.
static inline void sym_cursor_fail(struct sym_cursor *cursor)
{
    if (!cursor->failed)
        cursor->failed_at = cursor->at;
    cursor->failed = true;
    cursor->at = cursor->end;
}

static inline size_t sym_cursor_left(const struct sym_cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}

static inline uint64_t sym_cursor_offset(const struct sym_cursor *cursor)
{
    return (uint64_t)((cursor->failed ? cursor->failed_at : cursor->at) - cursor->base);
}

static inline bool sym_cursor_has(struct sym_cursor *cursor, uint64_t bytes)
{
    if (__builtin_expect(bytes <= sym_cursor_left(cursor), 1))
        return true;
    sym_cursor_fail(cursor);
    return false;
}

static inline void sym_cursor_skip(struct sym_cursor *cursor, uint64_t bytes)
{
    if (sym_cursor_has(cursor, bytes))
        cursor->at += bytes;
}

// To an offset from `base`.
static inline void sym_cursor_seek(struct sym_cursor *cursor, uint64_t offset)
{
    if (offset <= (uint64_t)(cursor->end - cursor->base))
        cursor->at = cursor->base + offset;
    else
        sym_cursor_fail(cursor);
}

static inline uint16_t sym_load_u16(const uint8_t *from, bool swap)
{
    uint16_t value;
    memcpy(&value, from, sizeof(value));
    return swap ? __builtin_bswap16(value) : value;
}

static inline uint32_t sym_load_u32(const uint8_t *from, bool swap)
{
    uint32_t value;
    memcpy(&value, from, sizeof(value));
    return swap ? __builtin_bswap32(value) : value;
}

static inline uint64_t sym_load_u64(const uint8_t *from, bool swap)
{
    uint64_t value;
    memcpy(&value, from, sizeof(value));
    return swap ? __builtin_bswap64(value) : value;
}

static inline uint8_t sym_read_u8(struct sym_cursor *cursor)
{
    return sym_cursor_has(cursor, 1) ? *cursor->at++ : 0;
}

static inline uint16_t sym_read_u16(struct sym_cursor *cursor)
{
    if (!sym_cursor_has(cursor, 2))
        return 0;
    cursor->at += 2;
    return sym_load_u16(cursor->at - 2, cursor->swap);
}

static inline uint32_t sym_read_u32(struct sym_cursor *cursor)
{
    if (!sym_cursor_has(cursor, 4))
        return 0;
    cursor->at += 4;
    return sym_load_u32(cursor->at - 4, cursor->swap);
}

static inline uint64_t sym_read_u64(struct sym_cursor *cursor)
{
    if (!sym_cursor_has(cursor, 8))
        return 0;
    cursor->at += 8;
    return sym_load_u64(cursor->at - 8, cursor->swap);
}

// An unsigned number of 1 to 8 bytes.
static inline uint64_t sym_read_unsigned(struct sym_cursor *cursor, unsigned bytes)
{
    switch (bytes) {
    case 1:
        return sym_read_u8(cursor);
    case 2:
        return sym_read_u16(cursor);
    case 4:
        return sym_read_u32(cursor);
    case 8:
        return sym_read_u64(cursor);
    default:
        break;
    }
    if (bytes > 8 || !sym_cursor_has(cursor, bytes))
        return 0;
    uint64_t value = 0;
    bool big = cursor->swap != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)cursor->at[i] << 8 * (big ? bytes - 1 - i : i);
    cursor->at += bytes;
    return value;
}

// LEB128. Bits past the 64th are dropped, as other readers do.
static inline uint64_t sym_read_uleb(struct sym_cursor *cursor)
{
    if (__builtin_expect(cursor->at < cursor->end && *cursor->at < 0x80, 1))
        return *cursor->at++;
    uint64_t value = 0;
    for (unsigned shift = 0; sym_cursor_has(cursor, 1); shift += 7) {
        uint8_t byte = *cursor->at++;
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    return 0;
}

static inline int64_t sym_read_sleb(struct sym_cursor *cursor)
{
    uint64_t value = 0;
    for (unsigned shift = 0; sym_cursor_has(cursor, 1);) {
        uint8_t byte = *cursor->at++;
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
        if (byte < 0x80) {
            if (shift < 64 && (byte & 0x40))
                value |= ~UINT64_C(0) << shift;
            return (int64_t)value;
        }
    }
    return 0;
}

// A string with its terminator inside the bounds; "" when there is none.
static inline const char *sym_read_string(struct sym_cursor *cursor)
{
    const uint8_t *end = memchr(cursor->at, 0, sym_cursor_left(cursor));
    if (!end) {
        sym_cursor_fail(cursor);
        return "";
    }
    const char *string = (const char *)cursor->at;
    cursor->at = end + 1;
    return string;
}
