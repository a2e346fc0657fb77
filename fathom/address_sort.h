// SPDX-License-Identifier: MIT
// Brings addresses into order. Answers to neighbours share what was read for the one before, and
// comparing 100,000 of them would take as long as looking most of them up; so they are distributed
// by their digits instead.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct asked_address {
    uint64_t address;
    uint32_t number; // which it was
};

// Ascending; equal ones keep their order. `spare` has room for `count`, too, and is overwritten.
// Takes no memory and cannot fail.
void address_sort(struct asked_address *all, struct asked_address *spare, size_t count);
