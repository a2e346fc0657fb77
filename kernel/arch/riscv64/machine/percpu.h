// SPDX-License-Identifier: MIT
// What RISC-V keeps for each hart beyond struct cpu. sscratch and struct cpu.machine point to
// `data`, where the emergency stack ends, so that entry.S reaches both with one register.
#pragma once

#include "kernel/lib/base.h"
#include <machine/entry.h>

struct machine_cpu_data {
    uint64_t sp, t0, tp; // of the interrupted context, while the entry has no stack yet
    struct cpu *cpu;
    uint32_t ipi_pending; // bits of enum machine_ipi; the hardware has one signal for all
};

struct machine_cpu {
    uint8_t emergency_stack[EMERGENCY_STACK_BYTES];
    struct machine_cpu_data data;
} __attribute__((aligned(16)));

extern struct machine_cpu machine_cpus[CPU_MAX]; // by struct cpu.index
