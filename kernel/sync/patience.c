// SPDX-License-Identifier: MIT
// See patience.h. Called by everything that spins for another CPU, also with interrupts off.
#include "kernel/sync/patience.h"
#include "kernel/time/time.h"

// The clock is looked at once in so many turns; and a virtual CPU that was not scheduled by its
// host for the whole time has made few turns, so it gets a second chance.
#define SPINS_PER_LOOK 4096

static uint64_t forgiven_ns;

void patience_start(struct patience *patience)
{
    patience->since_ns = clock_ns();
    patience->forgiven_ns = __atomic_load_n(&forgiven_ns, __ATOMIC_RELAXED);
    patience->spins = 0;
}

bool patience_over(struct patience *patience)
{
    if (++patience->spins % SPINS_PER_LOOK)
        return false;
    if (!patience->since_ns) {
        patience_start(patience);
        return false;
    }
    uint64_t forgiven = __atomic_load_n(&forgiven_ns, __ATOMIC_RELAXED) - patience->forgiven_ns;
    return clock_ns() - patience->since_ns > PATIENCE_NS + forgiven;
}

// The debugger calls it between planting its breakpoints and letting go.
__debugger_text void patience_forgive(uint64_t stopped_ns)
{
    __atomic_fetch_add(&forgiven_ns, stopped_ns, __ATOMIC_RELAXED);
}
