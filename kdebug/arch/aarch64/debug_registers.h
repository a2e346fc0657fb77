// SPDX-License-Identifier: MIT
// What trap.c and step.c ask hw.c, which alone knows the debug registers.
#pragma once

#include "kdebug/machine.h"

// Which breakpoint or watchpoint an exception at `pc` or with FAR `fault_address` belongs to.
bool kd_hardware_break_at(uint64_t pc, unsigned *slot);
bool kd_watchpoint_near(uint64_t fault_address, unsigned *slot, uint64_t *address);
// MDSCR_EL1.SS. Switching it on masks debug exceptions until the next exception return.
void kd_hardware_step(bool on);
