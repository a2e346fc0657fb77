// SPDX-License-Identifier: MIT
// What the symbolizer offers: an ELF file is opened as a module, and addresses in it become
// functions, inlined calls, source lines and symbols. Callers are the subcommands of fathom and the
// decoder of panic texts beside this file. Host code; nothing here keeps state outside the structs
// it returns, and one module may be used by one thread at a time.
//
// Files are not trusted: whatever they hold, the answer is a result or an error that names the file
// and what is wrong in it (see error.h).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct sym_module;

// Machines by ELF's numbers (gABI, e_machine): EM_X86_64, EM_AARCH64, EM_RISCV and others.
struct sym_module_info {
    const char *path; // as given, or where the file with the debug information was found
    uint16_t machine; // e_machine
    bool relocatable; // ET_REL: addresses are offsets into a section
    bool big_endian;
    uint8_t address_bytes; // 4 or 8
    const uint8_t *build_id;
    size_t build_id_bytes; // 0: it has none
    bool has_debug;        // there is .debug_info, here or in the index
    bool indexed;          // answers come from an index
    bool mangled;          // there are mangled names in the symbol table
};

// Where an address lies. In a file that is not relocatable `section` is 0 and `address` is the
// virtual address the file was linked for; in one that is, `section` is an ELF section's number and
// `address` the offset in it. An offset without a section is looked up in the first that has code
// there.
struct sym_place {
    unsigned section;
    uint64_t address;
};

struct sym_frame {
    const char *function; // DW_AT_name; NULL: not known
    const char *linkage;  // DW_AT_linkage_name when it differs, else NULL
    const char *file;     // NULL: not known
    uint32_t line;        // 0: not known
    uint32_t column;      // 0: not known
    uint32_t discriminator;
    const char *declared_file; // where the function was declared; NULL: not known
    uint32_t declared_line;
};

struct sym_symbol {
    const char *name; // as the ELF symbol table has it
    struct sym_place place;
    uint64_t size;    // 0: not known
    const char *file; // the source file the symbol table names for it; NULL: none
    bool object;      // names data rather than code
};

// Frames go from the innermost inlined call to the function itself. Strings live as long as the
// module; the array is the result's own and is valid until it is used for another lookup or ended.
struct sym_result {
    // Set by the caller: the symbol is looked for only where no function is known, which is faster.
    bool symbol_in_need;
    const struct sym_frame *frames;
    size_t count;             // 0: nothing is known, perhaps but for the symbol
    struct sym_symbol symbol; // the ELF symbol at the address or the nearest below it, even past
                              // its size; name NULL: none
    struct sym_frame *storage_;
    size_t capacity_;
};

enum sym_index_use {
    SYM_INDEX_IF_THERE, // one in the cache that fits is used, else the file is read lazily
    SYM_INDEX_NEVER,
    SYM_INDEX_ALWAYS, // built and kept in the cache when there is none
};

struct sym_open_options {
    enum sym_index_use index;
    const char *index_path; // an index file to use; NULL: the cache's
    bool find_debug;        // follow .gnu_debuglink, .build-id folders and debuginfod for a file
                            // that has no debug information itself
    const char *const *debug_folders; // searched before /usr/lib/debug; ends with NULL; may be NULL
};

// Opens an ELF file or an index of one. NULL options: an index if there is one, and no search.
struct error *sym_module_open(const char *path, const struct sym_open_options *options,
                              struct sym_module **out);
void sym_module_close(struct sym_module *module);
const struct sym_module_info *sym_module_info(const struct sym_module *module);

// What lies at a place. Nothing known is no error: count is 0. `result` starts as {0} and may be
// used again for further lookups.
struct error *sym_lookup(struct sym_module *module, struct sym_place place,
                         struct sym_result *result);
void sym_result_deinit(struct sym_result *result);

// Calls fn for each ELF symbol of that name (functions and objects) until it returns false.
typedef bool sym_symbol_fn(const struct sym_symbol *symbol, void *argument);
struct error *sym_find(struct sym_module *module, const char *name, sym_symbol_fn *fn,
                       void *argument);
// Every symbol in no order.
struct error *sym_each_symbol(struct sym_module *module, sym_symbol_fn *fn, void *argument);

// The section of that name as a place's `section` number; 0: there is none.
unsigned sym_section(struct sym_module *module, const char *name);
// Where the section of that name begins and how long it is; false: there is none.
bool sym_section_place(struct sym_module *module, const char *name, struct sym_place *start,
                       uint64_t *bytes);

// Bytes of the file's loaded contents (not of .bss). Returns how many there are from `place` on, at
// most `length`; 0 when the file has no contents there (a separate debug file has none).
size_t sym_read(struct sym_module *module, struct sym_place place, void *to, size_t length);

// A readable form of a mangled C++ or Rust name, to be freed by the caller; NULL: it is not
// mangled.
char *sym_demangle(const char *name);
// Whether a name begins like a mangled one.
bool sym_is_mangled(const char *name);
