// SPDX-License-Identifier: MIT
// What entry.S and C know of each other.
#pragma once

#include "kernel/lib/base.h"
#include <kd_machine/frame.h>

extern const char vector_stubs[]; // 256 entries of 16 bytes
void trap_entry(struct kd_frame *frame);
extern const uintptr_t idle_halt;                        // the hlt in arch_cpu_idle()
extern const uintptr_t park_window, park_halt, park_end; // in arch_stop_park()
