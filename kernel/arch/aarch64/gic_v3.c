// SPDX-License-Identifier: MIT
// GICv3 (Arm IHI 0069): CPU interface in system registers, one redistributor a CPU, routing by
// affinity. All interrupts are group 1; classes are priorities. gic.c calls it.
#include <errno.h>

#include "kernel/arch/aarch64/gic.h"
#include "kernel/arch/boot.h"
#include "kernel/log/log.h"
#include "kernel/mm/mapping.h"
#include "kernel/time/time.h"
#include <machine/percpu.h>
#include <machine/sysreg.h>

#define GICD_CTLR_ENABLES 0x13 // ARE and the enables of groups 0 and 1, whichever view we have
#define GICD_CTLR_RWP     (1U << 31)
#define GICD_IROUTER      0x6000

#define GICR_CTLR             0x00
#define GICR_TYPER_LOW        0x08
#define GICR_TYPER_AFFINITY   0x0c
#define GICR_WAKER            0x14
#define GICR_PRIVATE          0x10000 // the frame of SGIs and PPIs
#define GICR_BYTES            0x20000
#define GICR_BYTES_V4         0x40000
#define GICR_TYPER_VLPIS      (1U << 1)
#define GICR_TYPER_LAST       (1U << 4)
#define GICR_WAKER_SLEEP      (1U << 1)
#define GICR_WAKER_CHILDREN   (1U << 2)
#define GICR_IGRPMODR         0xd00
#define GICR_REGIONS_MAX      16
#define GIC_DISTRIBUTOR_BYTES 0x10000

#define POLLS_MAX 1000000 // register polls before a controller counts as dead

__debugger_text static uint32_t v3_acknowledge(void)
{
    uint32_t intid = (uint32_t)sysreg_read(icc_iar1_el1);
    dsb(sy); // IHI 0069 4.1.1: the acknowledgement takes effect before what follows
    return intid;
}

__debugger_text static void v3_end(uint32_t token)
{
    sysreg_write(icc_eoir1_el1, token);
    isb();
}

__debugger_text static uint32_t v3_peek(void)
{
    return (uint32_t)sysreg_read(icc_hppir1_el1) & 0xffffff;
}

// One write a CPU: affinity 3, 2, 1, and a bit for affinity 0 within its range of sixteen.
__debugger_text static void v3_sgi_send(uint64_t cpu_mask, unsigned sgi)
{
    for (unsigned i = 0; i < CPU_MAX; i++) {
        if (!(cpu_mask >> i & 1))
            continue;
        uint64_t id = boot_info.cpu_hw_id[i];
        sysreg_write(icc_sgi1r_el1, (id >> 32 & 0xff) << 48 | (id >> 16 & 0xff) << 32 |
                                        (id >> 8 & 0xff) << 16 | (id >> 4 & 0xf) << 44 |
                                        (uint64_t)sgi << 24 | UINT64_C(1) << (id & 0xf));
    }
    isb();
}

static void v3_settle(void)
{
    for (unsigned i = 0; i < POLLS_MAX; i++)
        if (!(gic_read(gic.distributor, GICD_CTLR) & GICD_CTLR_RWP))
            return;
}

static void v3_route(int irq, unsigned cpu)
{
    *(volatile uint64_t *)(gic.distributor + GICD_IROUTER + 8 * irq) = boot_info.cpu_hw_id[cpu];
}

__debugger_text static volatile uint8_t *v3_private_frame(void)
{
    return machine_cpus[arch_this_cpu()->index].data.redistributor + GICR_PRIVATE;
}

__debugger_text static uint64_t v3_mask_read(void)
{
    return sysreg_read(icc_pmr_el1);
}

__debugger_text static void v3_mask_write(uint64_t mask)
{
    sysreg_write(icc_pmr_el1, mask);
}

