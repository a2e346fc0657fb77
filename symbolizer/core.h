// SPDX-License-Identifier: MIT
// Writes a dead machine as an ELF core file, for gdb, drgn and every other tool that opens one:
// `gdb kernel.elf core`. Threads are the kernel's; memory is the capsule's and the ELF's read-only
// sections. Called by `fathom decode --core`.
#pragma once

#include "base/error.h"
#include "symbolizer/dead.h"

// Threads without registers are left out: a core has no place for them. A register that the capsule
// does not know is 0 in it, which is why --gdb shows more. docs/post-mortem.md lists the notes.
struct error *sym_core_write(const struct sym_dead *dead, const char *path);
