// SPDX-License-Identifier: MIT
// The kernel's own function symbols, which scripts/ksyms.py puts into the image. Any context,
// the debugger and NMI included; a damaged table gives no answers rather than a fault.
#pragma once

#include "kernel/lib/base.h"

// The function that covers `address`. The name lives for ever. *size is up to the next function
// where the symbol (of assembly) has none. False: no function there. The out-parameters may be
// NULL.
bool ksyms_lookup(uintptr_t address, const char **name, uintptr_t *start, size_t *size);

// The function of that name, or 0. Linear in the number of functions.
uintptr_t ksyms_address(const char *name);
