// SPDX-License-Identifier: MIT
// A scanner of DWARF 2 to 5 over mapped sections: one unit (what was compiled at once) at a time,
// it gives the functions with their inlined calls and the line table, in arrays that are used again
// for the next unit. For the index builder, which reads every unit, and for the lazy lookup, which
// reads those an address lies in. It decides nothing about which answer is best and prints nothing.
//
// Addresses are linear (see elf.h). Ranges and rows that no code of the file lies at, which is what
// linkers leave of functions they dropped, are left out. Split units (.dwo, .dwp) are read in place
// of their skeletons; type units are passed over.
//
// Whatever the file holds, the answer is arrays whose numbers are within their bounds or an error
// that names file, section and offset; reading one unit takes time and memory in proportion to the
// file's size.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "symbolizer/elf.h"

struct sym_dwarf;

#define SYM_NONE UINT32_MAX

struct sym_range {
    uint64_t low, high; // [low, high), never empty
};

// What a function is called and where it was declared, however many copies of it there are.
struct sym_function {
    const char *name;    // DW_AT_name; NULL: not known
    const char *linkage; // DW_AT_linkage_name when it differs, else NULL
    uint32_t file;       // of the declaration, for sym_unit_file(); SYM_NONE: not known
    uint32_t line;       // 0: not known
    uint64_t die;        // the entry that says so: equal for equal functions of one unit
};

// A copy of a function's code: its own, or one inlined at a call.
struct sym_scope {
    uint32_t function; // in `functions`
    uint32_t parent;   // the scope it was inlined into; SYM_NONE: it is a function of its own
    uint32_t first_range, range_count; // in `scope_ranges`; at least one
    // Where the call was, for an inlined one. 0 and SYM_NONE: not known.
    uint32_t call_file, call_line, call_column, call_discriminator;
    uint64_t die; // the offset of its entry in .debug_info (of the .dwo, for a split unit)
};

// What the code from `address` on up to the next row's belongs to.
struct sym_row {
    uint64_t address;
    uint32_t file; // for sym_unit_file(); SYM_NONE: not known
    uint32_t line; // 0: not known, or of no line
    uint32_t column;
    uint32_t discriminator;
};

// Rows whose addresses rise strictly, ended by an address that belongs to none of them. Rows that
// repeat the one before and all but the last of those with one address are left out. Sequences are
// in the order of the file, and may overlap in a file that is not well made.
struct sym_sequence {
    uint64_t low, high; // low is the first row's address
    uint32_t first_row, row_count;
};

enum {
    SYM_UNIT_SCOPES = 1, // functions, scopes and scope_ranges
    SYM_UNIT_LINES = 2,  // rows and sequences
};

// Starts as {0}. Each sym_unit_read() puts other contents in place of the former.
struct sym_unit {
    size_t number;
    const char *name;     // NULL: not known
    const char *comp_dir; // NULL: not known
    uint32_t language;    // DW_LANG_
    uint16_t version;     // of DWARF
    bool split;           // what is here came from a .dwo or .dwp

    const struct sym_range *ranges; // what the unit covers, as it says itself; may be incomplete
    size_t range_count;
    const struct sym_function *functions;
    size_t function_count;
    const struct sym_scope *scopes; // a parent stands before those inlined into it
    size_t scope_count;
    const struct sym_range *scope_ranges;
    size_t scope_range_count;
    const struct sym_row *rows;
    size_t row_count;
    const struct sym_sequence *sequences;
    size_t sequence_count;

    struct sym_unit_storage *storage_;
};

// Finds the units; the sections it needs are decompressed here. A file without .debug_info gives a
// scanner without units. `elf` must outlive it.
struct error *sym_dwarf_open(struct sym_elf *elf, struct sym_dwarf **out);
void sym_dwarf_close(struct sym_dwarf *dwarf);

// Units with code: 0 to count - 1, in the order of the file.
size_t sym_dwarf_unit_count(const struct sym_dwarf *dwarf);

// The size of a unit's entries: how much work a unit is.
uint64_t sym_dwarf_unit_bytes(const struct sym_dwarf *dwarf, size_t number);

// Reads one unit: always what it is called and covers, and the parts asked for. May be called from
// several threads at once, each with a sym_unit of its own. After an error the unit holds nothing.
struct error *sym_unit_read(struct sym_dwarf *dwarf, size_t number, unsigned parts,
                            struct sym_unit *unit);
void sym_unit_deinit(struct sym_unit *unit);

// Gives back the memory that only reading a next unit would use, for a unit that is to be kept.
void sym_unit_trim(struct sym_unit *unit);

// The path of a file, as GNU addr2line prints it: the folder is put before a relative name, and the
// compilation's folder before a relative folder. NULL for SYM_NONE and numbers that the file does
// not explain. The string, like every other in a unit, lives as long as the scanner, and equal
// paths are the same string. Of `unit` it may be called by one thread at a time.
const char *sym_unit_file(struct sym_unit *unit, uint32_t file);

// -- which units an address lies in ---------------------------------------------------------------

// Calls fn for the units that an address may lie in until it returns false: those that
// .debug_aranges names, or when it names none, those whose own ranges say so, or when those say
// nothing, whose line table does. The tables are read when this is first called. From one thread at
// a time.
typedef bool sym_unit_fn(size_t number, void *argument);
struct error *sym_dwarf_units_at(struct sym_dwarf *dwarf, uint64_t address, sym_unit_fn *fn,
                                 void *argument);
