// SPDX-License-Identifier: MIT
// What trap.c asks hw.c: why a #DB came.
#pragma once

#include "kdebug/machine.h"

// Reads and clears DR6. A matched data watchpoint goes before a completed step, since the step will
// be seen from the pc anyway but the watched access would be lost.
enum kd_trap_kind kd_debug_status(unsigned *slot, uint64_t *address);
