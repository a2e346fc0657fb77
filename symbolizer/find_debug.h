// SPDX-License-Identifier: MIT
// Where the debug information of an ELF file is: in the file itself, or in one of its own that
// distributions keep apart and that is found by build-id or by .gnu_debuglink. Called when a module
// is opened with `find_debug`.
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "symbolizer/elf.h"

// Whether the file has debug information itself: DWARF that is more than a skeleton's absence.
bool sym_has_debug(const struct sym_elf *elf);

// Looks for the file that has, in this order: FOLDER/.build-id/xx/yyyy.debug and FOLDER/PATH/NAME
// for each given folder and then /usr/lib/debug; NAME and .debug/NAME beside the file, NAME being
// what .gnu_debuglink says; debuginfod's servers when DEBUGINFOD_URLS is set. A file found by name
// must have the link's checksum, and any must have the same build-id if both have one: others are
// passed over. `folders` ends with NULL and may be NULL. *out is NULL when there is no such file;
// errors are for the given file, not for candidates.
struct error *sym_find_debug(struct sym_elf *elf, const char *const *folders, struct sym_elf **out);

// The path of the debug file of that build-id, where there is no file to search for: looked for by
// build-id alone, in the same places. To be freed by the caller; NULL: there is none.
char *sym_find_by_build_id(const uint8_t *build_id, size_t bytes, const char *const *folders);
