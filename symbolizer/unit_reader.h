// SPDX-License-Identifier: MIT
// Reads all units of a file ahead, in threads, and gives them in their order: for the index
// builder, which has as much to do with a unit as reading it takes.
#pragma once

#include "symbolizer/dwarf.h"

struct unit_reader;

// `parts` as for sym_unit_read(). NULL: no memory.
struct unit_reader *unit_reader_create(struct sym_dwarf *dwarf, unsigned parts);
void unit_reader_destroy(struct unit_reader *reader);

// The next unit, valid until the one after it is asked for; NULL behind the last. *error is what
// sym_unit_read() said of it, for the caller to free, and then the unit holds nothing.
struct sym_unit *unit_reader_next(struct unit_reader *reader, struct error **error);
