// SPDX-License-Identifier: MIT
// symbolizer.h without ELF files: a module is a table of symbols and calls in the test itself, so a
// test says what an address is and sees which one it was asked for.
#pragma once

#include "symbolizer/symbolizer.h"

struct fake_symbol {
    const char *name;
    unsigned section;
    uint64_t address, size;
};

// Addresses from low to high belong to a chain of calls, innermost first; empty names end it.
struct fake_range {
    unsigned section;
    uint64_t low, high;
    struct sym_frame calls[4];
};

struct fake_file {
    const char *path;
    struct sym_module_info info;
    const struct fake_symbol *symbols; // ends with {0}
    const struct fake_range *ranges;   // ends with {0}
    struct sym_place text_at;
    const uint8_t *text;
    size_t text_bytes;
};

// The files that sym_module_open() knows; ends with a NULL path.
extern const struct fake_file *fake_files;
