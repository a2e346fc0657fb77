// SPDX-License-Identifier: MIT
// Drivers register by a row: what they drive and how to start one. Buses (PCI, the platform) match
// rows against what they find.
#pragma once

#include "kernel/lib/base.h"
#include "kernel/lib/table.h"

struct pci_device;

struct driver {
    const char *name;
    // Which PCI devices: vendor and device (0xffff: any), class and its mask (0: any class).
    uint16_t pci_vendor, pci_device;
    uint32_t pci_class, pci_class_mask; // class << 16 | subclass << 8 | interface
    // 0: driven from now on; negative errno: not (logged by name). Thread context.
    int (*probe)(struct pci_device *device);
};
TABLE_DECLARE(driver, struct driver);

#define PCI_ANY            0xffff
#define DRIVER(ident, ...) TABLE_ROW(driver, struct driver, driver_##ident) = {__VA_ARGS__}

// Looks for devices on every bus and starts their drivers. Thread context, once.
void driver_init_all(void);
