// SPDX-License-Identifier: MIT
// The stack canaries of all threads, so that neither the report nor the capsule gives one away.
// Filled once a panic, before anything is printed, by panic.c; takes no lock, allocates nothing.
#include "kdebug/capsule.h"

#include <errno.h>
#include <string.h>

#define SLOTS     8192 // a power of two
#define COUNT_MAX 6144 // so that a free slot is near

// A value stands at the slot of its own bits or the next free one; 0: free.
static uint64_t slots[SLOTS];
static bool complete;

// Where the value is, or would be: canaries are random numbers, but for the lowest byte, which may
// be kept 0.
static uint64_t *slot_of(uint64_t value)
{
    size_t slot = (value >> 8) % SLOTS;
    while (slots[slot] != 0 && slots[slot] != value)
        slot = (slot + 1) % SLOTS;
    return &slots[slot];
}

static int find_all(void *unused)
{
    (void)unused;
    uintptr_t cursor = 0;
    uint64_t value;
    unsigned count = 0;
    while (kd.kernel->canary_next(&cursor, &value) == 0) {
        if (value == 0)
            continue;
        if (count++ == COUNT_MAX)
            return -ENOMEM;
        *slot_of(value) = value;
    }
    return 0;
}

void kd_canaries_find(void)
{
    memset(slots, 0, sizeof(slots));
    complete = kd.kernel->canary_next == NULL || kd_protect(find_all, NULL, NULL) == 0;
}

bool kd_canaries_known(void)
{
    return complete;
}

bool kd_is_canary(uint64_t value)
{
    return value != 0 && *slot_of(value) == value;
}
