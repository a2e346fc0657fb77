// SPDX-License-Identifier: MIT
// How another CPU is started: what start.S and C know of each other.
#pragma once

#include "kernel/lib/base.h"

struct cpu;

extern char trampoline_start[], trampoline_end[];
extern uint32_t secondary_root; // CR3 of CPUs that are being started
_Noreturn void secondary_start(struct cpu *cpu);
extern paddr_t trampoline_page; // boot.c found it, below 1 MiB
