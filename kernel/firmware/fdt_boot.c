// SPDX-License-Identifier: MIT
// From a device tree to boot_info; see fdt_boot.h. Runs once on the boot CPU before memory
// management. Every table of boot_info has room for a fixed number of rows: what does not fit is
// logged, and the machine is then smaller than it could be.
#include "kernel/firmware/fdt_boot.h"

#include <errno.h>
#include <string.h>

#include "kernel/log/log.h"

static struct fdt tree;

const struct fdt *fdt_boot_tree(void)
{
    return &tree;
}

static void complain(fdt_node node, const char *what)
{
    log_warn("device tree: %s at offset %#x: %s", fdt_name(&tree, node), node, what);
}

// -- memory -----------------------------------------------------------------------------------

struct range_list {
    struct memory_range *ranges;
    unsigned *count;
    const char *name;
};

static void range_insert(struct range_list list, unsigned where, paddr_t start, uint64_t bytes)
{
    if (*list.count == BOOT_RANGES_MAX) {
        log_warn("device tree: no room for more %s, %#llx+%#llx is left out", list.name,
                 (unsigned long long)start, (unsigned long long)bytes);
        return;
    }
    memmove(&list.ranges[where + 1], &list.ranges[where],
            (*list.count - where) * sizeof(list.ranges[0]));
    list.ranges[where] = (struct memory_range){start, bytes};
    (*list.count)++;
}

static void range_delete(struct range_list list, unsigned where)
{
    (*list.count)--;
    memmove(&list.ranges[where], &list.ranges[where + 1],
            (*list.count - where) * sizeof(list.ranges[0]));
}

static uint64_t range_end(const struct memory_range *range)
{
    return range->start + range->bytes;
}

// Keeps the list sorted and its ranges apart: one that touches or overlaps others absorbs them.
static void range_add(struct range_list list, paddr_t start, uint64_t bytes)
{
    uint64_t end = start + bytes;
    if (end <= start)
        return;
    unsigned where = 0;
    while (where < *list.count && range_end(&list.ranges[where]) < start)
        where++;
    while (where < *list.count && list.ranges[where].start <= end) {
        start = MIN(start, list.ranges[where].start);
        end = MAX(end, range_end(&list.ranges[where]));
        range_delete(list, where);
    }
    range_insert(list, where, start, end - start);
}

static void range_remove(struct range_list list, paddr_t start, uint64_t bytes)
{
    uint64_t end = start + bytes;
    for (unsigned i = 0; i < *list.count;) {
        struct memory_range old = list.ranges[i];
        if (end <= start || range_end(&old) <= start || old.start >= end) {
            i++;
            continue;
        }
        range_delete(list, i);
        if (range_end(&old) > end)
            range_insert(list, i, end, range_end(&old) - end);
        if (old.start < start) {
            range_insert(list, i, old.start, start - old.start);
            i++;
        }
        // The part behind the hole begins at `end`: looked at again, it is passed over.
    }
}

static struct range_list ram_list(void)
{
    return (struct range_list){boot_info.ram, &boot_info.ram_count, "memory"};
}

static struct range_list reserved_list(void)
{
    return (struct range_list){boot_info.reserved, &boot_info.reserved_count, "reserved memory"};
}

// Memory nodes are known by their device_type (specification 3.4); any may have several entries.
static void memory_read(void)
{
    FDT_FOR_EACH (&tree, fdt_root(&tree), node) {
        const char *type = fdt_string(&tree, node, "device_type");
        if (type == NULL || strcmp(type, "memory") != 0 || !fdt_enabled(&tree, node))
            continue;
        paddr_t start;
        uint64_t bytes;
        unsigned index = 0;
        for (; fdt_reg(&tree, node, index, &start, &bytes); index++)
            range_add(ram_list(), start, bytes);
        if (index == 0)
            complain(node, "memory without an address");
    }
}

