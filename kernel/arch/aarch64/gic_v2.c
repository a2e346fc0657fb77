// SPDX-License-Identifier: MIT
// GICv2 (Arm IHI 0048B): CPU interface in memory, routing by target bits. Ordinary interrupts are
// group 1 and raise IRQ; the debug class and the stop signal are group 0 and raise FIQ, which
// the kernel never masks. Firmware that keeps group 0 for itself leaves one class. gic.c calls it.
#include <errno.h>

#include "kernel/arch/aarch64/gic.h"
#include "kernel/arch/boot.h"
#include "kernel/log/log.h"
#include "kernel/mm/mapping.h"
#include <machine/percpu.h>
#include <machine/sysreg.h>

#define GICD_ITARGETSR        0x800
#define GICD_SGIR             0xf00
#define GICD_SGIR_NSATT       (1U << 15) // for SGIs of group 1
#define GICD_CTLR_ENABLES     3          // both groups
#define GIC_DISTRIBUTOR_BYTES 0x1000

#define GICC_CTLR  0x00
#define GICC_PMR   0x04
#define GICC_BPR   0x08
#define GICC_IAR   0x0c
#define GICC_EOIR  0x10
#define GICC_HPPIR 0x18
#define GICC_BYTES 0x2000
// Both groups on; AckCtl, so that IAR gives either; group 0 raises FIQ.
#define GICC_CTLR_GROUPS 0xf
#define GICC_CTLR_SINGLE 0x1

static volatile uint8_t *cpu_interface;

__debugger_text static uint32_t v2_acknowledge(void)
{
    return gic_read(cpu_interface, GICC_IAR);
}

__debugger_text static void v2_end(uint32_t token)
{
    dsb(sy); // the handler's accesses to the device come before
    gic_write(cpu_interface, GICC_EOIR, token);
}

__debugger_text static uint32_t v2_peek(void)
{
    return gic_read(cpu_interface, GICC_HPPIR) & 0x3ff;
}

__debugger_text static void v2_sgi_send(uint64_t cpu_mask, unsigned sgi)
{
    uint32_t targets = 0;
    for (unsigned i = 0; i < CPU_MAX; i++)
        if (cpu_mask >> i & 1)
            targets |= machine_cpus[i].data.gic_v2_target;
    bool group1 = gic.model->groups && sgi != SGI_STOP && sgi != SGI_WAKE;
    gic_write(gic.distributor, GICD_SGIR, targets << 16 | (group1 ? GICD_SGIR_NSATT : 0) | sgi);
}

static void v2_route(int irq, unsigned cpu)
{
    gic.distributor[GICD_ITARGETSR + irq] = machine_cpus[cpu].data.gic_v2_target;
}

__debugger_text static volatile uint8_t *v2_private_frame(void)
{
    return gic.distributor; // banked by CPU
}

__debugger_text static uint64_t v2_mask_read(void)
{
    return gic_read(cpu_interface, GICC_PMR);
}

__debugger_text static void v2_mask_write(uint64_t mask)
{
    gic_write(cpu_interface, GICC_PMR, (uint32_t)mask);
}

static void v2_settle(void)
{
}

// The target registers of SGIs and PPIs read as this CPU's own bit.
static void v2_cpu_init(struct cpu *cpu)
{
    uint32_t own = gic_read(gic.distributor, GICD_ITARGETSR);
    own |= own >> 16;
    machine_cpus[cpu->index].data.gic_v2_target = (uint8_t)(own | own >> 8);
    gic_private_frame_init(gic.distributor, gic.model->groups);
    gic_write(cpu_interface, GICC_PMR, PMR_ON);
    gic_write(cpu_interface, GICC_BPR, 0);
    gic_write(cpu_interface, GICC_CTLR, gic.model->groups ? GICC_CTLR_GROUPS : GICC_CTLR_SINGLE);
}

#define GIC_V2_MODEL(groups_)                                                                      \
    {                                                                                              \
        .name = "GICv2", .acknowledge = v2_acknowledge, .end = v2_end, .peek = v2_peek,            \
        .sgi_send = v2_sgi_send, .route = v2_route, .cpu_init = v2_cpu_init,                       \
        .private_frame = v2_private_frame, .mask_read = v2_mask_read, .mask_write = v2_mask_write, \
        .settle = v2_settle, .groups = groups_,                                                    \
    }
static const struct gic_model gic_v2_model = GIC_V2_MODEL(true);
static const struct gic_model gic_v2_single_model = GIC_V2_MODEL(false);

int gic_v2_init(const struct fdt *fdt)
{
    static const char *const names[] = {"arm,cortex-a15-gic", "arm,gic-400", "arm,cortex-a7-gic"};
    fdt_node node = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(names) && node == 0; i++)
        node = fdt_by_compatible(fdt, 0, names[i]);
    paddr_t distributor, interface;
    if (node == 0 || !fdt_reg(fdt, node, 0, &distributor, NULL) ||
        !fdt_reg(fdt, node, 1, &interface, NULL))
        return -ENOENT;
    gic.distributor = device_map(distributor, GIC_DISTRIBUTOR_BYTES);
    cpu_interface = device_map(interface, GICC_BYTES);
    if (!gic.distributor || !cpu_interface)
        return -ENOMEM;
    gic_write(gic.distributor, GICD_CTLR, 0);
    // Without the right to set groups the register reads as zero.
    gic_write(gic.distributor, GICD_IGROUPR, UINT32_MAX);
    bool groups = gic_read(gic.distributor, GICD_IGROUPR) != 0;
    if (!groups)
        log_warn("GICv2: firmware keeps group 0; a CPU with interrupts off cannot be stopped");
    gic_distributor_init();
    gic_write(gic.distributor, GICD_CTLR, groups ? GICD_CTLR_ENABLES : 1);
    gic.model = groups ? &gic_v2_model : &gic_v2_single_model;
    return 0;
}
