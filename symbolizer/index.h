// SPDX-License-Identifier: MIT
// The index of an ELF file: everything that turns an address into functions, inlined calls, lines
// and symbols, in a file that is mapped and searched where it lies. sym_module_open() uses it when
// it is there; `fathom index` builds it. docs/formats-index.md describes the file.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "symbolizer/elf.h"
#include "symbolizer/symbolizer.h"

struct sym_index;

// -- reading --------------------------------------------------------------------------------------

// Whether a file begins like an index, packed or not. A file that cannot be read does not.
bool sym_index_is_one(const char *path);

// Opens an index, packed or not. A file that is damaged is an error that says so, either here or,
// for damage that only a look at everything would find, never worse than a wrong answer.
struct error *sym_index_open(const char *path, struct sym_index **out);
void sym_index_close(struct sym_index *index);

// Whether the index was built from this very file: the same build-id or, when it has none, the same
// size and time of last change. NULL: it was; else an error that says what differs.
struct error *sym_index_match(const struct sym_index *index, const struct sym_elf *elf);

// Reads every byte and compares the checksums.
struct error *sym_index_verify(const struct sym_index *index);

// `path` is of the ELF file the index was built from.
void sym_index_info(const struct sym_index *index, struct sym_module_info *out);

// As the functions of symbolizer.h that these stand behind.
struct error *sym_index_lookup(struct sym_index *index, struct sym_place place,
                               struct sym_result *result);
void sym_index_find(const struct sym_index *index, const char *name, sym_symbol_fn *fn,
                    void *argument);
void sym_index_each_symbol(const struct sym_index *index, sym_symbol_fn *fn, void *argument);
// One more than the largest number of a section in it.
unsigned sym_index_section_count(const struct sym_index *index);
unsigned sym_index_section(const struct sym_index *index, const char *name);
bool sym_index_section_place(const struct sym_index *index, const char *name,
                             struct sym_place *start, uint64_t *bytes);

// -- building -------------------------------------------------------------------------------------

// Where the cache keeps the index of that file: below $XDG_CACHE_HOME/fathom or ~/.cache/fathom,
// named by the build-id or, for a file without one, by its path. To be freed by the caller.
struct error *sym_index_cache_path(const struct sym_elf *elf, char **out);

// Builds the index of `elf`, with the debug information of `debug` (the same file, or the one found
// for it), and puts it in place of `to` in one step. Folders of the path are made.
struct error *sym_index_build(struct sym_elf *elf, struct sym_elf *debug, const char *to);

// The packed form, for shipping: sym_index_open() reads it as well, but not from the page cache.
struct error *sym_index_pack(const struct sym_index *index, const char *to);
