// SPDX-License-Identifier: MIT
// What the versions of the Arm GIC share: taking an interrupt, its class, the distributor's
// registers for each line, and which irq a message is. Registers the chip with the interrupt table.
// The paths an NMI takes run without locks and are the debugger's.
#include "kernel/arch/aarch64/gic.h"

#include <errno.h>

#include "kdebug/kdebug.h"
#include "kernel/arch/cpu.h"
#include "kernel/firmware/fdt_boot.h"
#include "kernel/log/console.h"
#include "kernel/log/log.h"
#include "kernel/panic.h"
#include "kernel/sched/thread.h"
#include <machine/sysreg.h>

struct gic gic;

// Bit per line: it is of the debug class.
static uint32_t debug_lines[IRQ_LINES / 32];

static struct {
    int irq;
    void (*handler)(void);
} ppi_handlers[2];

// -- taking an interrupt ----------------------------------------------------------------------

__debugger_text static bool is_nmi(uint32_t intid)
{
    if (intid < IRQ_LINES && debug_lines[intid / 32] & 1U << intid % 32)
        return true;
    return intid == SGI_STOP || intid == SGI_WAKE;
}

// Ended before it is handled: while it is active the GIC would hold back the next stop signal,
// which is to end the sleep of this CPU. It cannot come again before: DAIF stays masked.
__debugger_text static void nmi_handle(struct kd_frame *frame, uint32_t token)
{
    uint32_t intid = token & 0x3ff;
    cpu_pointers_repair(frame->sp);
    struct cpu *cpu = arch_this_cpu();
    cpu->nmi_depth++;
    gic.model->end(token);
    if (cpu_masks_by_priority)
        arch_irq_disable();
    daif_clear(PSTATE_A);
    if (!(sysreg_read(mdscr_el1) & MDSCR_SS))
        daif_clear(PSTATE_D);
    if (intid == SGI_STOP)
        kd_cpu_stop(frame);
    else if (intid != SGI_WAKE)
        irq_dispatch((int)intid, frame);
    cpu->nmi_depth--;
}

static void sgi_handle(uint32_t sgi)
{
    switch (sgi) {
    case IPI_RESCHEDULE:
        sched_ipi();
        break;
    case IPI_CALL:
        smp_call_ipi();
        break;
    case IPI_CONSOLE:
        console_kick();
        break;
    default:
        irq_spurious((int)sgi);
    }
}

static bool intid_is_message(uint32_t intid)
{
    return intid - gic.message_first < gic.message_count;
}

// The number of an interrupt in kernel/irq/irq.h; -1 for those of the GIC's extended ranges.
static int intid_irq(uint32_t intid)
{
    if (intid_is_message(intid))
        return IRQ_MSI_FIRST + (int)(intid - gic.message_first);
    return intid < IRQ_LINES ? (int)intid : -1;
}

static void ordinary_dispatch(struct kd_frame *frame, uint32_t intid)
{
    if (intid < IPI_COUNT) {
        sgi_handle(intid);
        return;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(ppi_handlers); i++)
        if (ppi_handlers[i].handler && ppi_handlers[i].irq == (int)intid) {
            ppi_handlers[i].handler();
            return;
        }
    irq_dispatch(intid_irq(intid), frame);
}

__debugger_text void gic_interrupt(struct kd_frame *frame)
{
    uint32_t token = gic.model->acknowledge();
    uint32_t intid = token & 0xffffff;
    if (gic.model->groups)
        intid &= 0x3ff;
    if (intid >= GIC_SPECIAL_FIRST && intid <= GIC_SPECIAL_LAST)
        return;
    if (is_nmi(intid)) {
        nmi_handle(frame, token);
        return;
    }
    arch_irq_disable();
    uint64_t unmask = PSTATE_D | PSTATE_A | PSTATE_F;
    sysreg_write(daif, cpu_masks_by_priority ? 0 : sysreg_read(daif) & ~unmask);
    irq_enter(frame);
    ordinary_dispatch(frame, intid);
    gic.model->end(token);
    irq_exit(frame);
}

// The interrupt that raised FIQ may have gone before it is acknowledged (a line the debugger has
// polled empty); then the GIC gives the next best, for which this is the wrong place.
__debugger_text void gic_fast_interrupt(struct kd_frame *frame)
{
    if (!gic.model || !is_nmi(gic.model->peek()))
        return;
    uint32_t token = gic.model->acknowledge();
    uint32_t intid = token & 0x3ff;
    if (intid >= GIC_SPECIAL_FIRST)
        return;
    if (is_nmi(intid)) {
        nmi_handle(frame, token);
        return;
    }
    gic.model->end(token);
    if (intid < 16)
        gic.model->sgi_send(UINT64_C(1) << arch_this_cpu()->index, intid);
    else
        gic_write(intid < GIC_SPI_FIRST ? gic.model->private_frame() : gic.distributor,
                  GICD_ISPENDR + intid / 32 * 4, 1U << intid % 32);
}

