// SPDX-License-Identifier: MIT
// The debug information of one ELF file for the rare jobs: types and the places of variables. It
// stands on the scanner's parts (dwarf_private.h) and reads single entries (die.h) of the few units
// that a question leads to, wherever they are: in the file, in its .dwo or .dwp, in units of types,
// in the file that dwz moved common entries to. frames.h has call frames.
//
// Shared by unwind.c, location.c, locals.c and type_print.c. Addresses are those the file was
// linked for. One thread at a time.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "symbolizer/die.h"
#include "symbolizer/elf.h"
#include "symbolizer/symbols.h"

struct sym_debug {
    struct sym_elf *elf;
    struct sym_debug_private *private_;
};

// `elf` must outlive it. A file without debug information has no functions at any address.
struct error *sym_debug_open(struct sym_elf *elf, struct sym_debug **out);
void sym_debug_close(struct sym_debug *debug);

// The ELF symbol at an address as linked, good until the next such question; NULL: none.
const struct sym_symbol_row *sym_debug_symbol(struct sym_debug *debug, uint64_t address);

// The functions at an address as linked: the function itself, then the calls inlined there, each
// into the one before. None is no error.
#define SYM_DEBUG_CHAIN_MOST 64
struct sym_debug_chain {
    struct sym_die dies[SYM_DEBUG_CHAIN_MOST];
    size_t count;
    // The .dwo that has the functions there and that was not found, as its skeleton names it; NULL:
    // nothing is missing.
    const char *missing;
};
struct error *sym_debug_chain_at(struct sym_debug *debug, uint64_t address,
                                 struct sym_debug_chain *out);
