// SPDX-License-Identifier: MIT
// What a device tree says of addresses and interrupts (Devicetree Specification 0.4, 2.3 and 2.4):
// numbers mean something on a bus, and each bus on the way to the CPU may translate them. Above
// the reader of nodes and properties in fdt.c, under the same terms: no allocation, no globals.
#include "kernel/firmware/fdt.h"

#include <errno.h>

#define PCI_ADDRESS_CELLS 3
#define PCI_SIZE_CELLS    2

// -- addresses --------------------------------------------------------------------------------

// What the children of a bus write into `reg`. The defaults are the specification's (2.3.5).
struct bus_cells {
    unsigned address, size;
};

static struct bus_cells bus_cells(const struct fdt *fdt, fdt_node bus)
{
    return (struct bus_cells){
        .address = fdt_u32(fdt, bus, "#address-cells", 2),
        .size = fdt_u32(fdt, bus, "#size-cells", 1),
    };
}

// Only what fits 64 bits can be an address the CPU uses.
static bool bus_cells_plain(struct bus_cells cells)
{
    return cells.address >= 1 && cells.address <= 2 && cells.size <= 2;
}

static bool range_holds(uint64_t start, uint64_t length, uint64_t address, uint64_t bytes)
{
    return address >= start && address - start < length && bytes <= length - (address - start);
}

// One bus upwards, through the `ranges` of `bus`.
static bool bus_translate(const struct fdt *fdt, fdt_node bus, unsigned parent_cells,
                          uint64_t *address, uint64_t bytes)
{
    struct fdt_value ranges;
    if (!fdt_property(fdt, bus, "ranges", &ranges))
        return false;
    if (ranges.left == 0)
        return true;
    struct bus_cells cells = bus_cells(fdt, bus);
    if (!bus_cells_plain(cells) || cells.size == 0)
        return false;
    while (ranges.left > 0) {
        uint64_t child = fdt_take_cells(&ranges, cells.address);
        uint64_t parent = fdt_take_cells(&ranges, parent_cells);
        uint64_t length = fdt_take_cells(&ranges, cells.size);
        if (!ranges.short_value && range_holds(child, length, *address, bytes)) {
            *address = parent + (*address - child);
            return true;
        }
    }
    return false;
}

// From the children's side of path[depth - 1] up to the CPU.
static bool path_translate(const struct fdt *fdt, const fdt_node *path, unsigned depth,
                           uint64_t *address, uint64_t bytes)
{
    for (; depth > 1; depth--) {
        struct bus_cells parent = bus_cells(fdt, path[depth - 2]);
        if (!bus_cells_plain(parent) ||
            !bus_translate(fdt, path[depth - 1], parent.address, address, bytes))
            return false;
    }
    return *address + bytes >= *address;
}

bool fdt_reg(const struct fdt *fdt, fdt_node node, unsigned index, paddr_t *address,
             uint64_t *bytes)
{
    fdt_node path[FDT_DEPTH_MAX];
    unsigned depth = fdt_path(fdt, node, path);
    struct fdt_value reg;
    if (depth < 2 || !fdt_property(fdt, node, "reg", &reg))
        return false;
    struct bus_cells cells = bus_cells(fdt, path[depth - 2]);
    if (!bus_cells_plain(cells))
        return false;
    uint64_t start = 0, length = 0;
    for (unsigned i = 0; i <= index && !reg.short_value; i++) {
        start = fdt_take_cells(&reg, cells.address);
        length = fdt_take_cells(&reg, cells.size);
    }
    if (reg.short_value)
        return false;
    // Without sizes (the bus of the CPUs, say) the numbers name things, they are no addresses.
    if (cells.size != 0 && !path_translate(fdt, path, depth - 1, &start, length))
        return false;
    *address = start;
    if (bytes != NULL)
        *bytes = length;
    return true;
}

int fdt_pci_range(const struct fdt *fdt, fdt_node host, unsigned index, struct fdt_pci_range *out)
{
    fdt_node path[FDT_DEPTH_MAX];
    unsigned depth = fdt_path(fdt, host, path);
    struct fdt_value ranges;
    if (depth < 2 || !fdt_property(fdt, host, "ranges", &ranges))
        return -ENOENT;
    struct bus_cells cells = bus_cells(fdt, host);
    struct bus_cells parent = bus_cells(fdt, path[depth - 2]);
    if (cells.address != PCI_ADDRESS_CELLS || cells.size != PCI_SIZE_CELLS ||
        !bus_cells_plain(parent))
        return -ENOENT;
    for (unsigned i = 0; i <= index && !ranges.short_value; i++) {
        out->flags = (uint32_t)fdt_take_cells(&ranges, 1);
        out->bus_address = fdt_take_cells(&ranges, 2);
        out->address = fdt_take_cells(&ranges, parent.address);
        out->bytes = fdt_take_cells(&ranges, PCI_SIZE_CELLS);
    }
    if (ranges.short_value)
        return -ENOENT;
    bool reachable = path_translate(fdt, path, depth - 1, &out->address, out->bytes) &&
                     out->bus_address + out->bytes >= out->bus_address;
    return reachable ? 0 : -EINVAL;
}

