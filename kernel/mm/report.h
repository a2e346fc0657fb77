// SPDX-License-Identifier: MIT
// Names of code addresses in the reports of kernel/mm about misused memory.
#pragma once

#include "kernel/lib/base.h"

#define MM_SYMBOL_MAX 80

// "function+0x1c/0x80", or "nobody known" for 0. Returns `to`. Any context.
const char *mm_symbol(char to[MM_SYMBOL_MAX], uintptr_t address);
