// SPDX-License-Identifier: MIT
// What the boot loader and the firmware tell, brought into struct boot_info: the PVH start info
// (Xen's public/arch-x86/hvm/start_info.h) or multiboot2's information (specification, 3.6), then
// the ACPI tables. Runs on the boot tables, whose direct map covers the first 4 GiB: what lies
// beyond is refused by name.
#include <string.h>

#include "kernel/arch/boot.h"
#include "kernel/arch/mmu.h"
#include "kernel/arch/x86_64/start.h"
#include "kernel/firmware/acpi.h"
#include "kernel/log/log.h"
#include <machine/io.h>

#define PVH_MAGIC        0x336ec578
#define E820_RAM         1
#define LOW_MEMORY_BYTES 0xa0000
#define UART_SCRATCH     7
#define UART_LINE        5

struct pvh_start_info {
    uint32_t magic, version, flags, module_count;
    uint64_t modules, command_line, rsdp;
    uint64_t memory_map; // version 1 on
    uint32_t memory_map_entries, reserved;
} __packed;

struct pvh_module {
    uint64_t start, bytes, command_line, reserved;
} __packed;

struct pvh_memory {
    uint64_t start, bytes;
    uint32_t type, reserved;
} __packed;

struct multiboot_tag {
    uint32_t type, bytes;
} __packed;

enum {
    TAG_END = 0,
    TAG_COMMAND_LINE = 1,
    TAG_MODULE = 3,
    TAG_MEMORY_MAP = 6,
    TAG_RSDP_1 = 14,
    TAG_RSDP_2 = 15
};

paddr_t trampoline_page;

static void range_add(struct memory_range *ranges, unsigned *count, const char *what,
                      uint64_t start, uint64_t bytes)
{
    if (bytes == 0 || start + bytes < start)
        return;
    if (*count == BOOT_RANGES_MAX) {
        log_warn("boot: more than %u ranges of %s, 0x%llx and on ignored", BOOT_RANGES_MAX, what,
                 (unsigned long long)start);
        return;
    }
    ranges[(*count)++] = (struct memory_range){start, bytes};
}

static void ram_add(uint64_t start, uint64_t bytes)
{
    range_add(boot_info.ram, &boot_info.ram_count, "RAM", start, bytes);
}

static void reserved_add(uint64_t start, uint64_t bytes)
{
    range_add(boot_info.reserved, &boot_info.reserved_count, "reserved memory", start, bytes);
}

// A string that ends before the boot mapping does.
static void command_line_set(paddr_t paddr)
{
    const char *text = paddr ? acpi_view(paddr, 1) : NULL;
    size_t i = 0;
    for (; text && i < COMMAND_LINE_MAX - 1 && acpi_view(paddr + i, 1) && text[i]; i++)
        boot_info.command_line[i] = text[i];
    boot_info.command_line[i] = '\0';
}

static paddr_t pvh_parse(const struct pvh_start_info *info)
{
    command_line_set(info->command_line);
    if (info->version >= 1) {
        uint64_t bytes = (uint64_t)info->memory_map_entries * sizeof(struct pvh_memory);
        const struct pvh_memory *map = acpi_view(info->memory_map, bytes);
        if (!map)
            log_error("boot: the PVH memory map at 0x%llx, %u entries, cannot be read",
                      (unsigned long long)info->memory_map, info->memory_map_entries);
        for (unsigned i = 0; map && i < info->memory_map_entries; i++)
            if (map[i].type == E820_RAM)
                ram_add(map[i].start, map[i].bytes);
    }
    uint64_t bytes = (uint64_t)info->module_count * sizeof(struct pvh_module);
    const struct pvh_module *modules = bytes ? acpi_view(info->modules, bytes) : NULL;
    for (unsigned i = 0; modules && i < info->module_count; i++)
        reserved_add(modules[i].start, modules[i].bytes);
    return info->rsdp;
}

static void multiboot_memory(const uint8_t *tag, uint32_t bytes)
{
    uint32_t entry_bytes;
    memcpy(&entry_bytes, tag + 8, sizeof(entry_bytes));
    for (uint64_t at = 16; entry_bytes >= sizeof(struct pvh_memory) && at + entry_bytes <= bytes;
         at += entry_bytes) {
        struct pvh_memory entry; // the same layout
        memcpy(&entry, tag + at, sizeof(entry));
        if (entry.type == E820_RAM)
            ram_add(entry.start, entry.bytes);
    }
}

