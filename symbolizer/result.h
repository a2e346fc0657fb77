// SPDX-License-Identifier: MIT
// How a lookup fills its result, for the readers of indexes and of DWARF.
#pragma once

#include <stdlib.h>

#include "symbolizer/symbolizer.h"

static inline void sym_result_clear(struct sym_result *result)
{
    result->count = 0;
    result->frames = result->storage_;
    result->symbol = (struct sym_symbol){0};
}

// One more frame, all unknown, behind those there are; NULL: no memory.
static inline struct sym_frame *sym_result_add(struct sym_result *result)
{
    if (result->count == result->capacity_) {
        size_t capacity = result->capacity_ ? 2 * result->capacity_ : 16;
        struct sym_frame *grown = realloc(result->storage_, capacity * sizeof(*grown));
        if (!grown)
            return NULL;
        result->storage_ = grown;
        result->frames = grown;
        result->capacity_ = capacity;
    }
    result->storage_[result->count] = (struct sym_frame){0};
    return &result->storage_[result->count++];
}
