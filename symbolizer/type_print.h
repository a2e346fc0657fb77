// SPDX-License-Identifier: MIT
// Prints a value the way its type says, on one line: numbers, characters, enumerators, pointers
// with the symbol or the string they point to, arrays, structures. Called by locals.c.
#pragma once

#include <stdio.h>

#include "symbolizer/location.h"

// The name of a type, as C has it but with the declarator behind: "const struct thread *",
// "char [16]". To be freed by the caller; NULL: no memory. A NULL type is void.
char *sym_type_name(struct sym_debug *debug, Dwarf_Die type);

// The size of a type; false: it is not known (incomplete, or of variable length).
bool sym_type_size(struct sym_debug *debug, Dwarf_Die type, uint64_t *size);

// What is unknown is printed as <unavailable>, or as the value's reason when nothing is known.
// Nesting, elements and length are bounded; what is left out is shown by "...".
void sym_value_print(const struct sym_place_context *context, Dwarf_Die type,
                     const struct sym_value *value, FILE *out);
