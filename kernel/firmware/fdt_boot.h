// SPDX-License-Identifier: MIT
// What the machines with a device tree have in common at boot: their arch_boot_info() calls this,
// then adds what only it knows. Bindings stand here, the format in fdt.c.
#pragma once

#include "kernel/arch/boot.h"
#include "kernel/firmware/fdt.h"

// The PCI host bridges that are nothing but an ECAM and windows.
#define FDT_PCI_HOST "pci-host-ecam-generic"

// Fills in boot_info from the tree at `blob` (its physical address: `paddr`), of which
// `mapped_bytes` may be read, now and later. What is malformed is logged and left out; a tree that
// is no tree leaves one CPU and nothing else, and -EINVAL. Before the allocator; logging works.
int fdt_boot_info(const void *blob, paddr_t paddr, size_t mapped_bytes, uint64_t boot_hw_id);

// The tree of fdt_boot_info(), for what else a machine looks up in it. Empty if there was none.
const struct fdt *fdt_boot_tree(void);

// The number (kernel/irq/irq.h) of an interrupt in the format of a GIC (three cells) or of a
// controller that counts its inputs (one or two), or -1. `level` may be NULL.
int fdt_boot_irq(const struct fdt_interrupt *interrupt, bool *level);
// The interrupt of a PCI device's pin (1 to 4) on the first host bridge that has one, or -1.
int fdt_boot_pci_irq(uint8_t bus, uint8_t slot, uint8_t pin);