static void v3_cpu_init(struct cpu *cpu)
{
    volatile uint8_t *redistributor = machine_cpus[cpu->index].data.redistributor;
    gic_write(redistributor, GICR_WAKER, gic_read(redistributor, GICR_WAKER) & ~GICR_WAKER_SLEEP);
    for (unsigned i = 0; i < POLLS_MAX; i++)
        if (!(gic_read(redistributor, GICR_WAKER) & GICR_WAKER_CHILDREN))
            break;
    gic_write(redistributor + GICR_PRIVATE, GICR_IGRPMODR, 0);
    gic_private_frame_init(redistributor + GICR_PRIVATE, false);
    sysreg_write(icc_bpr1_el1, 0);
    sysreg_write(icc_ctlr_el1, 0); // end of interrupt drops the priority and deactivates
    sysreg_write(icc_igrpen1_el1, 1);
    isb();
}

static const struct gic_model gic_v3_model = {
    .name = "GICv3",
    .acknowledge = v3_acknowledge,
    .end = v3_end,
    .peek = v3_peek,
    .sgi_send = v3_sgi_send,
    .route = v3_route,
    .cpu_init = v3_cpu_init,
    .private_frame = v3_private_frame,
    .mask_read = v3_mask_read,
    .mask_write = v3_mask_write,
    .settle = v3_settle,
    .groups = false,
};

// The CPU an affinity (as in GICR_TYPER) belongs to, or -1.
static int cpu_by_affinity(uint32_t affinity)
{
    for (unsigned i = 0; i < boot_info.cpu_count; i++) {
        uint64_t id = boot_info.cpu_hw_id[i];
        if (((id >> 32 & 0xff) << 24 | (id & 0xffffff)) == affinity)
            return (int)i;
    }
    return -1;
}

// Walks the redistributors of a region; the frames of our CPUs stay mapped.
static int redistributors_find(paddr_t base, uint64_t bytes)
{
    for (uint64_t offset = 0; bytes >= GICR_BYTES && offset <= bytes - GICR_BYTES;) {
        volatile uint8_t *frame = device_map(base + offset, GICR_BYTES);
        if (!frame)
            return -ENOMEM;
        uint32_t type = gic_read(frame, GICR_TYPER_LOW);
        int cpu = cpu_by_affinity(gic_read(frame, GICR_TYPER_AFFINITY));
        if (cpu >= 0 && !machine_cpus[cpu].data.redistributor)
            machine_cpus[cpu].data.redistributor = frame;
        else
            device_unmap(frame, GICR_BYTES);
        if (type & GICR_TYPER_LAST)
            break;
        offset += type & GICR_TYPER_VLPIS ? GICR_BYTES_V4 : GICR_BYTES;
    }
    return 0;
}

static int redistributors_init(const struct fdt *fdt, fdt_node node)
{
    uint32_t regions = fdt_u32(fdt, node, "#redistributor-regions", 1);
    if (regions > GICR_REGIONS_MAX) {
        log_error("device tree: %s: %u redistributor regions", fdt_name(fdt, node), regions);
        return -EINVAL;
    }
    for (unsigned i = 0; i < regions; i++) {
        paddr_t base;
        uint64_t bytes;
        if (!fdt_reg(fdt, node, 1 + i, &base, &bytes)) {
            log_error("device tree: %s: no reg %u", fdt_name(fdt, node), 1 + i);
            return -EINVAL;
        }
        int error = redistributors_find(base, bytes);
        if (error)
            return error;
    }
    for (unsigned i = 0; i < boot_info.cpu_count; i++)
        if (!machine_cpus[i].data.redistributor) {
            log_error("GICv3: no redistributor for cpu%u", i);
            return -ENODEV;
        }
    return 0;
}

int gic_v3_init(const struct fdt *fdt)
{
    fdt_node node = fdt_by_compatible(fdt, 0, "arm,gic-v3");
    paddr_t base;
    if (node == 0 || !fdt_reg(fdt, node, 0, &base, NULL))
        return -ENOENT;
    gic.distributor = device_map(base, GIC_DISTRIBUTOR_BYTES);
    if (!gic.distributor)
        return -ENOMEM;
    int error = redistributors_init(fdt, node);
    if (error)
        return error;
    gic_write(gic.distributor, GICD_CTLR, 0);
    v3_settle();
    gic_distributor_init();
    gic_write(gic.distributor, GICD_CTLR, GICD_CTLR_ENABLES);
    v3_settle();
    gic.model = &gic_v3_model;
    return 0;
}
