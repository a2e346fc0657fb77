// SPDX-License-Identifier: MIT
// Time: one monotonic nanosecond clock for all CPUs, and per-CPU one-shot timers above the
// machine's counter and its one comparator.
#pragma once

#include "kernel/lib/base.h"
#include "kernel/lib/list.h"

// Nanoseconds since boot. Monotonic on each CPU, equal on all to within a microsecond. Any
// context, also NMI and the debugger; 0 before time_init().
uint64_t clock_ns(void);
uint64_t clock_to_counter(uint64_t ns); // the counter value at which clock_ns() reaches ns

void time_init(void);     // boot CPU, after arch_time_init()
void time_cpu_init(void); // each CPU

// Busy-waits; any context with a working clock.
void delay_us(uint64_t us);

struct cpu;

struct timer {
    struct list link; // empty list when not armed
    uint64_t deadline_ns;
    void (*expired)(struct timer *timer); // interrupt context, interrupts off, no lock held
    struct cpu *cpu;
};
void timer_init(struct timer *timer, void (*expired)(struct timer *));
// On this CPU's queue; an armed timer is moved. Interrupt-safe.
void timer_start(struct timer *timer, uint64_t deadline_ns);
// True if it was armed. After return `expired` neither runs nor will run, unless called from it.
bool timer_cancel(struct timer *timer);
void timer_interrupt(void); // the machine's one-shot timer went off; interrupt context
