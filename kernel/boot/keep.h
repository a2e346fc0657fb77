// SPDX-License-Identifier: MIT
// Physical memory that stands where it stood before a warm reboot, for the report and capsule of a
// panic, and the command that shows what the last run left there.
#pragma once

#include "kernel/lib/base.h"

// Takes it out of the RAM that allocators get. Boot CPU, after arch_boot_info() and before
// mapping_init(). The same machine with the same RAM always finds the same place.
void keep_reserve(void);
// NULL when the machine has no room. Reading and writing may fault before mapping_init().
void *keep_memory(size_t *bytes);
// Logs that an earlier run panicked.
void keep_tell(void);
