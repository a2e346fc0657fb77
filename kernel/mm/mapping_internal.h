// SPDX-License-Identifier: MIT
// Changing the kernel's page tables: what mapping.c offers to the rest of kernel/mm. The caller
// sees to it that no two change the same 2 MiB at once (vmap.c holds its lock, boot is alone).
#pragma once

#include "kernel/mm/mapping.h"

// Bytes that one entry of a table at `level` covers.
#define LEVEL_BYTES(level) ((uint64_t)1 << (PAGE_SHIFT + 9 * (level)))

// Maps [address, address + bytes) to paddr in the final tables, with blocks of 2 MiB where both
// sides are aligned. 0, or -ENOMEM: then the caller clears what was mapped before memory ran out.
int mapping_set(uintptr_t address, paddr_t paddr, size_t bytes, unsigned access);

// Clears what is mapped in [address, address + bytes), within one 2 MiB. If that leaves a
// last-level table empty, takes it out too and returns it for page_free(); PADDR_NONE otherwise.
// The caller flushes every TLB before it reuses anything.
paddr_t mapping_clear(uintptr_t address, size_t bytes);

// Makes the tables above the last level exist for the range, so that mappings in it never need
// more than last-level tables later.
void mapping_reserve(uintptr_t address, size_t bytes);

// Puts a last-level table in place for the 2 MiB at `address`, also in the place of another. More
// than one such place may share a table.
void mapping_set_table(uintptr_t address, paddr_t table);
// Is there a last-level table or a block for the 2 MiB at `address`?
bool mapping_block_used(uintptr_t address);
// The last-level table of the 2 MiB at `address`, or PADDR_NONE.
paddr_t mapping_table(uintptr_t address);
// A zeroed page for a table, before and after page_init(); PADDR_NONE without memory.
paddr_t mapping_table_new(void);
