// SPDX-License-Identifier: MIT
// See address_sort.h: a radix sort from the last digit to the first, which passes over the digits
// that are the same in all addresses, as the leading ones of a kernel's are.
#include "fathom/address_sort.h"

#include <stdbool.h>
#include <string.h>

#define DIGIT_BITS 11
#define DIGITS     (1U << DIGIT_BITS)

static uint32_t digit(uint64_t address, unsigned shift)
{
    return (uint32_t)(address >> shift) & (DIGITS - 1);
}

// false: all have the same digit there, and nothing was moved.
static bool distribute(const struct asked_address *from, struct asked_address *to, size_t count,
                       unsigned shift)
{
    size_t places[DIGITS] = {0}, place = 0;

    for (size_t i = 0; i < count; i++)
        places[digit(from[i].address, shift)]++;
    if (places[digit(from[0].address, shift)] == count)
        return false;
    for (size_t i = 0; i < DIGITS; i++) {
        size_t here = places[i];
        places[i] = place;
        place += here;
    }
    for (size_t i = 0; i < count; i++)
        to[places[digit(from[i].address, shift)]++] = from[i];
    return true;
}

void address_sort(struct asked_address *all, struct asked_address *spare, size_t count)
{
    struct asked_address *from = all, *to = spare;

    if (count < 2)
        return;
    for (unsigned shift = 0; shift < 64; shift += DIGIT_BITS) {
        if (!distribute(from, to, count, shift))
            continue;
        struct asked_address *swapped = from;
        from = to;
        to = swapped;
    }
    if (from != all)
        memcpy(all, from, count * sizeof(*all));
}
