// SPDX-License-Identifier: MIT
// Finding PCI devices and giving their BARs addresses. Firmware has done the second on some
// machines; elsewhere windows come from the device tree and are filled from the bottom. What a
// device says about itself is not trusted: sizes are powers of two, lists are bounded.
#include "kernel/drivers/pci/pci.h"

#include <errno.h>

#include "kernel/drivers/driver.h"
#include "kernel/irq/irq.h"
#include "kernel/log/log.h"
#include "kernel/mm/kmalloc.h"
#include "kernel/mm/mapping.h"
#include "kernel/shell/command.h"

enum pci_register {
    PCI_VENDOR = 0x00,
    PCI_COMMAND = 0x04,
    PCI_CLASS = 0x08,
    PCI_HEADER_TYPE = 0x0e,
    PCI_BAR0 = 0x10,
    PCI_BRIDGE_BUSES = 0x18,
    PCI_CAPABILITIES = 0x34,
    PCI_INTERRUPT_PIN = 0x3d,
    PCI_STATUS = 0x06,
};

enum {
    COMMAND_IO = 1,
    COMMAND_MEMORY = 2,
    COMMAND_BUS_MASTER = 4,
    COMMAND_NO_INTX = 1 << 10,
    STATUS_CAPABILITIES = 1 << 4,
    HEADER_MULTIFUNCTION = 0x80,
    HEADER_BRIDGE = 1,
    BAR_IO = 1,
    BAR_64 = 4,
    BAR_PREFETCHABLE = 8,
    MSIX_ENABLE = 1 << 15,
    MSIX_MASK_ALL = 1 << 14,
    MSIX_ENTRY_MASKED = 1,
};

#define CLASS_PCI_BRIDGE 0x060400
#define CAPABILITIES_MAX 48 // as many as fit between 0x40 and 0xff
#define SLOTS            32
#define FUNCTIONS        8
#define CONFIG_BYTES     4096
#define BUS_CONFIG_BYTES MIB(1)
#define IO_FIRST         0x1000 // port 0 looks like "unassigned" to much software

static struct pci_device *first_device, **last_link = &first_device;

// The next free address of each window of the bridge being walked.
static struct {
    uint64_t memory_32, memory_64, io;
} cursor;

// -- configuration space ----------------------------------------------------------------------

uint8_t pci_read8(const struct pci_device *device, unsigned offset)
{
    return device->config[offset];
}

uint16_t pci_read16(const struct pci_device *device, unsigned offset)
{
    return *(volatile uint16_t *)(device->config + offset);
}

uint32_t pci_read32(const struct pci_device *device, unsigned offset)
{
    return *(volatile uint32_t *)(device->config + offset);
}

void pci_write16(const struct pci_device *device, unsigned offset, uint16_t value)
{
    *(volatile uint16_t *)(device->config + offset) = value;
}

void pci_write32(const struct pci_device *device, unsigned offset, uint32_t value)
{
    *(volatile uint32_t *)(device->config + offset) = value;
}

unsigned pci_capability(const struct pci_device *device, uint8_t id, unsigned after)
{
    if (!(pci_read16(device, PCI_STATUS) & STATUS_CAPABILITIES))
        return 0;
    unsigned at = pci_read8(device, after ? after + 1 : PCI_CAPABILITIES) & ~3u;
    for (unsigned i = 0; i < CAPABILITIES_MAX && at >= 0x40; i++) {
        if (pci_read8(device, at) == id)
            return at;
        at = pci_read8(device, at + 1) & ~3u;
    }
    return 0;
}

struct pci_device *pci_next(const struct pci_device *device)
{
    return device ? device->next : first_device;
}

struct pci_device *pci_find(uint16_t vendor, uint16_t id)
{
    for (struct pci_device *device = first_device; device; device = device->next)
        if (device->vendor == vendor && device->device == id)
            return device;
    return NULL;
}

// -- BARs -------------------------------------------------------------------------------------

