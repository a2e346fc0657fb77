// SPDX-License-Identifier: MIT
// Between the files that build an index: index_build.c reads the ELF file unit by unit and
// collects, index_segments.c says which scope each address belongs to, index_write.c puts the parts
// into a file.
#pragma once

#include "symbolizer/dwarf.h"
#include "symbolizer/elf.h"
#include "symbolizer/index_buffer.h"
#include "symbolizer/index_format.h"

// A stretch of positions that belongs to one node.
struct index_interval {
    uint32_t low, high; // [low, high)
    uint32_t node;
};

struct index_build {
    struct sym_elf *elf, *debug;
    struct index_strings strings;
    struct index_buffer parts[INDEX_PARTS]; // but for INDEX_STRINGS
    uint32_t counts[INDEX_PARTS];

    const struct index_section *sections; // parts[INDEX_SECTIONS]
    size_t section_count;
    size_t section; // where the last position was

    struct index_table functions;
    struct index_table files;           // of paths, by their addresses
    struct index_buffer file_paths;     // const char * of each file number
    struct index_buffer intervals;      // struct index_interval of the present unit, by its scopes
    struct index_buffer pieces;         // the same without overlap, of all units so far
    struct index_buffer stack;          // of index_flatten()
    struct index_buffer unit_files;     // the file number + 1 for each of the unit's; 0: not asked
    struct index_buffer unit_functions; // the function's number + 1, likewise
    struct index_buffer unit_nodes;     // the node of each scope
    bool has_debug, mangled;
};

// Makes `intervals`, of which the later is the inner one where two are alike, into pieces that do
// not overlap, each of the innermost interval; empties `intervals`.
void index_flatten(struct index_build *build);

// Writes all pieces as INDEX_SEGMENTS.
void index_put_segments(struct index_build *build);

// Starts a block of `count` entries in a stream.
void index_block_begin(struct index_build *build, enum index_part_kind blocks, uint32_t first,
                       size_t count);

// Puts the parts into a file of that name, in one step.
struct error *index_write(struct index_build *build, const char *to);
