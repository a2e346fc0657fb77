// SPDX-License-Identifier: MIT
// Reads the ACPI tables (ACPI specification 6.4, chapter 5) that say what the machine consists of.
// Called once, by arch_boot_info(), on the boot mappings; allocates nothing and keeps no pointer
// into a table.
//
// Every table is reached through table_at(), which vouches for length and checksum; inside a table
// fields are read through field(), which vouches for the offset. Machines whose firmware writes
// less than the kernel wants get smaller, never a fault.
#include "kernel/firmware/acpi.h"

#include <string.h>

#include "kernel/arch/mmu.h"
#include "kernel/log/log.h"

#define BOOT_MAPPED_BYTES GIB(4)
#define BIOS_AREA         0xe0000
#define BIOS_AREA_END     0x100000
#define TABLE_BYTES_MAX   MIB(1)
#define ROOT_ENTRIES_MAX  256

struct header {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem_id[6], oem_table_id[8];
    uint32_t oem_revision, creator_id, creator_revision;
} __packed;
_Static_assert(sizeof(struct header) == 36, "ACPI 5.2.6");

struct root_pointer {
    char signature[8];
    uint8_t checksum;
    char oem_id[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length; // from here on: revision 2
    uint64_t xsdt;
    uint8_t checksum_all, reserved[3];
} __packed;
#define ROOT_POINTER_BYTES_1 20

struct acpi_info acpi;

const void *acpi_view(paddr_t paddr, uint64_t bytes)
{
    if (bytes > BOOT_MAPPED_BYTES || paddr > BOOT_MAPPED_BYTES - bytes)
        return NULL;
    return phys_to_virt(paddr);
}

static bool sums_to_zero(const void *start, size_t bytes)
{
    const uint8_t *at = start;
    uint8_t sum = 0;
    for (size_t i = 0; i < bytes; i++)
        sum += at[i];
    return sum == 0;
}

// `width` bytes at an offset of the table, little-endian; 0 beyond its end, which is how the
// specification lets older, shorter tables be read.
static uint64_t field(const struct header *table, size_t offset, unsigned width)
{
    uint64_t value = 0;
    if (offset + width <= table->length)
        memcpy(&value, (const uint8_t *)table + offset, width);
    return value;
}

static const struct header *table_at(paddr_t paddr)
{
    const struct header *table = acpi_view(paddr, sizeof(*table));
    if (!table) {
        log_warn("ACPI: a table at 0x%llx is out of reach", (unsigned long long)paddr);
        return NULL;
    }
    if (table->length < sizeof(*table) || table->length > TABLE_BYTES_MAX ||
        !acpi_view(paddr, table->length)) {
        log_warn("ACPI: %.4s: a length of %u bytes is impossible", table->signature, table->length);
        return NULL;
    }
    if (!sums_to_zero(table, table->length)) {
        log_warn("ACPI: %.4s: wrong checksum", table->signature);
        return NULL;
    }
    return table;
}

// A generic address structure (5.2.3.2).
static struct acpi_register register_at(const struct header *table, size_t offset)
{
    return (struct acpi_register){(uint8_t)field(table, offset, 1), field(table, offset + 4, 8)};
}

// -- MADT: 5.2.12

static void cpu_add(uint32_t apic_id, uint32_t flags)
{
    if (!(flags & 1)) // bit 1, "may be enabled", means hot-plug
        return;
    acpi.cpu_found++;
    if (acpi.cpu_count < CPU_MAX)
        acpi.cpu_apic_id[acpi.cpu_count++] = apic_id;
}

static void ioapic_add(paddr_t address, uint32_t gsi_first)
{
    if (acpi.ioapic_count == ACPI_IOAPICS_MAX) {
        log_warn("ACPI: APIC: more than %u I/O APICs", ACPI_IOAPICS_MAX);
        return;
    }
    acpi.ioapics[acpi.ioapic_count].address = address;
    acpi.ioapics[acpi.ioapic_count++].gsi_first = gsi_first;
}

static void madt_entry(const struct header *madt, size_t at, uint8_t type, uint8_t length)
{
    static const uint8_t shortest[] = {[0] = 8, [1] = 12, [2] = 10, [9] = 16};
    if (type < ARRAY_SIZE(shortest) && length < shortest[type]) {
        log_warn("ACPI: APIC: an entry of type %u has %u bytes", type, length);
        return;
    }
    switch (type) {
    case 0: // processor local APIC
        cpu_add((uint32_t)field(madt, at + 3, 1), (uint32_t)field(madt, at + 4, 4));
        break;
    case 1: // I/O APIC
        ioapic_add(field(madt, at + 4, 4), (uint32_t)field(madt, at + 8, 4));
        break;
    case 2: { // interrupt source override
        uint64_t source = field(madt, at + 3, 1);
        if (source < ACPI_ISA_IRQS)
            acpi.isa_gsi[source] = (uint32_t)field(madt, at + 4, 4);
        break;
    }
    case 9: // processor local x2APIC; small ids may be listed twice
        if (field(madt, at + 4, 4) >= 255)
            cpu_add((uint32_t)field(madt, at + 4, 4), (uint32_t)field(madt, at + 8, 4));
        break;
    }
}

static void madt_parse(const struct header *madt)
{
    for (size_t at = 44; at + 2 <= madt->length;) {
        uint8_t length = (uint8_t)field(madt, at + 1, 1);
        if (length < 2 || at + length > madt->length) {
            log_warn("ACPI: APIC: an entry at offset %zu has %u bytes; the rest is ignored", at,
                     length);
            return;
        }
        madt_entry(madt, at, (uint8_t)field(madt, at, 1), length);
        at += length;
    }
}

// -- MCFG: PCI firmware specification 3.3, table 4-2

static void mcfg_parse(const struct header *mcfg)
{
    for (size_t at = 44; at + 16 <= mcfg->length; at += 16) {
        struct boot_ecam ecam = {
            .base = field(mcfg, at, 8),
            .segment = (uint16_t)field(mcfg, at + 8, 2),
            .bus_first = (uint8_t)field(mcfg, at + 10, 1),
            .bus_last = (uint8_t)field(mcfg, at + 11, 1),
        };
        if (ecam.base == 0 || ecam.base % MIB(1) != 0 || ecam.bus_last < ecam.bus_first) {
            log_warn("ACPI: MCFG: buses %u to %u at 0x%llx make no sense", ecam.bus_first,
                     ecam.bus_last, (unsigned long long)ecam.base);
            continue;
        }
        if (acpi.ecam_count == BOOT_ECAM_MAX) {
            log_warn("ACPI: MCFG: more than %u segments", BOOT_ECAM_MAX);
            return;
        }
        acpi.ecam[acpi.ecam_count++] = ecam;
    }
}

// -- SPCR (Microsoft's Serial Port Console Redirection Table) and HPET

static void spcr_parse(const struct header *spcr)
{
    uint64_t interface = field(spcr, 36, 1);
    struct acpi_register base = register_at(spcr, 40);
    uint64_t width = field(spcr, 41, 1), interrupts = field(spcr, 52, 1);
    bool uart_16550 = interface == 0 || interface == 1 || interface == 0x12;
    if (!uart_16550 || !base.address || base.space > ACPI_SPACE_PORT) {
        log_warn("ACPI: SPCR: a console of kind %llu is not supported",
                 (unsigned long long)interface);
        return;
    }
    acpi.console = (struct boot_uart){
        .kind = base.space == ACPI_SPACE_PORT ? UART_16550_PORT : UART_16550_MMIO,
        .base = base.address,
        .register_shift = base.space == ACPI_SPACE_MEMORY && width == 32 ? 2 : 0,
        .irq = -1,
    };
    if (interrupts & 2) // I/O APIC: a global system interrupt
        acpi.console.irq = (int)field(spcr, 54, 4);
    else if (interrupts & 1)
        acpi.console.irq = (int)acpi_isa_gsi((unsigned)field(spcr, 53, 1));
}

static void hpet_parse(const struct header *hpet)
{
    struct acpi_register base = register_at(hpet, 40);
    if (base.space == ACPI_SPACE_MEMORY)
        acpi.hpet = base.address;
}

// -- FADT (5.2.9), and in the DSDT the name \_S5 (7.4.2.6), whose package holds what to write to
// the power registers. It is found by its bytes; running AML is not needed for it.

// An integer of AML (20.2.3) that is small enough to be a sleep type.
static bool aml_integer(const uint8_t *aml, size_t bytes, size_t *at, uint8_t *value)
{
    static const struct {
        uint8_t prefix, bytes;
    } forms[] = {{0x0a, 1}, {0x0b, 2}, {0x0c, 4}, {0x0e, 8}};
    if (*at >= bytes)
        return false;
    uint8_t op = aml[(*at)++];
    if (op <= 1) { // ZeroOp, OneOp
        *value = op;
        return true;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(forms); i++) {
        if (op != forms[i].prefix || forms[i].bytes > bytes - *at)
            continue;
        *value = aml[*at];
        *at += forms[i].bytes;
        return true;
    }
    return false;
}

static bool soft_off_decode(const uint8_t *aml, size_t bytes)
{
    size_t at = 0;
    if (bytes < 3 || aml[at++] != 0x12) // PackageOp
        return false;
    at += 1 + (aml[at] >> 6); // package length: its first byte says how many follow
    at += 1;                  // number of elements
    uint8_t types[2];
    if (!aml_integer(aml, bytes, &at, &types[0]) || !aml_integer(aml, bytes, &at, &types[1]))
        return false;
    memcpy(acpi.soft_off_type, types, sizeof(types));
    return true;
}

static void dsdt_parse(const struct header *dsdt)
{
    const uint8_t *aml = (const uint8_t *)dsdt;
    for (size_t at = sizeof(*dsdt) + 2; at + 4 < dsdt->length && !acpi.has_soft_off; at++) {
        bool named = aml[at - 1] == 0x08 || (aml[at - 1] == '\\' && aml[at - 2] == 0x08);
        if (named && memcmp(aml + at, "_S5_", 4) == 0)
            acpi.has_soft_off = soft_off_decode(aml + at + 4, dsdt->length - at - 4);
    }
    if (!acpi.has_soft_off)
        log_warn("ACPI: DSDT: no \\_S5, so there is no way to switch off");
}

#define FADT_RESET_SUPPORTED  (1 << 10)
#define FADT_HARDWARE_REDUCED (1 << 20)

static void fadt_parse(const struct header *fadt)
{
    uint64_t flags = field(fadt, 112, 4);
    if (flags & FADT_RESET_SUPPORTED) {
        acpi.reset = register_at(fadt, 116);
        acpi.reset_value = (uint8_t)field(fadt, 128, 1);
    }
    if (flags & FADT_HARDWARE_REDUCED) {
        acpi.sleep_control = register_at(fadt, 244);
    } else {
        acpi.smi_command = (uint32_t)field(fadt, 48, 4);
        acpi.acpi_enable = (uint8_t)field(fadt, 52, 1);
        acpi.pm1_control[0] = (uint16_t)field(fadt, 64, 4);
        acpi.pm1_control[1] = (uint16_t)field(fadt, 68, 4);
        acpi.pm_timer_port = (uint16_t)field(fadt, 76, 4);
    }
    paddr_t dsdt = field(fadt, 140, 8);
    if (!dsdt)
        dsdt = field(fadt, 40, 4);
    const struct header *table = dsdt ? table_at(dsdt) : NULL;
    if (table && memcmp(table->signature, "DSDT", 4) == 0)
        dsdt_parse(table);
}

static const struct {
    char signature[5];
    void (*parse)(const struct header *);
} parsers[] = {
    {"APIC", madt_parse}, // before SPCR, which may name an ISA interrupt
    {"FACP", fadt_parse}, {"MCFG", mcfg_parse}, {"SPCR", spcr_parse}, {"HPET", hpet_parse},
};

// -- the root: 5.2.5, 5.2.7, 5.2.8

static bool root_pointer_good(const struct root_pointer *root)
{
    if (!root || memcmp(root->signature, "RSD PTR ", 8) != 0)
        return false;
    return sums_to_zero(root, ROOT_POINTER_BYTES_1) &&
           (root->revision < 2 || sums_to_zero(root, sizeof(*root)));
}

static const struct root_pointer *root_pointer_find(paddr_t hint)
{
    const struct root_pointer *root = hint ? acpi_view(hint, sizeof(*root)) : NULL;
    if (root_pointer_good(root))
        return root;
    if (hint)
        log_warn("ACPI: no good root pointer at 0x%llx", (unsigned long long)hint);
    for (paddr_t at = BIOS_AREA; at < BIOS_AREA_END - sizeof(*root); at += 16)
        if (root_pointer_good(acpi_view(at, sizeof(*root))))
            return acpi_view(at, sizeof(*root));
    return NULL;
}

// The root table's entry, or 0 behind the last.
static paddr_t root_entry(const struct header *table, unsigned index, unsigned width)
{
    size_t offset = sizeof(*table) + (size_t)index * width;
    return index < ROOT_ENTRIES_MAX ? field(table, offset, width) : 0;
}

static void machine_name(const struct header *table)
{
    size_t length = strnlen(table->oem_id, sizeof(table->oem_id));
    while (length > 0 && table->oem_id[length - 1] == ' ')
        length--;
    memcpy(acpi.machine, table->oem_id, length);
    acpi.machine[length++] = ' ';
    for (unsigned i = 0; i < sizeof(table->oem_table_id) && length < sizeof(acpi.machine) - 1; i++)
        if (table->oem_table_id[i] > ' ' && table->oem_table_id[i] < 0x7f)
            acpi.machine[length++] = table->oem_table_id[i];
}

uint32_t acpi_isa_gsi(unsigned isa_irq)
{
    return isa_irq < ACPI_ISA_IRQS ? acpi.isa_gsi[isa_irq] : isa_irq;
}

void acpi_parse(paddr_t rsdp)
{
    for (unsigned i = 0; i < ACPI_ISA_IRQS; i++)
        acpi.isa_gsi[i] = i;
    const struct root_pointer *pointer = root_pointer_find(rsdp);
    if (!pointer) {
        log_error("ACPI: no root pointer: one CPU, no PCI, no interrupt lines");
        return;
    }
    const struct header *root = NULL;
    unsigned width = 8;
    if (pointer->revision >= 2 && pointer->xsdt)
        root = table_at(pointer->xsdt);
    if (!root && pointer->rsdt) {
        root = table_at(pointer->rsdt);
        width = 4;
    }
    if (!root) {
        log_error("ACPI: no good root table");
        return;
    }
    machine_name(root);
    for (unsigned p = 0; p < ARRAY_SIZE(parsers); p++) {
        paddr_t entry;
        for (unsigned i = 0; (entry = root_entry(root, i, width)) != 0; i++) {
            const char *signature = acpi_view(entry, sizeof(struct header));
            if (!signature || memcmp(signature, parsers[p].signature, 4) != 0)
                continue;
            const struct header *table = table_at(entry);
            if (table)
                parsers[p].parse(table);
            break;
        }
    }
}