static uint64_t *bar_cursor(const struct pci_bar *bar, const struct boot_ecam *ecam, uint64_t *end)
{
    if (bar->io) {
        *end = ecam->window_io_bytes;
        return &cursor.io;
    }
    if (bar->is_64 && ecam->window_64.bytes) {
        *end = ecam->window_64.start + ecam->window_64.bytes;
        return &cursor.memory_64;
    }
    *end = ecam->window_32.start + ecam->window_32.bytes;
    return &cursor.memory_32;
}

// The windows' bus addresses equal their CPU addresses for memory, which arch_boot_info() checks.
static void bar_assign(struct pci_device *device, struct pci_bar *bar, unsigned index)
{
    uint64_t end;
    uint64_t *at = bar_cursor(bar, device->ecam, &end);
    uint64_t base = ALIGN_UP(*at, bar->bytes);
    if (base < *at || base + bar->bytes > end) {
        if (end)
            log_warn("pci %02x:%02x.%u: no room for BAR %u (%llu KiB)", device->bus, device->slot,
                     device->function, index, (unsigned long long)bar->bytes >> 10);
        bar->bytes = 0;
        return;
    }
    *at = base + bar->bytes;
    bar->base = base;
    pci_write32(device, PCI_BAR0 + 4 * index, (uint32_t)base);
    if (bar->is_64)
        pci_write32(device, PCI_BAR0 + 4 * index + 4, (uint32_t)(base >> 32));
}

// Sizes one BAR by writing ones to it, decoding off meanwhile (PCI 3.0, 6.2.5.1). Returns how
// many of the six registers it takes.
static unsigned bar_read(struct pci_device *device, unsigned index)
{
    struct pci_bar *bar = &device->bar[index];
    unsigned offset = PCI_BAR0 + 4 * index;
    uint32_t low = pci_read32(device, offset);
    bar->io = low & BAR_IO;
    bar->is_64 = !bar->io && (low & BAR_64) && index + 1 < PCI_BARS;
    bar->prefetchable = !bar->io && (low & BAR_PREFETCHABLE);
    uint32_t flags = bar->io ? 3 : 15;

    pci_write32(device, offset, UINT32_MAX);
    uint64_t mask = pci_read32(device, offset) & ~flags;
    pci_write32(device, offset, low);
    bar->base = low & ~flags;
    if (bar->is_64) {
        uint32_t high = pci_read32(device, offset + 4);
        pci_write32(device, offset + 4, UINT32_MAX);
        mask |= (uint64_t)pci_read32(device, offset + 4) << 32;
        pci_write32(device, offset + 4, high);
        bar->base |= (uint64_t)high << 32;
    } else if (mask) {
        mask |= bar->io ? 0xffffffffffff0000 : 0xffffffff00000000;
    }
    bar->bytes = mask & -mask; // the lowest bit that could be set
    if (bar->bytes && !bar->base)
        bar_assign(device, bar, index);
    return bar->is_64 ? 2 : 1;
}

static void bars_read(struct pci_device *device)
{
    uint16_t command = pci_read16(device, PCI_COMMAND);
    pci_write16(device, PCI_COMMAND, command & ~(COMMAND_IO | COMMAND_MEMORY));
    unsigned count = (device->header_type & 0x7f) == HEADER_BRIDGE ? 2 : PCI_BARS;
    for (unsigned index = 0; index < count;)
        index += bar_read(device, index);
    pci_write16(device, PCI_COMMAND, command);
}

void pci_enable(struct pci_device *device, bool bus_master)
{
    uint16_t command = pci_read16(device, PCI_COMMAND) | COMMAND_IO | COMMAND_MEMORY;
    pci_write16(device, PCI_COMMAND, command | (bus_master ? COMMAND_BUS_MASTER : 0));
}

volatile void *pci_map_bar(struct pci_device *device, unsigned index)
{
    const struct pci_bar *bar = &device->bar[index];
    if (index >= PCI_BARS || !bar->bytes || bar->io)
        return NULL;
    return device_map(bar->base, bar->bytes);
}

int pci_intx_irq(const struct pci_device *device)
{
    uint8_t pin = pci_read8(device, PCI_INTERRUPT_PIN);
    if (pin < 1 || pin > 4)
        return -1;
    return arch_pci_irq(device->bus, device->slot, pin);
}

