// SPDX-License-Identifier: MIT
// Location descriptions (DWARF 5, section 2.6) over a dead machine: where a variable is in a frame,
// and what it holds. What the machine no longer has, or what an expression asks for that nobody
// kept, makes bytes unknown; it is never guessed.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/dead.h"
#include "symbolizer/debug.h"

#define SYM_REGISTERS  128         // DWARF numbers a frame keeps
#define SYM_VALUE_MOST (64u << 10) // bytes of one variable that are looked at

struct sym_unwinder;
struct sym_unwind_frame;

struct sym_registers { // by DWARF number; of 64 bits
    uint64_t value[SYM_REGISTERS];
    bool known[SYM_REGISTERS];
};

// In what surroundings an expression is evaluated.
struct sym_place_context {
    const struct sym_dead *dead;
    struct sym_debug *debug;
    const struct sym_registers *registers;
    uint64_t pc; // as linked; picks the row of a location list
    bool has_cfa;
    uint64_t cfa;
    struct sym_die function; // whose frame base fbreg means; {0}: none
    // Where the frame was called from, for values at the function's entry; NULL: not known.
    const struct sym_unwinder *unwinder;
    const struct sym_unwind_frame *frame;
    unsigned callers;    // how many calls deep such a question is
    unsigned *questions; // how many there were, of all that one frame leads to
};

// What a variable holds, as far as it is known.
struct sym_value {
    uint8_t *bytes;
    uint8_t *known; // 1 for each byte that is
    size_t size;
    bool in_memory; // at `address`
    uint64_t address;
    const char *why; // when nothing is known: a few words on the reason; else NULL
};

// The value of an expression of call frame information, with an address pushed first unless
// `initial` is NULL.
bool sym_evaluate(const struct sym_place_context *context, struct sym_bytes expression,
                  const uint64_t *initial, uint64_t *result);

// The number that an attribute's expression leaves on the stack, or in a register.
bool sym_evaluate_attribute(const struct sym_place_context *context, struct sym_die die,
                            unsigned name, uint64_t *result);

// The value at an attribute of class exprloc or loclist. False: the entry has no such attribute;
// else `out` is filled in, and is to be ended by sym_value_deinit().
bool sym_value_locate(const struct sym_place_context *context, struct sym_die die, unsigned name,
                      size_t size, struct sym_value *out);
// The value at an address.
void sym_value_at(const struct sym_place_context *context, uint64_t address, size_t size,
                  struct sym_value *out);
// A constant of so many bytes.
void sym_value_constant(const void *bytes, size_t count, size_t size, struct sym_value *out);
void sym_value_deinit(struct sym_value *value);
