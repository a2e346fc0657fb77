// SPDX-License-Identifier: MIT
// The table of CPUs and which of them are online.
#include "kernel/cpu/cpu.h"

#include "kernel/arch/boot.h"

#define CPU_ROW(i) [i] = {.self = &cpus[i], .index = (i), .name = "cpu" #i}
struct cpu cpus[CPU_MAX] = {CPU_ROW(0), CPU_ROW(1), CPU_ROW(2), CPU_ROW(3),
                            CPU_ROW(4), CPU_ROW(5), CPU_ROW(6), CPU_ROW(7)};
_Static_assert(CPU_MAX == 8, "a row each");

static uint64_t online_mask;

__debugger_text unsigned cpu_count(void)
{
    return boot_info.cpu_count;
}

uint64_t cpu_online_mask(void)
{
    return __atomic_load_n(&online_mask, __ATOMIC_ACQUIRE);
}

void cpu_set_online(struct cpu *cpu)
{
    __atomic_fetch_or(&online_mask, UINT64_C(1) << cpu->index, __ATOMIC_RELEASE);
}
