// SPDX-License-Identifier: MIT
// Prints a value the way its type says, on one line: numbers, characters, enumerators, pointers
// with the symbol or the string they point to, arrays, structures. Called by locals.c.
#pragma once

#include <stdio.h>

#include "symbolizer/location.h"
#include "symbolizer/types.h"

// What is unknown is printed as <unavailable>, or as the value's reason when nothing is known.
// Nesting, elements and length are bounded; what is left out is shown by "...".
void sym_value_print(const struct sym_place_context *context, struct sym_die type,
                     const struct sym_value *value, FILE *out);
