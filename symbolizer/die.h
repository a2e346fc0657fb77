// SPDX-License-Identifier: MIT
// Single entries of the debug information (DWARF 5, section 2.1: debugging information entries,
// DIEs), held by value: what they say of themselves, or what the entry says that they are a copy of
// or that they complete. Whatever is damaged is as if it were not there. An entry is good until its
// sym_debug is closed. Called by those who read types and variables.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "symbolizer/cursor.h"

struct sym_debug;

struct sym_die { // {0}: none
    const struct dw_context *unit;
    const struct dw_abbrev *abbrev;
    uint64_t offset; // of the unit's file's .debug_info
};

static inline bool sym_die_is(struct sym_die die)
{
    return die.unit;
}

uint32_t sym_die_tag(struct sym_die die);                              // 0: none
const char *sym_die_name(struct sym_debug *debug, struct sym_die die); // NULL: it has none

// Attributes by name; false: there is none, or it is of another kind.
bool sym_die_number(struct sym_debug *debug, struct sym_die die, unsigned name, uint64_t *value);
bool sym_die_flag(struct sym_debug *debug, struct sym_die die, unsigned name);
bool sym_die_address(struct sym_debug *debug, struct sym_die die, unsigned name, uint64_t *value);
bool sym_die_block(struct sym_debug *debug, struct sym_die die, unsigned name,
                   struct sym_bytes *bytes);
// The entry that an attribute refers to.
struct sym_die sym_die_reference(struct sym_debug *debug, struct sym_die die, unsigned name);

// A DWARF expression and what its operands are written in.
struct sym_expression {
    struct sym_bytes bytes;
    struct sym_die die; // one of its unit; {0}: it is of call frame information
    unsigned address_bytes, offset_bytes;
};

enum sym_place_kind {
    SYM_PLACE_NONE, // no such attribute
    SYM_PLACE_GONE, // not at this address
    SYM_PLACE_FOUND,
};

// The expression of an attribute of class exprloc or loclist that holds at an address.
enum sym_place_kind sym_die_place(struct sym_debug *debug, struct sym_die die, unsigned name,
                                  uint64_t address, struct sym_expression *out);
// The entry so far from its unit's beginning, as operands of expressions name types.
struct sym_die sym_die_in_unit(struct sym_die die, uint64_t offset);
// An element of its unit's table of addresses.
bool sym_die_indexed_address(struct sym_die die, uint64_t index, uint64_t *address);

// Calls fn for the children of an entry until it returns false.
typedef bool sym_die_fn(struct sym_debug *debug, struct sym_die child, void *argument);
void sym_die_each_child(struct sym_debug *debug, struct sym_die die, sym_die_fn *fn,
                        void *argument);

// Whether an entry's own ranges hold an address. One without ranges holds none.
bool sym_die_covers(struct sym_debug *debug, struct sym_die die, uint64_t address);
