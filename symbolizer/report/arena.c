// SPDX-License-Identifier: MIT
// See arena.h. Chunks in a list, the newest first.
#include "symbolizer/report/arena.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES 65536

struct report_chunk {
    struct report_chunk *next;
    size_t size;
    alignas(max_align_t) char bytes[];
};

static void add_chunk(struct report_arena *arena, size_t bytes)
{
    size_t size = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
    struct report_chunk *chunk = malloc(sizeof(*chunk) + size);
    if (!chunk)
        abort();
    chunk->size = size;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->used = 0;
}

void *report_alloc(struct report_arena *arena, size_t bytes)
{
    bytes = (bytes + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (!arena->chunks || arena->chunks->size - arena->used < bytes)
        add_chunk(arena, bytes);
    void *memory = arena->chunks->bytes + arena->used;
    arena->used += bytes;
    arena->total += bytes;
    return memset(memory, 0, bytes);
}

char *report_strndup(struct report_arena *arena, const char *text, size_t length)
{
    char *copy = report_alloc(arena, length + 1);
    return memcpy(copy, text, length);
}

char *report_printf(struct report_arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text;
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0)
        abort();
    char *copy = report_strndup(arena, text, (size_t)length);
    free(text);
    return copy;
}

void report_arena_reset(struct report_arena *arena)
{
    while (arena->chunks && arena->chunks->next) {
        struct report_chunk *chunk = arena->chunks;
        arena->chunks = chunk->next;
        free(chunk);
    }
    arena->used = arena->total = 0;
}

void report_arena_deinit(struct report_arena *arena)
{
    report_arena_reset(arena);
    free(arena->chunks);
    *arena = (struct report_arena){0};
}
