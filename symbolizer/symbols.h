// SPDX-License-Identifier: MIT
// The ELF symbol table of a file: what lies at an address, and where a name lies. For modules that
// have no index and for the builder of indexes. .symtab if there is one, else .dynsym. What a name
// at an address means follows binutils, so that the same address has the same name here and there.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "symbolizer/elf.h"
#include "symbolizer/symbolizer.h"

struct sym_symbol_row {
    const char *name; // the file's own bytes
    const char *file; // the source file binutils would name for it (STT_FILE); NULL: none
    uint64_t address; // linear
    uint64_t size;    // 0: not known
    uint32_t section;
    uint32_t number; // in the table
    uint8_t rank;    // among symbols of one address; see sym_symbol_better()
    bool object;     // names data
};

struct sym_symbols {
    struct sym_symbol_row *rows; // by address; of equals the preferred one last
    size_t count;
    uint32_t *by_name; // numbers of rows by name; made by the first search for a name
};

// Reads the table. `symbols` starts as {0}; the names live as long as `elf`.
struct error *sym_symbols_load(struct sym_symbols *symbols, struct sym_elf *elf);
// Whether any name in the table is mangled, without reading the table.
bool sym_symbols_mangled(struct sym_elf *elf);
// Only what sym_symbols_at() needs for that address: without sorting, for who asks once.
struct error *sym_symbols_load_at(struct sym_symbols *symbols, struct sym_elf *elf,
                                  uint64_t address);
void sym_symbols_deinit(struct sym_symbols *symbols);

// The symbol an address belongs to: the nearest one below it in its section, even past its size,
// which is what binutils does. In code only names of code count. NULL: none.
const struct sym_symbol_row *sym_symbols_at(const struct sym_symbols *symbols,
                                            const struct sym_elf *elf, uint64_t address);

// Of two symbols with the same address: whether `row` is a better name for `offset` bytes behind it
// than `best`. Both readers, of a file and of an index, ask this.
bool sym_symbol_better(uint64_t size, uint8_t rank, uint64_t best_size, uint8_t best_rank,
                       uint64_t offset);

struct sym_symbol sym_symbol_of(const struct sym_symbol_row *row, const struct sym_elf *elf);

// See sym_find() and sym_each_symbol().
void sym_symbols_find(struct sym_symbols *symbols, const struct sym_elf *elf, const char *name,
                      sym_symbol_fn *fn, void *argument);
void sym_symbols_each(const struct sym_symbols *symbols, const struct sym_elf *elf,
                      sym_symbol_fn *fn, void *argument);
