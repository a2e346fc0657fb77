// SPDX-License-Identifier: MIT
// The part of <machine/mmu.h> that calls the firmware.
#include "kernel/arch/mmu.h"

#include "kernel/arch/riscv64/sbi.h"
#include "kernel/cpu/cpu.h"

#define FLUSH_PAGES_MAX 64 // above it one flush of everything is cheaper

void arch_tlb_flush_all_cpus(uintptr_t address, size_t length)
{
    uintptr_t first = ALIGN_DOWN(address, PAGE_SIZE);
    size_t bytes = ALIGN_UP(address + length, PAGE_SIZE) - first;
    bool everything = bytes > FLUSH_PAGES_MAX * PAGE_SIZE;
    if (cpu_count() > 1) {
        // A size of all ones is the firmware's word for everything.
        sbi_tlb_flush_all_harts(everything ? 0 : first, everything ? SIZE_MAX : bytes);
    } else if (everything) {
        arch_tlb_flush_local_all();
    } else {
        for (size_t done = 0; done < bytes; done += PAGE_SIZE)
            arch_tlb_flush_local(first + done);
    }
}