static paddr_t multiboot_parse(paddr_t handoff)
{
    const uint32_t *total = acpi_view(handoff, 8);
    const uint8_t *info = total ? acpi_view(handoff, *total) : NULL;
    paddr_t rsdp = 0;
    if (!info) {
        log_error("boot: no PVH start info and no multiboot2 information at 0x%llx",
                  (unsigned long long)handoff);
        return 0;
    }
    for (uint64_t at = 8; at + sizeof(struct multiboot_tag) <= *total;) {
        struct multiboot_tag tag;
        memcpy(&tag, info + at, sizeof(tag));
        if (tag.type == TAG_END || tag.bytes < sizeof(tag) || tag.bytes > *total - at)
            break;
        if (tag.type == TAG_COMMAND_LINE) {
            command_line_set(handoff + at + sizeof(tag));
        } else if (tag.type == TAG_MODULE && tag.bytes >= 16) {
            uint32_t ends[2];
            memcpy(ends, info + at + sizeof(tag), sizeof(ends));
            if (ends[1] > ends[0])
                reserved_add(ends[0], ends[1] - ends[0]);
        } else if (tag.type == TAG_MEMORY_MAP && tag.bytes >= 16) {
            multiboot_memory(info + at, tag.bytes);
        } else if (tag.type == TAG_RSDP_2 || (tag.type == TAG_RSDP_1 && !rsdp)) {
            rsdp = handoff + at + sizeof(tag);
        }
        at += ALIGN_UP((uint64_t)tag.bytes, 8);
    }
    return rsdp;
}

// One page below 640 KiB for the start of other CPUs. Everything below it stays unused too: it is
// little, and firmware is careless there.
static void trampoline_choose(void)
{
    for (unsigned i = 0; i < boot_info.ram_count; i++) {
        paddr_t start = MAX(boot_info.ram[i].start, (uint64_t)PAGE_SIZE);
        paddr_t page = ALIGN_UP(start, PAGE_SIZE);
        paddr_t end = boot_info.ram[i].start + boot_info.ram[i].bytes;
        if (page + PAGE_SIZE <= end && page + PAGE_SIZE <= LOW_MEMORY_BYTES) {
            trampoline_page = page;
            break;
        }
    }
    if (trampoline_page)
        reserved_add(0, trampoline_page + PAGE_SIZE);
    else
        log_warn("boot: no free page below 640 KiB: only one CPU can run");
}

// The boot CPU first, the others in ACPI's order.
static void cpus_list(uint64_t boot_hw_id)
{
    boot_info.cpu_hw_id[0] = boot_hw_id;
    boot_info.cpu_count = 1;
    boot_info.cpu_found = MAX(acpi.cpu_found, 1u);
    for (unsigned i = 0; i < acpi.cpu_count; i++)
        if (acpi.cpu_apic_id[i] != boot_hw_id && boot_info.cpu_count < CPU_MAX)
            boot_info.cpu_hw_id[boot_info.cpu_count++] = acpi.cpu_apic_id[i];
    if (boot_info.cpu_found > boot_info.cpu_count)
        log_warn("boot: %u CPUs, of which %u are used", boot_info.cpu_found, boot_info.cpu_count);
}

static void uart_add(struct boot_uart uart)
{
    for (unsigned i = 0; i < boot_info.uart_count; i++)
        if (boot_info.uart[i].kind == uart.kind && boot_info.uart[i].base == uart.base)
            return;
    if (boot_info.uart_count < BOOT_UARTS_MAX)
        boot_info.uart[boot_info.uart_count++] = uart;
}

// A 16550's scratch register keeps what is written to it; nothing at all reads as ones.
static bool port_uart_present(uint16_t port)
{
    uint8_t before = port_read8(port + UART_SCRATCH);
    port_write8(port + UART_SCRATCH, 0x5a);
    bool kept = port_read8(port + UART_SCRATCH) == 0x5a;
    port_write8(port + UART_SCRATCH, before);
    return kept && port_read8(port + UART_LINE) != 0xff;
}

static void uarts_list(void)
{
    static const struct {
        uint16_t port;
        uint8_t isa_irq;
    } legacy[] = {{0x3f8, 4}, {0x2f8, 3}};
    if (acpi.console.kind != UART_NONE)
        uart_add(acpi.console);
    for (unsigned i = 0; i < ARRAY_SIZE(legacy); i++)
        if (port_uart_present(legacy[i].port))
            uart_add((struct boot_uart){.kind = UART_16550_PORT,
                                        .base = legacy[i].port,
                                        .irq = (int)acpi_isa_gsi(legacy[i].isa_irq)});
}

void arch_boot_info(uint64_t boot_hw_id, paddr_t handoff)
{
    const struct pvh_start_info *info = acpi_view(handoff, sizeof(*info));
    bool pvh = info && info->magic == PVH_MAGIC;
    paddr_t rsdp = pvh ? pvh_parse(info) : multiboot_parse(handoff);
    acpi_parse(rsdp);
    trampoline_choose();
    cpus_list(boot_hw_id);
    uarts_list();
    boot_info.ecam_count = acpi.ecam_count;
    memcpy(boot_info.ecam, acpi.ecam, sizeof(boot_info.ecam));
    boot_info.machine = acpi.machine[0] ? acpi.machine : "PC without ACPI";
}
