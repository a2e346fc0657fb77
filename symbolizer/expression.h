// SPDX-License-Identifier: MIT
// Takes DWARF expressions (DWARF 5, sections 2.5 and 7.7.1) apart into operations and operands.
// Called by evaluate.c, which executes them.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "symbolizer/die.h"

struct sym_operation {
    uint8_t atom;           // DW_OP_
    uint64_t a, b;          // operands; a negative one is extended to 64 bits
    struct sym_bytes block; // of one that has a block
};

// Reads the operation at the cursor, which goes over the expression's bytes. False: it is of an
// unknown kind, or cut short, which fails the cursor.
bool sym_operation_read(const struct sym_expression *expression, struct sym_cursor *cursor,
                        struct sym_operation *out);
