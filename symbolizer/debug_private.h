// SPDX-License-Identifier: MIT
// What debug.c and die.c share; nobody else includes it.
#pragma once

#include "symbolizer/debug.h"
#include "symbolizer/dwarf_private.h"

// A unit that entries were read of. Tables of abbreviations are shared between units.
struct debug_unit {
    struct debug_unit *next;
    struct dw_context context;
    struct dw_root root;
    uint64_t budget;
    bool damaged;
};

struct debug_table {
    struct debug_table *next;
    struct dw_abbrevs abbrevs;
};

struct sym_debug_private {
    struct sym_dwarf *dwarf;
    struct debug_unit *units;
    struct debug_table *tables;
    size_t unit_count, attribute_count;
    struct sym_unit unit; // the last one whose functions were asked for
    bool unit_read;
    struct sym_symbols symbols;
    unsigned symbols_asked;   // so many times
    struct sym_range *ranges; // for sym_die_covers()
    size_t range_capacity;
};

// The context of a unit; `from` is one that refers to it, or the skeleton of a split one, or NULL.
// NULL: it cannot be read, or the file has more than anybody looks at.
const struct dw_context *debug_unit_at(struct sym_debug *debug, const struct dw_file *file,
                                       const struct dw_header *header,
                                       const struct dw_context *from);

// The entry at an offset of a unit's .debug_info; {0}: there is none, or no unit.
struct sym_die die_at(const struct dw_context *unit, uint64_t offset);
