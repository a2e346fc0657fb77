// SPDX-License-Identifier: MIT
// Lookups in a file that has no index: the units an address lies in are read when they are first
// asked for, and kept as far as memory allows. For module.c.
#pragma once

#include "base/error.h"
#include "symbolizer/dwarf.h"
#include "symbolizer/symbolizer.h"

struct sym_lazy;

// `debug` is the file with the debug information and must outlive what is made here.
struct error *sym_lazy_open(struct sym_elf *debug, struct sym_lazy **out);
void sym_lazy_close(struct sym_lazy *lazy);

// Adds the frames at a linear address to a cleared result. Strings live as long as `lazy`.
struct error *sym_lazy_lookup(struct sym_lazy *lazy, uint64_t address, struct sym_result *result);
