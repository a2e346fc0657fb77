// SPDX-License-Identifier: MIT
// A 16550 on PCI (class 07 00 02), such as QEMU's pci-serial: its eight registers are I/O BAR 0,
// which lies in a memory window on machines without ports.
#include <errno.h>

#include "kernel/drivers/driver.h"
#include "kernel/drivers/pci/pci.h"
#include "kernel/drivers/serial/uart.h"
#include "kernel/mm/mapping.h"

#define CLASS_SERIAL_16550 0x070002
#define REGISTER_BYTES     8

static int pci_serial_probe(struct pci_device *device)
{
    const struct pci_bar *bar = &device->bar[0];
    if (bar->bytes < REGISTER_BYTES)
        return -ENODEV;
    pci_enable(device, false);
    struct boot_uart where = {
        .kind = UART_16550_PORT,
        .base = bar->base,
        .irq = pci_intx_irq(device),
        .irq_level = true,
    };
    volatile void *registers = NULL;
    if (!bar->io || device->ecam->window_io_base) {
        where.kind = UART_16550_MMIO;
        where.base = bar->base + (bar->io ? device->ecam->window_io_base : 0);
        registers = device_map(where.base, REGISTER_BYTES);
        if (!registers)
            return -ENOMEM;
    }
    return uart_add(&where, registers) ? 0 : -ENOSPC;
}

DRIVER(pci_serial, .name = "pci-serial", .pci_class = CLASS_SERIAL_16550,
       .pci_class_mask = 0xffffff, .probe = pci_serial_probe);
