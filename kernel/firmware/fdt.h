// SPDX-License-Identifier: MIT
// Device trees (Devicetree Specification 0.4, chapter 5), read in place: no allocation, no globals,
// no kernel beneath it, so that it runs before memory does and in host tests. The blob is not
// trusted. fdt_open() walks all of it once and refuses a tree whose structure is not sound; what
// is asked afterwards may find a property missing or too short, and says so by its result.
#pragma once

#include "kernel/lib/base.h"

#define FDT_HEADER_BYTES 40
#define FDT_DEPTH_MAX    16 // nodes inside one another, the root included

struct fdt {
    const uint8_t *blob;
    uint32_t bytes;
    uint32_t structure, structure_end; // offsets into the blob, as are the following
    uint32_t strings, strings_end;
    uint32_t reservations;
    const char *error; // what fdt_open() found wrong, a constant; NULL: nothing
    uint32_t error_offset;
};

// A node is named by the offset of its first token; 0 (the header lies there) is no node, and
// every function takes it and answers as for a node without anything in it.
typedef uint32_t fdt_node;

// A property's value, and how far it has been read. Reading past the end gives zeros and sets
// `short_value`, so a caller reads all it wants and asks once.
struct fdt_value {
    const uint8_t *at;
    uint32_t left;
    bool short_value;
};

// How large the blob says it is, 0 if its header is none; reads FDT_HEADER_BYTES.
uint32_t fdt_total_bytes(const void *blob);
// `available` bytes may be read. 0, or -EINVAL with fdt->error and fdt->error_offset set; the tree
// is then empty.
int fdt_open(struct fdt *fdt, const void *blob, size_t available);

// The memory reservation block: false at its end. *cursor starts at 0.
bool fdt_reservation_next(const struct fdt *fdt, unsigned *cursor, uint64_t *start,
                          uint64_t *bytes);

// -- nodes
fdt_node fdt_root(const struct fdt *fdt);
fdt_node fdt_next(const struct fdt *fdt, fdt_node node); // depth first, through the whole tree
fdt_node fdt_child(const struct fdt *fdt, fdt_node node);
fdt_node fdt_sibling(const struct fdt *fdt, fdt_node node);
fdt_node fdt_parent(const struct fdt *fdt, fdt_node node);
// The way from the root to the node, both included; returns its length, 0 where there is none.
unsigned fdt_path(const struct fdt *fdt, fdt_node node, fdt_node path[FDT_DEPTH_MAX]);
const char *fdt_name(const struct fdt *fdt, fdt_node node); // with the unit address; never NULL

#define FDT_FOR_EACH(fdt, parent, node)                                                            \
    for (fdt_node node = fdt_child(fdt, parent); node != 0; node = fdt_sibling(fdt, node))

// "/soc/serial@10000000", "/soc/serial" or "serial0:115200n8": a path or an alias; what follows a
// colon is ignored.
fdt_node fdt_by_path(const struct fdt *fdt, const char *path);
fdt_node fdt_by_phandle(const struct fdt *fdt, uint32_t phandle);
// The first node after `after` (0: of all) that is compatible with the name, enabled or not.
fdt_node fdt_by_compatible(const struct fdt *fdt, fdt_node after, const char *compatible);
#define FDT_FOR_EACH_COMPATIBLE(fdt, compatible, node)                                             \
    for (fdt_node node = 0; (node = fdt_by_compatible(fdt, node, compatible)) != 0;)

// -- properties
bool fdt_property(const struct fdt *fdt, fdt_node node, const char *name, struct fdt_value *out);
// The number in 1 to 4 cells; of more than two cells the lowest two. Cells beyond the end are 0.
uint64_t fdt_take_cells(struct fdt_value *value, unsigned cells);
// The next string of a list, or NULL where there is none that ends within the value.
const char *fdt_take_string(struct fdt_value *value);

uint32_t fdt_u32(const struct fdt *fdt, fdt_node node, const char *name, uint32_t otherwise);
const char *fdt_string(const struct fdt *fdt, fdt_node node, const char *name); // or NULL
bool fdt_compatible(const struct fdt *fdt, fdt_node node, const char *name);
bool fdt_enabled(const struct fdt *fdt, fdt_node node); // status absent, "okay" or "ok"

// -- addresses (fdt_bus.c)
// Entry `index` of `reg` as the CPU sees it, translated through the `ranges` of every bus above.
// False: no such entry, or a bus in between does not reach it. `bytes` may be NULL.
bool fdt_reg(const struct fdt *fdt, fdt_node node, unsigned index, paddr_t *address,
             uint64_t *bytes);
// Entry `index` of the `ranges` of a PCI host bridge: the first cell of the PCI address (space and
// flags), the address on the bus, and the window as the CPU sees it. 0; -ENOENT at the end; -EINVAL
// for one that cannot be reached (go on with the next).
struct fdt_pci_range {
    uint32_t flags;
    uint64_t bus_address;
    paddr_t address;
    uint64_t bytes;
};
int fdt_pci_range(const struct fdt *fdt, fdt_node host, unsigned index, struct fdt_pci_range *out);

// -- interrupts (fdt_bus.c)
#define FDT_INTERRUPT_CELLS 4
struct fdt_interrupt {
    fdt_node controller;
    uint32_t cells[FDT_INTERRUPT_CELLS]; // in the controller's own format
    unsigned count;
};
// Entry `index` of `interrupts-extended` or `interrupts`.
bool fdt_interrupt(const struct fdt *fdt, fdt_node node, unsigned index, struct fdt_interrupt *out);
// What the interrupt-map of a PCI host bridge says about a pin (1 is INTA#) of a device.
bool fdt_pci_interrupt(const struct fdt *fdt, fdt_node host, uint8_t bus, uint8_t slot, uint8_t pin,
                       struct fdt_interrupt *out);
// Where messages of a device behind a PCI host bridge go (Devicetree binding pci-msi): its MSI
// controller and the identity it has there. `requester` is bus << 8 | slot << 3 | function.
bool fdt_pci_message(const struct fdt *fdt, fdt_node host, uint32_t requester, fdt_node *controller,
                     uint32_t *device_id);
