// SPDX-License-Identifier: MIT
// What gcc 12 calls for atomic operations on bytes, which this machine has no instructions for: the
// names and types are libatomic's. Any context, the debugger's too.
#include "kernel/lib/base.h"

bool __atomic_compare_exchange_1(volatile void *object, void *expected, uint8_t desired, bool weak,
                                 int success, int failure);

// On the word around the byte. A neighbour that changes in between costs another round.
__debugger_text bool __atomic_compare_exchange_1(volatile void *object, void *expected,
                                                 uint8_t desired, bool weak, int success,
                                                 int failure)
{
    (void)weak, (void)success, (void)failure;
    uintptr_t address = (uintptr_t)object;
    volatile uint32_t *word = (volatile uint32_t *)ALIGN_DOWN(address, 4);
    unsigned shift = address % 4 * 8;
    uint32_t mask = UINT32_C(0xff) << shift;
    uint32_t before = __atomic_load_n(word, __ATOMIC_RELAXED);
    uint32_t after;
    do {
        uint8_t found = (uint8_t)(before >> shift);
        if (found != *(uint8_t *)expected) {
            *(uint8_t *)expected = found;
            return false;
        }
        after = (before & ~mask) | (uint32_t)desired << shift;
    } while (!__atomic_compare_exchange_n(word, &before, after, false, __ATOMIC_SEQ_CST,
                                          __ATOMIC_SEQ_CST));
    return true;
}
