// SPDX-License-Identifier: MIT
// What `fathom addr2line` prints for an address: binutils' formats, byte for byte, and one JSON
// object a line.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/symbolizer.h"

struct address_style {
    bool addresses, functions, inlines, basenames, pretty, demangle, json;
    uint8_t address_bytes; // of the file: 4 or 8
};

struct text {
    char *bytes;
    size_t used, capacity;
};

void text_deinit(struct text *text);
void text_add(struct text *text, const char *bytes, size_t count);

// Appends what is known about `address`.
void address_text(struct text *text, const struct address_style *style, uint64_t address,
                  const struct sym_result *result);
