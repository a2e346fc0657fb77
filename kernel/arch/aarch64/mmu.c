// SPDX-License-Identifier: MIT
// Where the boot loader put the image; the rest of the MMU is inline in <machine/mmu.h> or common.
#include "kernel/arch/mmu.h"

// The image is mapped before any C runs: ask the MMU itself where (AT, Arm ARM C5.5).
__debugger_text paddr_t arch_kernel_paddr(void)
{
    extern char __kernel_start[];
    static paddr_t paddr;
    if (paddr == 0) {
        __asm__ volatile("at s1e1r, %0\n\tisb" ::"r"(__kernel_start) : "memory");
        paddr = sysreg_read(par_el1) & PTE_ADDRESS;
    }
    return paddr;
}
