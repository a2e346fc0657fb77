// SPDX-License-Identifier: MIT
// The interrupt controllers as the rest of this directory sees them: each CPU's local APIC, and
// where their interrupts go.
#pragma once

#include "kernel/lib/base.h"
#include <kd_machine/frame.h>

// -- apic.c. Registers are named by their xAPIC offsets; in x2APIC mode the same number, shifted,
// names an MSR.
#define LAPIC_TASK_PRIORITY 0x80
#define LAPIC_EOI           0xb0
#define LAPIC_SPURIOUS      0xf0
#define LAPIC_ICR           0x300
#define LAPIC_ICR_HIGH      0x310
#define LAPIC_LVT_TIMER     0x320
#define LAPIC_LVT_LINT0     0x350
#define LAPIC_LVT_LINT1     0x360
#define LAPIC_LVT_ERROR     0x370
#define LAPIC_TIMER_INITIAL 0x380
#define LAPIC_TIMER_CURRENT 0x390
#define LAPIC_TIMER_DIVIDE  0x3e0
#define LAPIC_MASKED        0x10000
#define ICR_FIXED           0x4000
#define ICR_NMI             0x4400
#define ICR_INIT            0x4500
#define ICR_STARTUP         0x4600

bool lapic_ready(void); // mapped and enabled on the boot CPU
uint32_t lapic_read(unsigned reg);
void lapic_write(unsigned reg, uint32_t value);
void lapic_eoi(void);
void lapic_command(uint64_t apic_id, uint32_t command); // an IPI; any context

// -- ioapic.c
void ioapic_init(void);
int ioapic_vector_irq(unsigned vector); // -1: nobody's
void ioapic_dispatch_debug(struct kd_frame *frame);

// -- time.c: the local APIC's timer
void timer_vector(void);

// -- smp.c
void smp_init_others(void); // INIT to every other CPU: the first half of starting them
