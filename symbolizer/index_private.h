// SPDX-License-Identifier: MIT
// An opened index, for the files that read it: index_read.c opens it, index_lookup.c finds what an
// address is, index_symbols.c its symbols. The header and the bounds of the parts are checked when
// it is opened; everything else when it is read, since looking at all of it would cost more than a
// lookup: an offset that points outside gives "not known", a chain of callers only ever leads
// towards the start of its stream, and a block is left when its bytes end. So a damaged index gives
// wrong answers at worst, which sym_index_verify() finds out.
#pragma once

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/cursor.h"
#include "symbolizer/index.h"
#include "symbolizer/index_format.h"

struct index_line {
    uint32_t file, line, column, discriminator;
};

// Where the last lookup stopped reading a stream, for the next one if that lies behind it in the
// same block: addresses often come sorted.
struct index_resting {
    size_t number;     // of the block, plus one; 0: nowhere
    const uint8_t *at; // the first entry not used
    uint64_t left;     // entries from there on
    uint32_t low;      // the position of the last entry used, and what it says
    uint32_t node;
    struct index_line line;
};

struct sym_index {
    char *path;
    struct sym_bytes map;
    const struct index_header *header;
    struct sym_bytes parts[INDEX_PARTS];
    size_t section; // where the last place was
    struct index_resting nodes, lines;
};

static inline struct sym_cursor index_stream(const struct sym_index *index,
                                             enum index_part_kind part, uint64_t offset)
{
    struct sym_cursor cursor = sym_cursor_over(index->parts[part], false);
    sym_cursor_seek(&cursor, offset);
    return cursor;
}

static inline const char *index_string(const struct sym_index *index, uint64_t offset)
{
    struct sym_bytes strings = index->parts[INDEX_STRINGS];
    return offset && offset < strings.size ? (const char *)strings.data + offset : NULL;
}

static inline const struct index_section *index_sections(const struct sym_index *index,
                                                         size_t *count)
{
    *count = index->parts[INDEX_SECTIONS].size / sizeof(struct index_section);
    return (const void *)index->parts[INDEX_SECTIONS].data;
}

// The number of the last block that begins at or before a position, plus one; 0: none does.
static inline size_t index_block_before(const struct sym_index *index, enum index_part_kind blocks,
                                        uint32_t position)
{
    const struct index_block *all = (const void *)index->parts[blocks].data;
    size_t low = 0, count = index->parts[blocks].size / sizeof(*all);
    // Without branches that a processor would guess wrong half of the time.
    while (count) {
        size_t half = count / 2;
        bool before = le32toh(all[low + half].first) <= position;
        low = before ? low + half + 1 : low;
        count = before ? count - half - 1 : half;
    }
    return low;
}

static inline struct sym_cursor index_block_at(const struct sym_index *index,
                                               enum index_part_kind blocks, size_t number,
                                               uint32_t *first, uint64_t *count)
{
    const struct index_block *block =
        (const struct index_block *)(const void *)index->parts[blocks].data + number;
    struct sym_cursor cursor =
        index_stream(index, (enum index_part_kind)(blocks + 1), le32toh(block->offset));
    *first = le32toh(block->first);
    *count = sym_read_uleb(&cursor);
    if (*count > INDEX_BLOCK)
        *count = INDEX_BLOCK;
    return cursor;
}

// The symbol that covers a position of a section; see sym_symbols_at(). Left alone where none does.
void index_find_symbol(const struct sym_index *index, const struct index_section *section,
                       uint32_t position, struct sym_symbol *symbol);
