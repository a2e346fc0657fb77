// SPDX-License-Identifier: MIT
// How long a CPU that spins waits for another one before it calls the machine hung. The time that
// a debugger kept the machine stopped does not count.
#pragma once

#include "kernel/lib/base.h"

#define PATIENCE_NS (10 * NSEC_PER_SEC)

struct patience {
    uint64_t since_ns;    // 0: the clock does not run yet
    uint64_t forgiven_ns; // as of the start
    unsigned spins;
};

void patience_start(struct patience *patience);
// Called in each turn of the loop; true when it has lasted too long. Any context.
bool patience_over(struct patience *patience);
// The machine stood still for so long (struct kdebug_kernel.resumed).
void patience_forgive(uint64_t stopped_ns);
