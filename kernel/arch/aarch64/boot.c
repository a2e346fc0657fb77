// SPDX-License-Identifier: MIT
// From the device tree to boot_info: where the tree lies, and what only this machine looks up in
// it. Runs once on the boot CPU, before memory management.
#include "kernel/arch/boot.h"

#include <string.h>

#include "kernel/arch/aarch64/psci.h"
#include "kernel/arch/mmu.h"
#include "kernel/firmware/fdt_boot.h"
#include "kernel/log/log.h"

#define PAR_FAULT 1

static bool is_mapped(const void *address)
{
    __asm__ volatile("at s1e1r, %0\n\tisb" ::"r"(address) : "memory");
    return !(sysreg_read(par_el1) & PAR_FAULT);
}

// An ELF image is entered with x0 = 0 and the tree at the start of RAM, which is the start of the
// image's GiB. The start code has mapped the GiB that holds the tree, up to its end.
static void device_tree_read(uint64_t boot_hw_id, paddr_t handoff)
{
    paddr_t paddr = handoff != 0 ? handoff : ALIGN_DOWN(arch_kernel_paddr(), GIB(1));
    const void *blob = phys_to_virt(paddr);
    size_t mapped = GIB(1) - paddr % GIB(1);
    if (!is_mapped(blob)) {
        log_error("device tree: at %#llx, further from the kernel than it can look",
                  (unsigned long long)paddr);
        mapped = 0;
    }
    fdt_boot_info(blob, paddr, mapped, boot_hw_id);
}

static void psci_find(const struct fdt *fdt)
{
    fdt_node node = fdt_by_compatible(fdt, 0, "arm,psci-1.0");
    if (node == 0)
        node = fdt_by_compatible(fdt, 0, "arm,psci-0.2");
    const char *method = fdt_string(fdt, node, "method");
    if (method && strcmp(method, "hvc") == 0)
        psci_conduit = PSCI_HVC;
    else if (method && strcmp(method, "smc") == 0)
        psci_conduit = PSCI_SMC;
    else
        log_warn("device tree: no PSCI; one CPU, and no way to power off");
}

void arch_boot_info(uint64_t boot_hw_id, paddr_t handoff)
{
    device_tree_read(boot_hw_id, handoff);
    psci_find(fdt_boot_tree());
    if (psci_conduit == PSCI_NONE)
        boot_info.cpu_count = 1;
}

int arch_pci_irq(unsigned bus, unsigned slot, unsigned pin)
{
    return fdt_boot_pci_irq((uint8_t)bus, (uint8_t)slot, (uint8_t)pin);
}
