// SPDX-License-Identifier: MIT
// What AArch64 keeps for each CPU beyond struct cpu. struct cpu.machine points to `data`, where the
// emergency stack ends, so that entry.S reaches the stack with one load.
#pragma once

#include "kernel/lib/base.h"
#include <machine/entry.h>

struct machine_cpu_data {
    volatile uint8_t *redistributor; // GICv3: this CPU's RD_base page; NULL: not found
    uint8_t gic_v2_target;           // GICv2: its bit in GICD_ITARGETSR and GICD_SGIR
};

struct machine_cpu {
    uint8_t emergency_stack[EMERGENCY_STACK_BYTES];
    struct machine_cpu_data data;
} __attribute__((aligned(16)));

extern struct machine_cpu machine_cpus[CPU_MAX]; // by struct cpu.index