// Regions with a fixed address. Those the firmware forbids to map (no-map: it guards them, and
// even a speculative read may trap) are not memory at all to us.
static void reserved_memory_read(void)
{
    FDT_FOR_EACH (&tree, fdt_by_path(&tree, "/reserved-memory"), node) {
        struct fdt_value unused;
        bool unmapped = fdt_property(&tree, node, "no-map", &unused);
        paddr_t start;
        uint64_t bytes;
        for (unsigned i = 0; fdt_reg(&tree, node, i, &start, &bytes); i++)
            if (unmapped)
                range_remove(ram_list(), start, bytes);
            else
                range_add(reserved_list(), start, bytes);
    }
}

static void reservation_block_read(void)
{
    uint64_t start, bytes;
    for (unsigned cursor = 0; fdt_reservation_next(&tree, &cursor, &start, &bytes);)
        range_add(reserved_list(), start, bytes);
}

static bool is_ram(paddr_t start, uint64_t bytes)
{
    for (unsigned i = 0; i < boot_info.ram_count; i++) {
        const struct memory_range *ram = &boot_info.ram[i];
        if (start >= ram->start && start + bytes <= range_end(ram))
            return true;
    }
    return false;
}

// -- what the boot loader chose ---------------------------------------------------------------

// Boot loaders write initrd bounds in one cell or two.
static uint64_t whole_value(fdt_node node, const char *name)
{
    struct fdt_value value;
    fdt_property(&tree, node, name, &value);
    return value.left == 4 || value.left == 8 ? fdt_take_cells(&value, value.left / 4) : 0;
}

static void chosen_read(void)
{
    fdt_node chosen = fdt_by_path(&tree, "/chosen");
    const char *arguments = fdt_string(&tree, chosen, "bootargs");
    if (arguments != NULL &&
        strlcpy(boot_info.command_line, arguments, COMMAND_LINE_MAX) >= COMMAND_LINE_MAX)
        complain(chosen, "bootargs cut off");
    uint64_t initrd = whole_value(chosen, "linux,initrd-start");
    uint64_t initrd_end = whole_value(chosen, "linux,initrd-end");
    if (initrd_end > initrd)
        range_add(reserved_list(), initrd, initrd_end - initrd);
    struct fdt_value seed;
    fdt_property(&tree, chosen, "rng-seed", &seed);
    while (seed.left >= sizeof(uint64_t))
        boot_info.seed ^= fdt_take_cells(&seed, 2);
}

// -- interrupts -------------------------------------------------------------------------------

// The GIC binding: type, number within the type, flags (1 and 2 edges, 4 and 8 levels).
#define GIC_SHARED        0
#define GIC_PRIVATE       1
#define GIC_SHARED_FIRST  32
#define GIC_PRIVATE_FIRST 16
#define TRIGGER_EDGES     3
#define IRQ_NUMBER_MAX    1023

int fdt_boot_irq(const struct fdt_interrupt *interrupt, bool *level)
{
    uint32_t number, flags = 0, first = 0;
    if (interrupt->count == 3) {
        if (interrupt->cells[0] > GIC_PRIVATE)
            return -1;
        first = interrupt->cells[0] == GIC_SHARED ? GIC_SHARED_FIRST : GIC_PRIVATE_FIRST;
        number = interrupt->cells[1];
        flags = interrupt->cells[2];
    } else if (interrupt->count == 1 || interrupt->count == 2) {
        number = interrupt->cells[0];
        flags = interrupt->cells[1];
    } else {
        return -1;
    }
    if (level != NULL)
        *level = (flags & TRIGGER_EDGES) == 0;
    return number > IRQ_NUMBER_MAX - first ? -1 : (int)(number + first);
}

int fdt_boot_pci_irq(uint8_t bus, uint8_t slot, uint8_t pin)
{
    struct fdt_interrupt interrupt;
    FDT_FOR_EACH_COMPATIBLE (&tree, FDT_PCI_HOST, host)
        if (fdt_pci_interrupt(&tree, host, bus, slot, pin, &interrupt))
            return fdt_boot_irq(&interrupt, NULL);
    return -1;
}

// -- serial lines -----------------------------------------------------------------------------

