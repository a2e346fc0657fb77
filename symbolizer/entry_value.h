// SPDX-License-Identifier: MIT
// What a register held when a function was entered, as its caller's call site tells (DWARF 5,
// sections 2.5.1.7 and 3.4). Arguments that optimized code has no more use for are described so.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "symbolizer/location.h"

// Of the context's function; `number` is DWARF's. False: the caller does not tell, or what it tells
// by is not known, or it called another function, which went on into this one.
bool sym_entry_value(const struct sym_place_context *context, unsigned number, uint64_t *value);