__debugger_text void gic_sgi_send(uint64_t cpu_mask, unsigned sgi)
{
    if (!gic.model)
        return;
    dsb(ish); // what the others are to find must be visible before they look
    gic.model->sgi_send(cpu_mask, sgi);
}

__debugger_text uint64_t gic_stop_only(void)
{
    if (!gic.model)
        return 0;
    uint64_t before = gic.model->mask_read();
    gic.model->mask_write(PMR_STOP_ONLY);
    return before;
}

__debugger_text void gic_stop_only_end(uint64_t before)
{
    if (gic.model)
        gic.model->mask_write(before);
}

__debugger_text void gic_stop_signal_consume(void)
{
    if (!gic.model)
        return;
    uint32_t token = gic.model->acknowledge();
    uint32_t intid = token & 0x3ff;
    if (intid < GIC_SPECIAL_FIRST)
        gic.model->end(token);
}

// -- lines ------------------------------------------------------------------------------------

static volatile uint8_t *line_frame(int irq)
{
    return irq < GIC_SPI_FIRST ? gic.model->private_frame() : gic.distributor;
}

static void line_bit_write(int irq, unsigned registers, bool value)
{
    volatile uint8_t *frame = line_frame(irq);
    unsigned offset = registers + (unsigned)irq / 32 * 4;
    uint32_t bit = 1U << irq % 32, old = gic_read(frame, offset);
    gic_write(frame, offset, value ? old | bit : old & ~bit);
}

void gic_line_mask(int irq)
{
    gic_write(line_frame(irq), GICD_ICENABLER + (unsigned)irq / 32 * 4, 1U << irq % 32);
    gic.model->settle();
}

void gic_line_unmask(int irq)
{
    gic_write(line_frame(irq), GICD_ISENABLER + (unsigned)irq / 32 * 4, 1U << irq % 32);
}

static void line_trigger(int irq, bool edge)
{
    volatile uint8_t *frame = line_frame(irq);
    unsigned offset = GICD_ICFGR + (unsigned)irq / 16 * 4;
    uint32_t bit = 2U << irq % 16 * 2, old = gic_read(frame, offset);
    gic_write(frame, offset, edge ? old | bit : old & ~bit);
}

static void line_class(int irq, enum irq_class class)
{
    uint32_t bit = 1U << irq % 32;
    bool debug = class == IRQ_DEBUG;
    if (debug)
        debug_lines[irq / 32] |= bit;
    else
        debug_lines[irq / 32] &= ~bit;
    line_frame(irq)[GICD_PRIORITYR + irq] = debug ? GIC_PRIORITY_DEBUG : GIC_PRIORITY_ORDINARY;
    if (gic.model->groups)
        line_bit_write(irq, GICD_IGROUPR, !debug);
}

int gic_line_setup(int irq, enum irq_trigger trigger, enum irq_class class)
{
    if (irq < 16 || (unsigned)irq >= gic.lines)
        return -EINVAL;
    if (class == IRQ_DEBUG && !cpu_masks_by_priority && !gic.model->groups)
        return -ENOTSUP;
    gic_line_mask(irq);
    line_trigger(irq, trigger == IRQ_EDGE_RISING || trigger == IRQ_EDGE_FALLING);
    line_class(irq, class);
    if (irq >= GIC_SPI_FIRST)
        gic.model->route(irq, 0);
    return 0;
}

// -- the chip: lines and messages --------------------------------------------------------------

static int gic_setup(int irq, enum irq_trigger trigger, enum irq_class class)
{
    if (intid_is_message((uint32_t)irq))
        return -EINVAL; // the line is a message's
    return gic_line_setup(irq, trigger, class);
}

static bool is_message(int irq)
{
    return irq >= IRQ_MSI_FIRST && (unsigned)(irq - IRQ_MSI_FIRST) < gic.message_count;
}

static void gic_unmask(int irq)
{
    if (is_message(irq))
        gic.messages->enable((unsigned)(irq - IRQ_MSI_FIRST), true);
    else if (irq < IRQ_MSI_FIRST)
        gic_line_unmask(irq);
}

static void gic_mask(int irq)
{
    if (is_message(irq))
        gic.messages->enable((unsigned)(irq - IRQ_MSI_FIRST), false);
    else if (irq < IRQ_MSI_FIRST)
        gic_line_mask(irq);
}

static int gic_route(int irq, uint64_t cpu_mask)
{
    cpu_mask &= cpu_online_mask();
    if (cpu_mask == 0)
        return -EINVAL;
    unsigned cpu = (unsigned)__builtin_ctzll(cpu_mask);
    if (is_message(irq))
        return gic.messages->route((unsigned)(irq - IRQ_MSI_FIRST), cpu);
    if (irq < GIC_SPI_FIRST || (unsigned)irq >= gic.lines)
        return -EINVAL;
    gic.model->route(irq, cpu);
    return 0;
}

