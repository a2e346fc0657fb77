// SPDX-License-Identifier: MIT
// The debug information of one ELF file through libdwarf, for the rare jobs: types and
// the places of variables (frames.h has call frames). libdwarf never opens the file: it gets the
// sections from elf.h, where they are already mapped, checked and decompressed, so compressions
// that it does not know are no matter, and kept relocations of a linked file are not applied again.
//
// Shared by unwind.c, location.c, locals.c and type_print.c. Addresses are those the file was
// linked for. One thread at a time.
#pragma once

#include <libdwarf/dwarf.h>
#include <libdwarf/libdwarf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "symbolizer/dwarf.h"
#include "symbolizer/elf.h"
#include "symbolizer/symbols.h"

struct sym_debug {
    struct sym_elf *elf;
    Dwarf_Debug dbg;         // NULL: the file has no DWARF
    struct sym_dwarf *units; // which function an address lies in
    struct sym_debug_private *private_;
};

// `elf` must outlive it.
struct error *sym_debug_open(struct sym_elf *elf, struct sym_debug **out);
void sym_debug_close(struct sym_debug *debug);

// An attribute of an entry, also of the one it is an abstract or concrete copy of. 0: there is
// none. Freed by dwarf_dealloc_attribute().
Dwarf_Attribute sym_debug_attribute(struct sym_debug *debug, Dwarf_Die die, Dwarf_Half name);
// The entry that an attribute refers to, with its place in the file for those who look for loops;
// NULL: none. Freed by dwarf_dealloc_die().
Dwarf_Die sym_debug_reference(struct sym_debug *debug, Dwarf_Die die, Dwarf_Half name);
// Its name, or NULL; lives as long as `debug`.
const char *sym_debug_name(struct sym_debug *debug, Dwarf_Die die);
// A constant; false: there is none.
bool sym_debug_unsigned(struct sym_debug *debug, Dwarf_Die die, Dwarf_Half name, uint64_t *value);
bool sym_debug_signed(struct sym_debug *debug, Dwarf_Die die, Dwarf_Half name, int64_t *value);
// What one of libdwarf's dwarf_form*() reads from an attribute, which is freed. False: it is NULL,
// or of another form.
typedef int sym_debug_form_fn(Dwarf_Attribute, Dwarf_Unsigned *, Dwarf_Error *);
bool sym_debug_number(struct sym_debug *debug, Dwarf_Attribute attribute, sym_debug_form_fn *form,
                      uint64_t *out);
bool sym_debug_flag(struct sym_debug *debug, Dwarf_Die die, Dwarf_Half name);
Dwarf_Half sym_debug_tag(Dwarf_Die die); // 0: it has none
uint64_t sym_debug_offset(Dwarf_Die die);

// The ELF symbol at an address as linked; NULL: none. The table is read when this is first asked.
const struct sym_symbol_row *sym_debug_symbol(struct sym_debug *debug, uint64_t address);

// Frees libdwarf's error.
void sym_debug_forget(struct sym_debug *debug, Dwarf_Error error);

// Calls fn for the children of an entry until it returns false.
typedef bool sym_debug_fn(struct sym_debug *debug, Dwarf_Die child, void *argument);
void sym_debug_each_child(struct sym_debug *debug, Dwarf_Die die, sym_debug_fn *fn, void *argument);

// Whether an entry's own ranges hold an address. One without ranges holds none.
bool sym_debug_covers(struct sym_debug *debug, Dwarf_Die die, uint64_t address);

// The functions at an address as linked: the function itself, then the calls inlined there, each
// into the one before; as entries of .debug_info, for dwarf_offdie_b(). None is no error.
#define SYM_DEBUG_CHAIN_MOST 64
struct sym_debug_chain {
    uint64_t dies[SYM_DEBUG_CHAIN_MOST];
    size_t count;
};
struct error *sym_debug_chain_at(struct sym_debug *debug, uint64_t address,
                                 struct sym_debug_chain *out);
// An entry by its place; NULL: there is none. Freed by dwarf_dealloc_die().
Dwarf_Die sym_debug_entry(struct sym_debug *debug, uint64_t offset);