// -- MSI-X (PCI 3.0, 6.8.2) -------------------------------------------------------------------

static int msix_map(struct pci_device *device, unsigned capability)
{
    uint32_t where = pci_read32(device, capability + 4);
    unsigned index = where & 7;
    uint32_t offset = where & ~7u;
    device->msix_vectors = (pci_read16(device, capability + 2) & 0x7ff) + 1;
    uint64_t bytes = 16ull * device->msix_vectors;
    if (index >= PCI_BARS || device->bar[index].io || offset + bytes > device->bar[index].bytes)
        return -EINVAL;
    device->msix_table = device_map(device->bar[index].base + offset, bytes);
    return device->msix_table ? 0 : -ENOMEM;
}

int pci_msix_enable(struct pci_device *device, int *irqs, unsigned wanted)
{
    unsigned capability = pci_capability(device, PCI_CAP_MSIX, 0);
    if (!capability)
        return -ENOTSUP;
    pci_enable(device, true); // messages are memory writes, and the table is in a BAR
    int status = msix_map(device, capability);
    if (status < 0)
        return status;
    uint16_t control = pci_read16(device, capability + 2);
    pci_write16(device, capability + 2, control | MSIX_ENABLE | MSIX_MASK_ALL);
    uint32_t requester =
        (uint32_t)device->bus << 8 | (uint32_t)device->slot << 3 | device->function;
    unsigned count = 0;
    for (; count < wanted && count < device->msix_vectors; count++) {
        uint64_t address;
        uint32_t data;
        status = irq_msi_alloc(requester, &address, &data);
        if (status < 0)
            break;
        irqs[count] = status;
        volatile uint32_t *entry = device->msix_table + 4 * count;
        entry[0] = (uint32_t)address;
        entry[1] = (uint32_t)(address >> 32);
        entry[2] = data;
        entry[3] &= ~(uint32_t)MSIX_ENTRY_MASKED;
    }
    if (count == 0) {
        pci_msix_disable(device, irqs, 0);
        return status;
    }
    uint16_t command = pci_read16(device, PCI_COMMAND);
    pci_write16(device, PCI_COMMAND, command | COMMAND_NO_INTX);
    pci_write16(device, capability + 2, (control | MSIX_ENABLE) & ~MSIX_MASK_ALL);
    return (int)count;
}

void pci_msix_disable(struct pci_device *device, const int *irqs, unsigned count)
{
    unsigned capability = pci_capability(device, PCI_CAP_MSIX, 0);
    uint16_t control = pci_read16(device, capability + 2);
    pci_write16(device, capability + 2, control & ~MSIX_ENABLE);
    for (unsigned i = 0; i < count; i++)
        irq_msi_free(irqs[i]);
    device_unmap(device->msix_table, 16ull * device->msix_vectors);
    device->msix_table = NULL;
}

// -- finding devices --------------------------------------------------------------------------

static void bus_scan(const struct boot_ecam *ecam, unsigned bus, unsigned *last_bus);

// Buses behind a bridge that firmware has numbered already; the others get the next free number,
// but no windows: without firmware, devices belong on the root bus.
static void bridge_scan(struct pci_device *bridge, unsigned *last_bus)
{
    uint32_t buses = pci_read32(bridge, PCI_BRIDGE_BUSES);
    unsigned secondary = buses >> 8 & 0xff;
    if (secondary <= bridge->bus) {
        secondary = *last_bus + 1;
        if (secondary > bridge->ecam->bus_last)
            return;
        pci_write32(bridge, PCI_BRIDGE_BUSES,
                    (buses & 0xff000000) | secondary << 16 | secondary << 8 | bridge->bus);
    }
    *last_bus = MAX(*last_bus, secondary);
    bus_scan(bridge->ecam, secondary, last_bus);
}

