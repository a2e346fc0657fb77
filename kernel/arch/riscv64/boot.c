// SPDX-License-Identifier: MIT
// What this machine tells about itself: the device tree the firmware hands over, and the first
// console, which is the firmware's.
#include "kernel/arch/boot.h"

#include "kdebug/machine.h"
#include "kernel/arch/mmu.h"
#include "kernel/arch/riscv64/power.h"
#include "kernel/arch/riscv64/sbi.h"
#include "kernel/firmware/fdt_boot.h"

#define TREE_BYTES_MAX MIB(16)

// How much of the tree can be read: as much as its header says, if that is there. The address comes
// from outside, so the first look is by a copy that survives.
static size_t tree_bytes(paddr_t tree)
{
    uint8_t header[FDT_HEADER_BYTES], last;
    if (tree > DIRECT_MAP_BYTES - TREE_BYTES_MAX || tree % 8 != 0 ||
        kd_mem_copy(header, phys_to_virt(tree), sizeof(header)) != sizeof(header))
        return 0;
    uint32_t bytes = fdt_total_bytes(header);
    if (bytes == 0 || bytes > TREE_BYTES_MAX ||
        kd_mem_copy(&last, phys_to_virt(tree + bytes - 1), 1) != 1)
        return 0;
    return bytes;
}

void arch_boot_info(uint64_t boot_hw_id, paddr_t handoff)
{
    sbi_init();
    fdt_boot_info(phys_to_virt(handoff), handoff, tree_bytes(handoff), boot_hw_id);
    power_find(fdt_boot_tree());
}

int arch_pci_irq(unsigned bus, unsigned slot, unsigned pin)
{
    return fdt_boot_pci_irq((uint8_t)bus, (uint8_t)slot, (uint8_t)pin);
}

__debugger_text void arch_early_putc(char c)
{
    sbi_console_putc(c);
}