static const struct {
    const char *compatible;
    enum uart_kind kind;
} uart_kinds[] = {
    {"ns16550a", UART_16550_MMIO},
    {"ns16550", UART_16550_MMIO},
    {"arm,pl011", UART_PL011},
};

static enum uart_kind uart_kind(fdt_node node)
{
    for (unsigned i = 0; i < ARRAY_SIZE(uart_kinds); i++)
        if (fdt_compatible(&tree, node, uart_kinds[i].compatible))
            return uart_kinds[i].kind;
    return UART_NONE;
}

// Said outright, or by the first of `clocks` if that one has a fixed rate.
static uint32_t uart_clock_hz(fdt_node node)
{
    uint32_t hz = fdt_u32(&tree, node, "clock-frequency", 0);
    if (hz == 0) {
        fdt_node clock = fdt_by_phandle(&tree, fdt_u32(&tree, node, "clocks", 0));
        hz = fdt_u32(&tree, clock, "clock-frequency", 0);
    }
    return hz;
}

static void uart_add(fdt_node node)
{
    enum uart_kind kind = uart_kind(node);
    if (kind == UART_NONE || !fdt_enabled(&tree, node))
        return;
    if (boot_info.uart_count == BOOT_UARTS_MAX) {
        complain(node, "no room for more serial lines");
        return;
    }
    struct boot_uart uart = {.kind = kind, .irq = -1, .clock_hz = uart_clock_hz(node)};
    uint32_t shift = fdt_u32(&tree, node, "reg-shift", 0);
    if (!fdt_reg(&tree, node, 0, &uart.base, NULL) || shift > 3) {
        complain(node, "serial line without a usable address");
        return;
    }
    uart.register_shift = (uint8_t)shift;
    struct fdt_interrupt interrupt;
    if (fdt_interrupt(&tree, node, 0, &interrupt))
        uart.irq = fdt_boot_irq(&interrupt, &uart.irq_level);
    boot_info.uart[boot_info.uart_count++] = uart;
}

// The console, which /chosen names, comes first.
static void uarts_read(void)
{
    const char *path = fdt_string(&tree, fdt_by_path(&tree, "/chosen"), "stdout-path");
    fdt_node console = path == NULL ? 0 : fdt_by_path(&tree, path);
    uart_add(console);
    for (fdt_node node = fdt_root(&tree); node != 0; node = fdt_next(&tree, node))
        if (node != console)
            uart_add(node);
}

// -- CPUs -------------------------------------------------------------------------------------

static void cpu_add(fdt_node node)
{
    uint64_t hw_id;
    if (!fdt_reg(&tree, node, 0, &hw_id, NULL)) {
        complain(node, "CPU without a number");
        return;
    }
    boot_info.cpu_found++;
    for (unsigned i = 0; i < boot_info.cpu_count; i++) {
        if (boot_info.cpu_hw_id[i] == hw_id) {
            if (i != 0)
                complain(node, "CPU named twice");
            return;
        }
    }
    if (boot_info.cpu_count < CPU_MAX)
        boot_info.cpu_hw_id[boot_info.cpu_count++] = hw_id;
}

// The boot CPU, which evidently exists, is the first whether the tree has it or not.
static void cpus_read(uint64_t boot_hw_id)
{
    boot_info.cpu_hw_id[0] = boot_hw_id;
    boot_info.cpu_count = 1;
    FDT_FOR_EACH (&tree, fdt_by_path(&tree, "/cpus"), node) {
        const char *type = fdt_string(&tree, node, "device_type");
        if (type != NULL && strcmp(type, "cpu") == 0 && fdt_enabled(&tree, node))
            cpu_add(node);
    }
    boot_info.cpu_found = MAX(boot_info.cpu_found, 1U);
    if (boot_info.cpu_found > CPU_MAX)
        log_warn("device tree: %u CPUs, of which %d are used", boot_info.cpu_found, CPU_MAX);
}

// -- PCI --------------------------------------------------------------------------------------

#define ECAM_BUS_BYTES MIB(1) // 32 devices of 8 functions of 4 KiB

