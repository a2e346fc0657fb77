// SPDX-License-Identifier: MIT
// PCI over ECAM (PCI Express Base Specification 5.0, 7.2.2): devices, BARs, capabilities, INTx and
// MSI-X. Devices are found once at boot and never leave. Thread context throughout, unless a
// function says otherwise.
#pragma once

#include "kernel/arch/boot.h"
#include "kernel/lib/base.h"

struct driver;

#define PCI_BARS 6

struct pci_bar {
    paddr_t base;   // CPU address (of ports: the port number, or the window's address)
    uint64_t bytes; // 0: not implemented
    bool io, is_64, prefetchable;
};

struct pci_device {
    struct pci_device *next;
    const struct boot_ecam *ecam;
    volatile uint8_t *config; // 4 KiB
    uint8_t bus, slot, function;
    uint16_t vendor, device;
    uint32_t class_code; // class << 16 | subclass << 8 | interface
    uint8_t header_type, revision;
    struct pci_bar bar[PCI_BARS];
    const struct driver *driver;   // NULL: nobody's
    volatile uint32_t *msix_table; // mapped while MSI-X is on
    uint16_t msix_vectors;
};

// Configuration space; `offset` is aligned to the size and below 4096. Any context.
uint8_t pci_read8(const struct pci_device *device, unsigned offset);
uint16_t pci_read16(const struct pci_device *device, unsigned offset);
uint32_t pci_read32(const struct pci_device *device, unsigned offset);
void pci_write16(const struct pci_device *device, unsigned offset, uint16_t value);
void pci_write32(const struct pci_device *device, unsigned offset, uint32_t value);

enum { PCI_CAP_MSI = 0x05, PCI_CAP_VENDOR = 0x09, PCI_CAP_EXPRESS = 0x10, PCI_CAP_MSIX = 0x11 };

// Offset of the first capability of the kind behind `after` (0: from the start), or 0. A list that
// loops or leaves the configuration space ends the search.
unsigned pci_capability(const struct pci_device *device, uint8_t id, unsigned after);

// Lets the device decode its BARs and, with bus_master, access memory.
void pci_enable(struct pci_device *device, bool bus_master);
// Maps a memory BAR; NULL when it is not there, an I/O BAR, or there is no room.
volatile void *pci_map_bar(struct pci_device *device, unsigned index);
// The interrupt of the INTx pin in the machine's numbering, -1 when it has none. Level-triggered.
int pci_intx_irq(const struct pci_device *device);

// Switches MSI-X on with up to `wanted` vectors, each to be irq_request()ed as IRQ_EDGE_RISING by
// the caller. Returns how many were set up (irqs[0 .. n)), or -ENOTSUP (the device has none, or
// the machine takes no messages), -ENOMEM.
int pci_msix_enable(struct pci_device *device, int *irqs, unsigned wanted);
void pci_msix_disable(struct pci_device *device, const int *irqs, unsigned count);

// All devices, in the order of bus, slot and function. NULL starts, NULL ends. Any context.
struct pci_device *pci_next(const struct pci_device *device);
struct pci_device *pci_find(uint16_t vendor, uint16_t device);
// Finds all devices and gives each its driver; called by driver_init_all().
void pci_init(void);
