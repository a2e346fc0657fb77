// SPDX-License-Identifier: MIT
// The firmware's services (RISC-V Supervisor Binary Interface 1.0): timer, signals to other harts,
// their TLBs, their start, and switching off. Any context; nothing here waits for another hart but
// the firmware itself.
#pragma once

#include "kernel/lib/base.h"

// Finds out which extensions there are and logs what is missing. Boot CPU, once.
void sbi_init(void);

void sbi_timer_set(uint64_t deadline);
// By struct cpu.index, as everywhere; CPUs that do not run are skipped by the firmware.
void sbi_ipi_send(uint64_t cpu_mask);
void sbi_tlb_flush_all_harts(uintptr_t address, size_t length);
// 0, or a negative errno.
int sbi_hart_start(uint64_t hart, paddr_t entry, uintptr_t argument);
void sbi_shutdown(bool failure); // returns if the firmware cannot
void sbi_reboot(void);
void sbi_console_putc(char c);
