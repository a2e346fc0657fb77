// SPDX-License-Identifier: MIT
// The clock: the machine's counter scaled to nanoseconds, and busy-waiting by it. Works in any
// context, also in the debugger, so it stands in the debugger's text and is not instrumented.
//
// ns = (counter - base) * mult / 2^32, with a 128-bit product: no overflow in the machine's life.
// mult is rounded down, so the clock is slow by less than one part in 2^31 for counters below
// 2 GHz, and equally on all CPUs.
#include "kernel/arch/cpu.h"
#include "kernel/time/time.h"

static uint64_t base;
static uint64_t mult;    // ns per tick, 32.32; 0 before time_init()
static uint64_t inverse; // ticks per ns, 32.32

__debugger_text static uint64_t scale(uint64_t value, uint64_t by)
{
    return (uint64_t)((unsigned __int128)value * by >> 32);
}

__debugger_text uint64_t clock_ns(void)
{
    return mult ? scale(arch_counter() - base, mult) : 0;
}

// Never early: the counter value at which clock_ns() is at least `ns`.
uint64_t clock_to_counter(uint64_t ns)
{
    if (ns == UINT64_MAX)
        return UINT64_MAX;
    uint64_t ticks = scale(ns, inverse) + 1;
    uint64_t reached = scale(ticks, mult);
    if (reached < ns)
        ticks += scale(ns - reached, inverse) + 1;
    return base + ticks < ticks ? UINT64_MAX : base + ticks;
}

__debugger_text void delay_us(uint64_t us)
{
    uint64_t end = clock_ns() + us * NSEC_PER_USEC;
    while (clock_ns() < end)
        arch_cpu_relax();
}

void time_init(void)
{
    uint64_t hz = arch_counter_hz();
    base = arch_counter();
    inverse = (hz / NSEC_PER_SEC << 32) + (hz % NSEC_PER_SEC << 32) / NSEC_PER_SEC;
    __atomic_store_n(&mult, (NSEC_PER_SEC << 32) / hz, __ATOMIC_RELEASE);
}
