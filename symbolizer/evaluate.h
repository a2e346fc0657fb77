// SPDX-License-Identifier: MIT
// Executes DWARF expressions (DWARF 5, sections 2.5 and 2.6) on a stack of 64-bit numbers, over a
// dead machine. An evaluation stops at each piece that a location is made of, and at the end; then
// it says where it has come to. Called by location.c.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/expression.h"
#include "symbolizer/location.h"

#define SYM_STACK_MOST 64

enum sym_where { // what is at the end, or in a piece
    SYM_IS_EMPTY,
    SYM_IN_MEMORY, // at the top of the stack
    SYM_IN_REGISTER,
    SYM_IS_VALUE, // the top of the stack
    SYM_IS_BYTES,
};

struct sym_evaluation {
    const struct sym_place_context *context;
    struct sym_expression expression;
    struct sym_cursor cursor;
    uint64_t stack[SYM_STACK_MOST];
    size_t depth;
    unsigned nested, steps;
    enum sym_where kind;
    uint64_t register_number;
    struct sym_bytes bytes;
    uint64_t piece_bytes;
    const char *why; // what stopped it
};

enum sym_evaluation_end { SYM_EVALUATION_FAILED, SYM_EVALUATION_PIECE, SYM_EVALUATION_ENDED };

void sym_evaluation_begin(struct sym_evaluation *evaluation,
                          const struct sym_place_context *context,
                          const struct sym_expression *expression);
bool sym_evaluation_push(struct sym_evaluation *evaluation, uint64_t number);
enum sym_evaluation_end sym_evaluation_run(struct sym_evaluation *evaluation);
// After a piece, before it is run on.
void sym_evaluation_next_piece(struct sym_evaluation *evaluation);
// Runs it to its end; the number it leaves on the stack, or in a register.
bool sym_evaluation_number(struct sym_evaluation *evaluation, uint64_t *number);
