// SPDX-License-Identifier: MIT
// Where PCI's INTA to INTD go. The full answer is in ACPI's _PRT methods, which take an AML
// interpreter; this knows the one chipset whose routing is fixed, Intel's Q35 with ICH9. Devices
// on other machines use MSIs.
#include "kernel/arch/boot.h"
#include <machine/io.h>

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define CONFIG_ENABLE  0x80000000
#define Q35_HOST       0x29c08086
#define GSI_PIRQ_A     16
#define GSI_PIRQ_E     20
#define SLOT_ICH_FIRST 25 // devices of the south bridge: INTA is PIRQ A
#define SLOT_BRIDGE    30

int arch_pci_irq(unsigned bus, unsigned slot, unsigned pin)
{
    if (bus != 0 || slot > 31 || pin < 1 || pin > 4)
        return -1;
    port_write32(CONFIG_ADDRESS, CONFIG_ENABLE);
    if (port_read32(CONFIG_DATA) != Q35_HOST)
        return -1;
    if (slot >= SLOT_ICH_FIRST && slot != SLOT_BRIDGE)
        return GSI_PIRQ_A + (int)(pin - 1);
    return GSI_PIRQ_E + (int)((slot + pin - 1) % 4);
}