// -- interrupts -------------------------------------------------------------------------------

// Reads one specifier in the format of the controller.
static bool take_specifier(const struct fdt *fdt, fdt_node controller, struct fdt_value *value,
                           struct fdt_interrupt *out)
{
    *out = (struct fdt_interrupt){
        .controller = controller,
        .count = fdt_u32(fdt, controller, "#interrupt-cells", 0),
    };
    if (controller == 0 || out->count == 0 || out->count > FDT_INTERRUPT_CELLS)
        return false;
    for (unsigned i = 0; i < out->count; i++)
        out->cells[i] = (uint32_t)fdt_take_cells(value, 1);
    return !value->short_value;
}

// The nearest `interrupt-parent` at the node or above it.
static fdt_node interrupt_parent(const struct fdt *fdt, fdt_node node)
{
    fdt_node path[FDT_DEPTH_MAX];
    for (unsigned depth = fdt_path(fdt, node, path); depth > 0; depth--) {
        uint32_t phandle = fdt_u32(fdt, path[depth - 1], "interrupt-parent", 0);
        if (phandle != 0)
            return fdt_by_phandle(fdt, phandle);
    }
    return 0;
}

bool fdt_interrupt(const struct fdt *fdt, fdt_node node, unsigned index, struct fdt_interrupt *out)
{
    struct fdt_value value;
    bool extended = fdt_property(fdt, node, "interrupts-extended", &value);
    if (!extended && !fdt_property(fdt, node, "interrupts", &value))
        return false;
    fdt_node controller = extended ? 0 : interrupt_parent(fdt, node);
    for (unsigned i = 0; i <= index; i++) {
        if (extended)
            controller = fdt_by_phandle(fdt, (uint32_t)fdt_take_cells(&value, 1));
        if (!take_specifier(fdt, controller, &value, out))
            return false;
    }
    return true;
}

bool fdt_pci_interrupt(const struct fdt *fdt, fdt_node host, uint8_t bus, uint8_t slot, uint8_t pin,
                       struct fdt_interrupt *out)
{
    // A PCI unit address without register and function; then the pin (PCI bus binding, 4.1.1).
    const uint32_t wanted[PCI_ADDRESS_CELLS + 1] = {(uint32_t)bus << 16 | (uint32_t)slot << 11, 0,
                                                    0, pin};
    uint32_t mask[PCI_ADDRESS_CELLS + 1];
    struct fdt_value map, mask_value;
    if (!fdt_property(fdt, host, "interrupt-map", &map))
        return false;
    bool masked = fdt_property(fdt, host, "interrupt-map-mask", &mask_value);
    for (unsigned i = 0; i < ARRAY_SIZE(mask); i++)
        mask[i] = masked ? (uint32_t)fdt_take_cells(&mask_value, 1) : UINT32_MAX;
    while (map.left > 0) {
        bool matches = true;
        for (unsigned i = 0; i < ARRAY_SIZE(mask); i++)
            matches &= (((uint32_t)fdt_take_cells(&map, 1) ^ wanted[i]) & mask[i]) == 0;
        fdt_node controller = fdt_by_phandle(fdt, (uint32_t)fdt_take_cells(&map, 1));
        unsigned unit_cells = fdt_u32(fdt, controller, "#address-cells", 0);
        if (unit_cells > 4)
            return false;
        fdt_take_cells(&map, unit_cells);
        if (!take_specifier(fdt, controller, &map, out))
            return false;
        if (matches)
            return true;
    }
    return false;
}

bool fdt_pci_message(const struct fdt *fdt, fdt_node host, uint32_t requester, fdt_node *controller,
                     uint32_t *device_id)
{
    struct fdt_value map;
    if (!fdt_property(fdt, host, "msi-map", &map)) {
        *controller = fdt_by_phandle(fdt, fdt_u32(fdt, host, "msi-parent", 0));
        *device_id = requester;
        return *controller != 0;
    }
    uint32_t masked = requester & fdt_u32(fdt, host, "msi-map-mask", UINT32_MAX);
    while (map.left > 0) {
        uint32_t first = (uint32_t)fdt_take_cells(&map, 1);
        uint32_t phandle = (uint32_t)fdt_take_cells(&map, 1);
        uint32_t to = (uint32_t)fdt_take_cells(&map, 1);
        uint32_t length = (uint32_t)fdt_take_cells(&map, 1);
        if (!map.short_value && masked >= first && masked - first < length) {
            *controller = fdt_by_phandle(fdt, phandle);
            *device_id = to + (masked - first);
            return *controller != 0;
        }
    }
    return false;
}
