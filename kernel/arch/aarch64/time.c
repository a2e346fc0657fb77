// SPDX-License-Identifier: MIT
// The generic timer (Arm ARM D12): the virtual counter, and each CPU's virtual timer as the
// one-shot that kernel/time builds on.
#include <errno.h>

#include "kernel/arch/aarch64/gic.h"
#include "kernel/arch/cpu.h"
#include "kernel/firmware/fdt_boot.h"
#include "kernel/log/log.h"
#include "kernel/panic.h"
#include "kernel/time/time.h"
#include <machine/sysreg.h>

#define TIMER_ENABLE      1
#define TIMER_MASKED      2
#define TIMER_TREE_INDEX  2 // secure, non-secure, virtual, hypervisor
#define TIMER_IRQ_DEFAULT 27

static uint64_t counter_hz;
static int timer_irq = TIMER_IRQ_DEFAULT;

uint64_t arch_counter_hz(void)
{
    return counter_hz;
}

// Masked until it is armed again: the line is level-triggered.
static void timer_expired(void)
{
    sysreg_write(cntv_ctl_el0, TIMER_ENABLE | TIMER_MASKED);
    timer_interrupt();
}

void arch_time_init(void)
{
    const struct fdt *fdt = fdt_boot_tree();
    struct fdt_interrupt interrupt;
    fdt_node node = fdt_by_compatible(fdt, 0, "arm,armv8-timer");
    if (fdt_interrupt(fdt, node, TIMER_TREE_INDEX, &interrupt)) {
        int irq = fdt_boot_irq(&interrupt, NULL);
        if (irq >= 16 && irq < GIC_SPI_FIRST)
            timer_irq = irq;
        else
            log_warn("device tree: the timer's interrupt is none of a CPU's own, %d is used",
                     timer_irq);
    }
    counter_hz = sysreg_read(cntfrq_el0);
    if (counter_hz == 0)
        counter_hz = fdt_u32(fdt, node, "clock-frequency", 0);
    if (counter_hz == 0)
        panic("neither CNTFRQ_EL0 nor the device tree tells the counter's frequency");
    gic_ppi_handler(timer_irq, timer_expired);
}

void arch_time_cpu_init(void)
{
    sysreg_write(cntv_ctl_el0, 0);
    gic_ppi_enable(timer_irq);
}

void arch_timer_arm(uint64_t deadline)
{
    if (deadline == UINT64_MAX) {
        sysreg_write(cntv_ctl_el0, 0);
    } else {
        sysreg_write(cntv_cval_el0, deadline);
        sysreg_write(cntv_ctl_el0, TIMER_ENABLE);
    }
    isb();
}
