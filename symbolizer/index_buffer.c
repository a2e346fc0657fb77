// SPDX-License-Identifier: MIT
// See index_buffer.h.
#include "symbolizer/index_buffer.h"

#define RECENT_COUNT 65536

bool index_buffer_grow(struct index_buffer *buffer, size_t more)
{
    size_t capacity = buffer->capacity ? buffer->capacity + buffer->capacity / 2 : 4096;
    if (capacity < buffer->size + more)
        capacity = buffer->size + more;
    void *grown = buffer->failed || capacity > UINT32_MAX ? NULL : realloc(buffer->data, capacity);
    if (!grown) {
        buffer->failed = true;
        return false;
    }
    buffer->data = grown;
    buffer->capacity = capacity;
    return true;
}

void index_buffer_deinit(struct index_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct index_buffer){0};
}

// -- tables ---------------------------------------------------------------------------------------

void index_table_deinit(struct index_table *table)
{
    free(table->slots);
    *table = (struct index_table){0};
}

static bool table_grow(struct index_table *table)
{
    size_t capacity = table->capacity ? 2 * table->capacity : 1024;
    struct index_slot *slots = calloc(capacity, sizeof(*slots));
    if (!slots) {
        table->failed = true;
        return false;
    }
    for (size_t i = 0; i < table->capacity; i++) {
        if (!table->slots[i].number)
            continue;
        size_t at = table->slots[i].hash & (capacity - 1);
        while (slots[at].number)
            at = (at + 1) & (capacity - 1);
        slots[at] = table->slots[i];
    }
    free(table->slots);
    table->slots = slots;
    table->capacity = capacity;
    return true;
}

struct index_slot *index_table_find(struct index_table *table, uint64_t hash, index_same_fn *same,
                                    const void *argument)
{
    if (2 * (table->used + 1) > table->capacity && !table_grow(table))
        return NULL;
    size_t at = hash & (table->capacity - 1);
    for (; table->slots[at].number; at = (at + 1) & (table->capacity - 1))
        if (table->slots[at].hash == hash && same(table->slots[at].number, argument))
            break;
    return &table->slots[at];
}

void index_table_fill(struct index_table *table, struct index_slot *slot, uint64_t hash,
                      uint32_t number)
{
    *slot = (struct index_slot){hash, number};
    table->used++;
}

// -- strings --------------------------------------------------------------------------------------

void index_strings_init(struct index_strings *strings)
{
    *strings = (struct index_strings){.recent = calloc(RECENT_COUNT, sizeof(*strings->recent))};
    if (!strings->recent)
        strings->bytes.failed = true;
    index_put_bytes(&strings->bytes, "", 1);
}

void index_strings_deinit(struct index_strings *strings)
{
    index_buffer_deinit(&strings->bytes);
    index_table_deinit(&strings->by_bytes);
    free(strings->recent);
}

struct wanted {
    const struct index_strings *strings;
    const char *string;
    size_t bytes; // with the terminator
};

static bool same_string(uint32_t offset, const void *argument)
{
    const struct wanted *wanted = argument;
    const struct index_buffer *bytes = &wanted->strings->bytes;
    return wanted->bytes <= bytes->size - offset &&
           !memcmp(bytes->data + offset, wanted->string, wanted->bytes);
}

static uint64_t hash_bytes(const char *string, size_t bytes)
{
    uint64_t hash = bytes;
    for (; bytes >= 8; bytes -= 8, string += 8) {
        uint64_t word;
        memcpy(&word, string, 8);
        hash = index_mix(hash, word);
    }
    uint64_t word = 0;
    memcpy(&word, string, bytes);
    return index_mix(hash, word);
}

static uint32_t string_by_bytes(struct index_strings *strings, const char *string)
{
    struct wanted wanted = {strings, string, strlen(string) + 1};
    uint64_t hash = hash_bytes(string, wanted.bytes);
    struct index_slot *slot = index_table_find(&strings->by_bytes, hash, same_string, &wanted);
    if (!slot)
        return 0;
    if (!slot->number) {
        uint32_t offset = (uint32_t)strings->bytes.size;
        index_put_bytes(&strings->bytes, string, wanted.bytes);
        if (strings->bytes.failed)
            return 0;
        index_table_fill(&strings->by_bytes, slot, hash, offset);
    }
    return slot->number;
}

uint32_t index_string(struct index_strings *strings, const char *string)
{
    if (!string || !strings->recent)
        return 0;
    uint64_t hash = index_mix(0, (uintptr_t)string);
    struct index_recent *recent = &strings->recent[(hash >> 32) % RECENT_COUNT];
    if (recent->string != string)
        *recent = (struct index_recent){string, string_by_bytes(strings, string)};
    return recent->offset;
}
