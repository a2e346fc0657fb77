// SPDX-License-Identifier: MIT
// For the self-tests of the allocators: the same work on several CPUs at once.
#pragma once

#include "kernel/lib/base.h"

#define STRESS_THREADS 4

// Runs `work` in STRESS_THREADS threads, one for each CPU as far as there are so many; true when
// all returned true.
bool stress_run(bool (*work)(unsigned thread));

// Work of this many rounds meets often enough; more of them are made while there is time. (Where
// four emulated CPUs share one real one, a lock may change hands only ten times a second.)
#define STRESS_ROUNDS_MIN 20
bool stress_goes_on(unsigned rounds_done);

// A sequence that is the same in each run; the state must not be 0.
static inline uint32_t stress_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + 1;
    return (uint32_t)(*state >> 33);
}
