// SPDX-License-Identifier: MIT
// From the lines of a text to unpacked, checked blocks: the lower half of capsule.c's work, which
// alone includes this.
#pragma once

#include "symbolizer/capsule.h"

struct sym_capsule_block {
    uint32_t id;     // of the capsule
    uint32_t number; // in the capsule
    size_t line;     // of the text, where it began
    size_t order;    // among the blocks of the text
    uint8_t *raw;
    size_t bytes;
};

struct sym_capsule_blocks {
    struct sym_capsule_block *at; // in the order of the text; copies are still there
    size_t count, capacity;
    size_t raw_bytes; // of all
    struct sym_capsule_losses losses;
    size_t losses_capacity;
};

struct error *sym_capsule_blocks_read(const char *text, size_t bytes,
                                      struct sym_capsule_blocks *out);
void sym_capsule_blocks_deinit(struct sym_capsule_blocks *blocks);

// Notes a loss; beyond a number of them it only counts.
void sym_capsule_lose_(struct sym_capsule_losses *losses, size_t *capacity, size_t line,
                       const char *format, ...) __attribute__((format(printf, 4, 5)));
