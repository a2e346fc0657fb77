// SPDX-License-Identifier: MIT
// What the files that read a capsule know of each other: capsule.c shares blocks out among
// capsules, capsule_records.c reads the records of each, capsule_join.c makes one machine of them.
#pragma once

#include "symbolizer/capsule.h"
#include "symbolizer/capsule_blocks.h"

// A growing array of rows of one size.
struct sym_capsule_rows {
    void *at;
    size_t count, capacity;
};

struct sym_capsule_part { // of a text, or of the XML of types
    char name[17];
    uint32_t offset;
    size_t order;
    const char *text;
    size_t bytes;
};

struct sym_capsule_private {
    struct sym_capsule_block **blocks; // by number; their memory is the list's
    size_t block_count;
    struct sym_capsule_rows cpus, threads, registers, memory, withheld, parts, texts;
    struct sym_capsule_rows type_parts;
    struct kd_capsule_register_row rows[KD_CAPSULE_ROWS_MAX];
    bool row_there[KD_CAPSULE_ROWS_MAX];
    char *types;
    size_t *by_id; // numbers of `threads`
};

struct sym_capsule_reader {
    struct sym_capsules *out;
    struct sym_capsule *capsule;
    struct sym_capsule_private *own;
    struct sym_capsule_blocks *blocks;
    const struct sym_capsule_block *block; // whose records are being read
    bool failed;                           // no memory
};

// -- capsule.c ------------------------------------------------------------------------------------

// A new row of zeroes at the end; NULL: no memory, and reader->failed.
void *sym_capsule_row_add(struct sym_capsule_reader *reader, struct sym_capsule_rows *rows,
                          size_t row_bytes);
void sym_capsule_lose(struct sym_capsule_reader *reader, size_t line, const char *text);

// -- capsule_records.c ----------------------------------------------------------------------------

void sym_capsule_read_block(struct sym_capsule_reader *reader,
                            const struct sym_capsule_block *block);

// -- capsule_join.c -------------------------------------------------------------------------------

// Reads the blocks of reader->capsule and fills it in.
void sym_capsule_put_together(struct sym_capsule_reader *reader);
struct sym_capsule_thread *sym_capsule_own_thread(const struct sym_capsule_private *own,
                                                  int64_t id);
