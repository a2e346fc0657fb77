// SPDX-License-Identifier: MIT
// Where trap.c hands the three kinds of interrupts. Interrupt context, interrupts off.
#pragma once

#include <kd_machine/frame.h>

void ipi_interrupt(struct kd_frame *frame);  // smp.c: signals of other harts
void timer_expired(void);                    // time.c, between irq_enter() and irq_exit()
void plic_interrupt(struct kd_frame *frame); // plic.c: devices
