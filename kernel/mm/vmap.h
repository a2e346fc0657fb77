// SPDX-License-Identifier: MIT
// The area of mapped stacks and device registers, as the start of kernel/mm sees it.
#pragma once

#include "kernel/lib/base.h"
#include "kernel/mm/mapping.h"

// At VMAP_BASE stacks, then devices; each gets one entry of the table that covers 1 GiB, so that
// stacks and device mappings need last-level tables only.
#define VMAP_STACKS_BASE  ((uintptr_t)VMAP_BASE)
#define VMAP_STACKS_BYTES GIB(1)
#define VMAP_DEVICE_BASE  (VMAP_STACKS_BASE + VMAP_STACKS_BYTES)
#define VMAP_DEVICE_BYTES GIB(4)

void vmap_reserve(void); // by mapping_init()
