// SPDX-License-Identifier: MIT
// What a type is called and how large it is. Called by locals.c and type_print.c.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/debug.h"

// The name of a type, as C has it but with the declarator behind: "const struct thread *",
// "char [16]". To be freed by the caller; NULL: no memory. No type, {0}, is void.
char *sym_type_name(struct sym_debug *debug, struct sym_die type);

// The type behind names and qualifiers; {0} is void.
struct sym_die sym_type_strip(struct sym_debug *debug, struct sym_die type);

// The size of a type; false: it is not known (incomplete, or of variable length).
bool sym_type_size(struct sym_debug *debug, struct sym_die type, uint64_t *size);

#define SYM_DIMENSIONS_MOST 8
struct sym_dimensions {
    uint64_t counts[SYM_DIMENSIONS_MOST];
    size_t count;
    bool known;
};

// How many elements an array has; false: it is not known.
bool sym_type_dimensions(struct sym_debug *debug, struct sym_die array, struct sym_dimensions *out);