// The first cell of a PCI address: its space, and whether reads have side effects.
#define PCI_SPACE(flags)      ((flags) >> 24 & 3)
#define PCI_SPACE_IO          1
#define PCI_SPACE_32          2
#define PCI_SPACE_64          3
#define PCI_FLAG_PREFETCHABLE 0x40000000

// A window is of use where the bus sees the addresses the CPU sees (ports: starting at 0).
static void ecam_window_add(struct boot_ecam *ecam, const struct fdt_pci_range *range)
{
    struct memory_range window = {range->address, range->bytes};
    switch (PCI_SPACE(range->flags)) {
    case PCI_SPACE_IO:
        if (range->bus_address == 0 && ecam->window_io_bytes == 0) {
            ecam->window_io_base = range->address;
            ecam->window_io_bytes = range->bytes;
        }
        break;
    case PCI_SPACE_32:
        if (range->bus_address == range->address && ecam->window_32.bytes == 0 &&
            (range->flags & PCI_FLAG_PREFETCHABLE) == 0)
            ecam->window_32 = window;
        break;
    case PCI_SPACE_64:
        if (range->bus_address == range->address && ecam->window_64.bytes == 0)
            ecam->window_64 = window;
        break;
    default:
        break;
    }
}

static void ecam_add(fdt_node node)
{
    struct fdt_value buses;
    struct boot_ecam ecam = {.segment = (uint16_t)fdt_u32(&tree, node, "linux,pci-domain", 0)};
    uint64_t first = 0, last = 0xff, bytes;
    if (fdt_property(&tree, node, "bus-range", &buses)) {
        first = fdt_take_cells(&buses, 1);
        last = fdt_take_cells(&buses, 1);
    }
    if (!fdt_reg(&tree, node, 0, &ecam.base, &bytes) || first > last || last > 0xff ||
        bytes < ECAM_BUS_BYTES) {
        complain(node, "PCI host bridge without usable addresses or buses");
        return;
    }
    ecam.bus_first = (uint8_t)first;
    ecam.bus_last = (uint8_t)MIN(last, first + bytes / ECAM_BUS_BYTES - 1);
    struct fdt_pci_range range;
    int error;
    for (unsigned i = 0; (error = fdt_pci_range(&tree, node, i, &range)) != -ENOENT; i++)
        if (error == 0)
            ecam_window_add(&ecam, &range);
    boot_info.ecam[boot_info.ecam_count++] = ecam;
}

static void ecams_read(void)
{
    FDT_FOR_EACH_COMPATIBLE (&tree, FDT_PCI_HOST, node) {
        if (boot_info.ecam_count == BOOT_ECAM_MAX) {
            complain(node, "no room for more PCI host bridges");
            return;
        }
        if (fdt_enabled(&tree, node))
            ecam_add(node);
    }
}

// -- all of it --------------------------------------------------------------------------------

static const char *machine_name(void)
{
    const char *model = fdt_string(&tree, fdt_root(&tree), "model");
    const char *compatible = fdt_string(&tree, fdt_root(&tree), "compatible");
    return model != NULL ? model : compatible != NULL ? compatible : "unnamed";
}

int fdt_boot_info(const void *blob, paddr_t paddr, size_t mapped_bytes, uint64_t boot_hw_id)
{
    int error = fdt_open(&tree, blob, mapped_bytes);
    boot_info.machine = machine_name();
    cpus_read(boot_hw_id);
    if (error != 0) {
        log_error("device tree: unusable at offset %#x: %s", tree.error_offset, tree.error);
        return error;
    }
    boot_info.device_tree = blob;
    memory_read();
    reserved_memory_read();
    reservation_block_read();
    range_add(reserved_list(), paddr, tree.bytes);
    chosen_read();
    uarts_read();
    ecams_read();
    if (!is_ram(paddr, tree.bytes)) {
        // The final direct map has RAM only: the tree could not be read any more.
        log_warn("device tree: lies outside the memory it describes, and is not kept");
        boot_info.machine = "unnamed";
        boot_info.device_tree = NULL;
        tree = (struct fdt){0};
    }
    return 0;
}
