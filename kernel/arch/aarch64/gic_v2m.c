// SPDX-License-Identifier: MIT
// Messages as shared lines: a GICv2m frame (Arm Server Base System Architecture, appendix E) turns
// a write of a line's number into an edge on that line. The frame owns a range of lines, of which
// message n takes the n-th; the device that writes does not matter. gic.c calls it.
#include <errno.h>

#include "kernel/arch/aarch64/gic.h"
#include "kernel/log/log.h"
#include "kernel/mm/mapping.h"

#define V2M_TYPER       0x008 // how many lines, and the first
#define V2M_SETSPI      0x040 // write a line's number here
#define V2M_FRAME_BYTES 0x1000

static paddr_t frame_address;

static int message_line(unsigned message)
{
    return (int)(gic.message_first + message);
}

// An edge that a former owner of the message left behind is nobody's.
static int v2m_setup(unsigned message, uint32_t device_id __unused, uint64_t *address,
                     uint32_t *data)
{
    int line = message_line(message);
    int error = gic_line_setup(line, IRQ_EDGE_RISING, IRQ_ORDINARY);
    if (error)
        return error;
    gic_write(gic.distributor, GICD_ICPENDR + (unsigned)line / 32 * 4, 1U << line % 32);
    *address = frame_address + V2M_SETSPI;
    *data = (uint32_t)line;
    return 0;
}

static void v2m_enable(unsigned message, bool on)
{
    if (on)
        gic_line_unmask(message_line(message));
    else
        gic_line_mask(message_line(message));
}

static int v2m_route(unsigned message, unsigned cpu)
{
    gic.model->route(message_line(message), cpu);
    return 0;
}

static const struct gic_messages v2m_messages = {
    .name = "GICv2m",
    .setup = v2m_setup,
    .enable = v2m_enable,
    .route = v2m_route,
};

// The tree may correct what the frame says of itself (binding arm,gic).
static int lines_read(const struct fdt *fdt, fdt_node node, unsigned *first, unsigned *count)
{
    volatile uint8_t *frame = device_map(frame_address, V2M_FRAME_BYTES);
    if (!frame)
        return -ENOMEM;
    uint32_t type = gic_read(frame, V2M_TYPER);
    device_unmap(frame, V2M_FRAME_BYTES);
    *first = fdt_u32(fdt, node, "arm,msi-base-spi", type >> 16 & 0x3ff);
    *count = fdt_u32(fdt, node, "arm,msi-num-spis", type & 0x3ff);
    if (*first >= GIC_SPI_FIRST && *first<gic.lines && * count> 0 && *count <= gic.lines - *first)
        return 0;
    log_error("GICv2m frame at %#llx: its lines %u+%u are none of the GIC's %u",
              (unsigned long long)frame_address, *first, *count, gic.lines);
    return -EINVAL;
}

int gic_v2m_init(const struct fdt *fdt)
{
    fdt_node node = fdt_by_compatible(fdt, 0, "arm,gic-v2m-frame");
    if (!fdt_enabled(fdt, node) || !fdt_reg(fdt, node, 0, &frame_address, NULL))
        return -ENOENT;
    unsigned first, count;
    int error = lines_read(fdt, node, &first, &count);
    if (error)
        return error;
    gic.message_first = first;
    gic.message_count = MIN(count, (unsigned)IRQ_MSI_COUNT);
    gic.message_node = node;
    gic.messages = &v2m_messages;
    return 0;
}
