// SPDX-License-Identifier: MIT
// What `fathom addr2line` is asked, as binutils' command of that name takes it.
#pragma once

#include <stdint.h>

#include "symbolizer/symbolizer.h"

// A number is hexadecimal, with or without 0x, as far as it goes. What does not begin like one, or
// begins with a hexadecimal letter and has a + behind it, is the name of a symbol, mangled or
// readable, perhaps with "+" and an offset in C's notation. 0: neither a number nor a symbol.
uint64_t address_word(struct sym_module *module, const char *word);
