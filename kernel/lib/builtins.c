// SPDX-License-Identifier: MIT
// What the compiler calls for __builtin_popcount() and the like on machines that have no
// instruction for it (the names and types are libgcc's). Any context, the debugger's too.
#include "kernel/lib/base.h"

int __popcountdi2(uint64_t x);
int __ctzdi2(uint64_t x);
int __clzdi2(uint64_t x);
uint64_t __bswapdi2(uint64_t x);
uint32_t __bswapsi2(uint32_t x);

// Sums of ever wider fields.
__debugger_text int __popcountdi2(uint64_t x)
{
    x -= (x >> 1) & 0x5555555555555555;
    x = (x & 0x3333333333333333) + ((x >> 2) & 0x3333333333333333);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f;
    return (int)((x * 0x0101010101010101) >> 56);
}

// The ones below the lowest set bit, counted.
__debugger_text int __ctzdi2(uint64_t x)
{
    return __popcountdi2((x & -x) - 1);
}

__debugger_text int __clzdi2(uint64_t x)
{
    int zeros = 64;
    for (unsigned half = 32; half > 0; half /= 2) {
        if (x >> half != 0) {
            x >>= half;
            zeros -= (int)half;
        }
    }
    return zeros - (int)x;
}

__debugger_text uint32_t __bswapsi2(uint32_t x)
{
    x = (x & 0x00ff00ff) << 8 | ((x >> 8) & 0x00ff00ff);
    return x << 16 | x >> 16;
}

__debugger_text uint64_t __bswapdi2(uint64_t x)
{
    return (uint64_t)__bswapsi2((uint32_t)x) << 32 | __bswapsi2((uint32_t)(x >> 32));
}
