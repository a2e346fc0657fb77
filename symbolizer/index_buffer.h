// SPDX-License-Identifier: MIT
// What the index builder collects in: bytes that grow, and pools in which equal things get one
// number. Nothing here fails at once: a buffer that could not grow stays `failed`, and the builder
// asks at the end.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct index_buffer {
    uint8_t *data;
    size_t size, capacity;
    bool failed; // no memory, or 4 GiB: numbers in the file are offsets of 32 bits
};

bool index_buffer_grow(struct index_buffer *buffer, size_t more);
void index_buffer_deinit(struct index_buffer *buffer);

// Room for `bytes` more, which the caller fills; NULL when it failed.
static inline void *index_put(struct index_buffer *buffer, size_t bytes)
{
    if (__builtin_expect(buffer->capacity - buffer->size < bytes, 0) &&
        !index_buffer_grow(buffer, bytes))
        return NULL;
    buffer->size += bytes;
    return buffer->data + buffer->size - bytes;
}

static inline void index_put_bytes(struct index_buffer *buffer, const void *from, size_t bytes)
{
    void *to = index_put(buffer, bytes);
    if (to && bytes)
        memcpy(to, from, bytes);
}

static inline void index_put_uleb(struct index_buffer *buffer, uint64_t value)
{
    if (__builtin_expect(buffer->capacity - buffer->size < 10, 0) && !index_buffer_grow(buffer, 10))
        return;
    uint8_t *to = buffer->data + buffer->size;
    for (; value >= 0x80; value >>= 7)
        *to++ = (uint8_t)(value | 0x80);
    *to++ = (uint8_t)value;
    buffer->size = (size_t)(to - buffer->data);
}

static inline void index_put_signed(struct index_buffer *buffer, int64_t value)
{
    index_put_uleb(buffer, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

// -- pools ----------------------------------------------------------------------------------------

// A table from 64-bit hashes to 32-bit numbers, for things that the caller can compare. Number 0 is
// never given out.
struct index_table {
    struct index_slot {
        uint64_t hash;
        uint32_t number; // 0: the slot is free
    } * slots;
    size_t used, capacity; // a power of two
    bool failed;
};

void index_table_deinit(struct index_table *table);
// Finds the first slot of `hash` for which same(number, argument) holds; a free one when there is
// none, which the caller may fill through index_table_fill(). NULL: no memory.
typedef bool index_same_fn(uint32_t number, const void *argument);
struct index_slot *index_table_find(struct index_table *table, uint64_t hash, index_same_fn *same,
                                    const void *argument);
void index_table_fill(struct index_table *table, struct index_slot *slot, uint64_t hash,
                      uint32_t number);

static inline uint64_t index_mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

// Strings, each once, by their bytes; and by their addresses, since the same string mostly comes
// from the same place.
struct index_strings {
    struct index_buffer bytes; // starts with the empty string
    struct index_table by_bytes;
    struct index_recent {
        const char *string;
        uint32_t offset;
    } * recent;
};

void index_strings_init(struct index_strings *strings);
void index_strings_deinit(struct index_strings *strings);
// The string's offset; 0 for NULL and "". The bytes at `string` must not change.
uint32_t index_string(struct index_strings *strings, const char *string);
