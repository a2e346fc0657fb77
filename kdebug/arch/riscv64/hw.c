// SPDX-License-Identifier: MIT
// RISC-V triggers belong to machine mode, and the firmware this runs under lends them to nobody: no
// hardware breakpoints, no watchpoints.
#include "kdebug/machine.h"

void kd_hw_init(void)
{
}

unsigned kd_hw_breakpoints(void)
{
    return 0;
}

unsigned kd_hw_watchpoints(void)
{
    return 0;
}

bool kd_hw_shared(void)
{
    return false;
}

bool kd_hw_possible(const struct kd_hw_slot *slot)
{
    (void)slot;
    return false;
}

void kd_hw_load(const struct kd_hw_slot *breakpoints, unsigned breakpoint_count,
                const struct kd_hw_slot *watchpoints, unsigned watchpoint_count)
{
    (void)breakpoints;
    (void)breakpoint_count;
    (void)watchpoints;
    (void)watchpoint_count;
}
