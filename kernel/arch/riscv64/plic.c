// SPDX-License-Identifier: MIT
// The platform-level interrupt controller (RISC-V PLIC specification 1.0). A source goes to every
// context (a hart in supervisor mode) that has it enabled, and the first to claim it has it. So
// routing is the enable bits; masking is priority 0, since a claim may only be completed while the
// source is enabled.
//
// There is no class of interrupts that passes sstatus.SIE = 0. For the debug line the next best is
// done: its source goes to all harts, so that one of them with interrupts open suffices.
#include <errno.h>

#include "kernel/arch/boot.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/riscv64/interrupts.h"
#include "kernel/cpu/cpu.h"
#include "kernel/firmware/fdt_boot.h"
#include "kernel/irq/irq.h"
#include "kernel/log/log.h"
#include "kernel/mm/mapping.h"

#define PLIC_PRIORITY(source)   (4 * (source))
#define PLIC_ENABLE(context)    (0x2000 + 0x80 * (context))
#define PLIC_THRESHOLD(context) (0x200000 + 0x1000 * (context))
#define PLIC_CLAIM(context)     (0x200004 + 0x1000 * (context))
#define PLIC_CONTEXTS_MAX       15872
#define PRIORITY_OFF            0
#define PRIORITY_ON             1

#define CONTEXT_NONE UINT32_MAX

static struct {
    volatile uint8_t *registers; // NULL: no controller
    uint64_t bytes;
    uint32_t sources; // 1 to this
    uint32_t context[CPU_MAX];
} plic = {.context = {[0 ... CPU_MAX - 1] = CONTEXT_NONE}};

__debugger_text static volatile uint32_t *plic_register(uint32_t offset)
{
    return (volatile uint32_t *)(plic.registers + offset);
}

// -- the chip

static bool source_valid(int irq)
{
    return irq >= 1 && (uint32_t)irq <= plic.sources;
}

static int plic_route(int irq, uint64_t cpu_mask)
{
    if (!source_valid(irq))
        return -EINVAL;
    bool reached = false;
    for (unsigned i = 0; i < boot_info.cpu_count; i++) {
        if (plic.context[i] == CONTEXT_NONE)
            continue;
        volatile uint32_t *enable =
            plic_register(PLIC_ENABLE(plic.context[i]) + (uint32_t)irq / 32 * 4);
        uint32_t bit = UINT32_C(1) << irq % 32;
        if (cpu_mask >> i & 1) {
            *enable |= bit;
            reached = true;
        } else {
            *enable &= ~bit;
        }
    }
    return reached ? 0 : -EINVAL;
}

static void plic_mask(int irq)
{
    *plic_register(PLIC_PRIORITY((uint32_t)irq)) = PRIORITY_OFF;
}

static void plic_unmask(int irq)
{
    *plic_register(PLIC_PRIORITY((uint32_t)irq)) = PRIORITY_ON;
}

// Sources asked for as the debug class, a bit each: routed to all harts when asked for again.
static uint32_t debug_sources[IRQ_LINES / 32];

// What a source is, level or edge, its gateway knows by itself.
static int plic_setup(int irq, enum irq_trigger trigger, enum irq_class class)
{
    (void)trigger;
    if (!source_valid(irq))
        return -EINVAL;
    uint32_t *word = &debug_sources[irq / 32];
    uint32_t bit = UINT32_C(1) << irq % 32;
    if (class == IRQ_DEBUG) {
        *word |= bit;
        return -ENOTSUP;
    }
    plic_mask(irq);
    return plic_route(irq, *word & bit ? UINT64_MAX : 1);
}

static const struct irq_chip plic_chip = {
    .name = "PLIC",
    .setup = plic_setup,
    .unmask = plic_unmask,
    .mask = plic_mask,
    .route = plic_route,
};

// -- interrupts arrive

// A claim of 0 says that another hart was faster: nothing is wrong.
__debugger_text void plic_interrupt(struct kd_frame *frame)
{
    irq_enter(frame);
    uint32_t context = plic.context[this_cpu()->index];
    volatile uint32_t *claim = plic_register(PLIC_CLAIM(context));
    uint32_t source;
    while ((source = *claim) != 0) {
        irq_dispatch((int)source, frame);
        *claim = source;
    }
    irq_exit(frame);
}

// -- finding it

static fdt_node plic_find(const struct fdt *fdt)
{
    static const char *const names[] = {"sifive,plic-1.0.0", "riscv,plic0"};
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        fdt_node node = fdt_by_compatible(fdt, 0, names[i]);
        if (node != 0)
            return node;
    }
    return 0;
}

// A context is a place in interrupts-extended, which names the hart's own controller and that
// one's input.
static void contexts_read(const struct fdt *fdt, fdt_node node)
{
    struct fdt_interrupt to;
    for (uint32_t context = 0;
         context < PLIC_CONTEXTS_MAX && fdt_interrupt(fdt, node, context, &to); context++) {
        uint64_t hart;
        if (to.cells[0] != IRQ_EXTERNAL || PLIC_CLAIM(context) + 4 > plic.bytes ||
            !fdt_reg(fdt, fdt_parent(fdt, to.controller), 0, &hart, NULL))
            continue;
        for (unsigned i = 0; i < boot_info.cpu_count; i++)
            if (boot_info.cpu_hw_id[i] == hart)
                plic.context[i] = context;
    }
}

void arch_irq_init(void)
{
    const struct fdt *fdt = fdt_boot_tree();
    fdt_node node = plic_find(fdt);
    paddr_t base;
    if (!fdt_reg(fdt, node, 0, &base, &plic.bytes) || plic.bytes < PLIC_THRESHOLD(1)) {
        log_error("device tree: no usable PLIC, there will be no device interrupts");
        return;
    }
    plic.sources = MIN(fdt_u32(fdt, node, "riscv,ndev", 0), (uint32_t)IRQ_LINES - 1);
    contexts_read(fdt, node);
    plic.registers = device_map(base, plic.bytes);
    if (plic.registers == NULL) {
        log_error("PLIC: no memory to map it");
        return;
    }
    for (uint32_t source = 1; source <= plic.sources; source++)
        plic_mask((int)source);
    irq_chip_register(&plic_chip);
    log_debug("PLIC: %u sources", plic.sources);
}

void arch_irq_cpu_init(void)
{
    uint32_t context = plic.context[this_cpu()->index];
    uint64_t enabled = SIE_BIT(IRQ_SOFTWARE);
    if (plic.registers != NULL && context != CONTEXT_NONE) {
        *plic_register(PLIC_THRESHOLD(context)) = 0;
        enabled |= SIE_BIT(IRQ_EXTERNAL);
    }
    csr_set(sie, enabled);
}