static void function_add(const struct boot_ecam *ecam, volatile uint8_t *config, unsigned bus,
                         unsigned slot, unsigned function, unsigned *last_bus)
{
    struct pci_device *device = kmalloc(sizeof(*device));
    if (!device) {
        log_error("pci: no memory for a device");
        return;
    }
    *device = (struct pci_device){
        .ecam = ecam,
        .config = config,
        .bus = (uint8_t)bus,
        .slot = (uint8_t)slot,
        .function = (uint8_t)function,
    };
    uint32_t id = pci_read32(device, PCI_VENDOR);
    device->vendor = (uint16_t)id;
    device->device = (uint16_t)(id >> 16);
    device->class_code = pci_read32(device, PCI_CLASS) >> 8;
    device->revision = pci_read8(device, PCI_CLASS);
    device->header_type = pci_read8(device, PCI_HEADER_TYPE);
    bars_read(device);
    *last_link = device;
    last_link = &device->next;
    if (device->class_code == CLASS_PCI_BRIDGE && (device->header_type & 0x7f) == HEADER_BRIDGE)
        bridge_scan(device, last_bus);
}

static void bus_scan(const struct boot_ecam *ecam, unsigned bus, unsigned *last_bus)
{
    paddr_t base = ecam->base + (uint64_t)(bus - ecam->bus_first) * BUS_CONFIG_BYTES;
    volatile uint8_t *config = device_map(base, BUS_CONFIG_BYTES);
    if (!config) {
        log_error("pci: no room to map the configuration space of bus %u", bus);
        return;
    }
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        unsigned functions = 1;
        for (unsigned function = 0; function < functions; function++) {
            volatile uint8_t *at = config + (slot * FUNCTIONS + function) * CONFIG_BYTES;
            if (*(volatile uint16_t *)at == 0xffff)
                continue;
            if (function == 0 && (at[PCI_HEADER_TYPE] & HEADER_MULTIFUNCTION))
                functions = FUNCTIONS;
            function_add(ecam, at, bus, slot, function, last_bus);
        }
    }
}

static bool driver_matches(const struct driver *driver, const struct pci_device *device)
{
    if (driver->pci_class_mask)
        return (device->class_code & driver->pci_class_mask) == driver->pci_class;
    return driver->pci_vendor == device->vendor &&
           (driver->pci_device == PCI_ANY || driver->pci_device == device->device);
}

static void driver_attach(struct pci_device *device)
{
    TABLE_FOR_EACH (driver, struct driver, driver) {
        if (!driver_matches(driver, device))
            continue;
        int status = driver->probe(device);
        if (status == 0) {
            device->driver = driver;
            return;
        }
        log_warn("pci %02x:%02x.%u: %s failed with error %d", device->bus, device->slot,
                 device->function, driver->name, -status);
    }
}

void pci_init(void)
{
    for (unsigned i = 0; i < boot_info.ecam_count; i++) {
        const struct boot_ecam *ecam = &boot_info.ecam[i];
        cursor.memory_32 = ecam->window_32.start;
        cursor.memory_64 = ecam->window_64.start;
        cursor.io = IO_FIRST;
        unsigned last_bus = ecam->bus_first;
        bus_scan(ecam, ecam->bus_first, &last_bus);
    }
    for (struct pci_device *device = first_device; device; device = device->next)
        driver_attach(device);
}

void driver_init_all(void)
{
    pci_init();
}

// -- the command ------------------------------------------------------------------------------

static int pci_run(struct command_call *call)
{
    if (!first_device)
        kd_text_string(call->out, "no PCI devices\n");
    for (const struct pci_device *device = first_device; device; device = device->next) {
        kd_text_printf(call->out, "%02x:%02x.%u %04x:%04x class %06x%s%s%s\n", device->bus,
                       device->slot, device->function, device->vendor, device->device,
                       device->class_code, pci_capability(device, PCI_CAP_MSIX, 0) ? " MSI-X" : "",
                       device->driver ? " driver " : "",
                       device->driver ? device->driver->name : "");
        for (unsigned i = 0; i < PCI_BARS; i++)
            if (device->bar[i].bytes)
                kd_text_printf(call->out, "    BAR %u: %s 0x%llx, %llu bytes\n", i,
                               device->bar[i].io ? "ports" : "memory",
                               (unsigned long long)device->bar[i].base,
                               (unsigned long long)device->bar[i].bytes);
    }
    return 0;
}

COMMAND(pci, "pci", "pci", "PCI devices, their BARs and drivers", pci_run, NULL);