// The first host bridge whose messages go to our controller decides about the device's identity.
static int gic_msi_setup(int irq, uint32_t requester_id, uint64_t *address, uint32_t *data)
{
    const struct fdt *fdt = fdt_boot_tree();
    if (!gic.messages)
        return -ENOTSUP;
    if (!is_message(irq))
        return -ENOSPC;
    fdt_node controller;
    uint32_t device_id;
    FDT_FOR_EACH_COMPATIBLE (fdt, FDT_PCI_HOST, host)
        if (fdt_pci_message(fdt, host, requester_id, &controller, &device_id) &&
            controller == gic.message_node)
            return gic.messages->setup((unsigned)(irq - IRQ_MSI_FIRST), device_id, address, data);
    return -ENOTSUP;
}

static const struct irq_chip gic_chip = {
    .name = "GIC",
    .setup = gic_setup,
    .unmask = gic_unmask,
    .mask = gic_mask,
    .route = gic_route,
    .msi_setup = gic_msi_setup,
};

void gic_ppi_enable(int irq)
{
    line_class(irq, IRQ_ORDINARY);
    gic_line_unmask(irq);
}

void gic_ppi_handler(int irq, void (*handler)(void))
{
    for (unsigned i = 0; i < ARRAY_SIZE(ppi_handlers); i++)
        if (!ppi_handlers[i].handler) {
            ppi_handlers[i].irq = irq;
            ppi_handlers[i].handler = handler;
            return;
        }
    panic("GIC: more private interrupts than are provided for");
}

// -- bringing up ------------------------------------------------------------------------------

void gic_private_frame_init(volatile uint8_t *frame, bool groups)
{
    const uint32_t nmi_sgis = 1U << SGI_STOP | 1U << SGI_WAKE;
    gic_write(frame, GICD_ICENABLER, UINT32_MAX);
    gic_write(frame, GICD_ICACTIVER, UINT32_MAX);
    gic_write(frame, GICD_IGROUPR, groups ? ~nmi_sgis : UINT32_MAX);
    for (unsigned i = 0; i < GIC_SPI_FIRST; i++)
        frame[GICD_PRIORITYR + i] = GIC_PRIORITY_ORDINARY;
    frame[GICD_PRIORITYR + SGI_STOP] = GIC_PRIORITY_STOP;
    frame[GICD_PRIORITYR + SGI_WAKE] = GIC_PRIORITY_STOP;
    gic_write(frame, GICD_ISENABLER, nmi_sgis | ((1U << IPI_COUNT) - 1));
}

void gic_distributor_init(void)
{
    unsigned blocks = (gic_read(gic.distributor, GICD_TYPER) & 0x1f) + 1;
    gic.lines = MIN(blocks * 32, (unsigned)GIC_LINES_MAX);
    for (unsigned irq = GIC_SPI_FIRST; irq < gic.lines; irq += 32) {
        gic_write(gic.distributor, GICD_ICENABLER + irq / 8, UINT32_MAX);
        gic_write(gic.distributor, GICD_ICACTIVER + irq / 8, UINT32_MAX);
        gic_write(gic.distributor, GICD_IGROUPR + irq / 8, UINT32_MAX);
    }
    for (unsigned irq = GIC_SPI_FIRST; irq < gic.lines; irq += 4)
        gic_write(gic.distributor, GICD_PRIORITYR + irq, GIC_PRIORITY_ORDINARY * 0x01010101U);
}

void arch_irq_init(void)
{
    const struct fdt *fdt = fdt_boot_tree();
    int error = cpu_masks_by_priority ? gic_v3_init(fdt) : gic_v2_init(fdt);
    if (error == -ENOENT)
        panic("device tree: no interrupt controller that this kernel knows (GICv2, GICv3)");
    if (error)
        panic("%s cannot be used (error %d)", cpu_masks_by_priority ? "GICv3" : "GICv2", error);
    log_info("%s: %u lines", gic.model->name, gic.lines);
    irq_chip_register(&gic_chip);
}

// A machine without messages is none the worse: drivers are told -ENOTSUP.
static void messages_init(const struct fdt *fdt)
{
    int error = cpu_masks_by_priority ? gic_its_init(fdt) : -ENOENT;
    if (error == -ENOENT)
        error = gic_v2m_init(fdt);
    if (gic.messages)
        log_info("%s: %u messages", gic.messages->name, gic.message_count);
    else if (error != -ENOENT)
        log_warn("%s: devices cannot send messages (error %d)", gic.model->name, error);
}

void arch_irq_cpu_init(void)
{
    struct cpu *cpu = arch_this_cpu();
    gic.model->cpu_init(cpu);
    if (cpu->index == 0)
        messages_init(fdt_boot_tree());
}
