// SPDX-License-Identifier: MIT
// ACPI's tables, as far as the kernel wants them, read once at boot into one plain structure. The
// tables come from outside and are not believed: lengths, checksums and counts are checked, and
// what is wrong is logged by the table's name and left out.
#pragma once

#include "kernel/arch/boot.h"
#include "kernel/lib/base.h"

#define ACPI_IOAPICS_MAX  8
#define ACPI_ISA_IRQS     16
#define ACPI_SPACE_MEMORY 0
#define ACPI_SPACE_PORT   1

struct acpi_register {
    uint8_t space;
    uint64_t address; // 0: there is none
};

struct acpi_info {
    char machine[16]; // OEM and table id of the root table, "BOCHS BXPC"

    // MADT. Disabled CPUs are not listed.
    uint32_t cpu_apic_id[CPU_MAX];
    unsigned cpu_count, cpu_found;
    struct {
        paddr_t address;
        uint32_t gsi_first;
    } ioapics[ACPI_IOAPICS_MAX];
    unsigned ioapic_count;
    uint32_t isa_gsi[ACPI_ISA_IRQS]; // read it through acpi_isa_gsi()

    // MCFG, SPCR, HPET
    struct boot_ecam ecam[BOOT_ECAM_MAX];
    unsigned ecam_count;
    struct boot_uart console; // UART_NONE: not told
    paddr_t hpet;             // 0: none

    // FADT, and \_S5 of the DSDT. Ports are 0 where there is none.
    uint16_t pm1_control[2], pm_timer_port;
    uint32_t smi_command;
    uint8_t acpi_enable;
    struct acpi_register sleep_control, reset;
    uint8_t reset_value;
    bool has_soft_off;
    uint8_t soft_off_type[2];
};
extern struct acpi_info acpi; // constant after acpi_parse()

// Fills in `acpi`. rsdp is where the boot loader says the root pointer is; 0: looked for in the
// BIOS area. Boot mappings, before the allocator.
void acpi_parse(paddr_t rsdp);

// The global system interrupt of an ISA interrupt, 0 to 15.
uint32_t acpi_isa_gsi(unsigned isa_irq);

// The address of physical memory that the boot mapping covers, or NULL. Only until mapping_init().
const void *acpi_view(paddr_t paddr, uint64_t bytes);
