// SPDX-License-Identifier: MIT
// The time CSR, which all harts share, and each hart's comparator behind the firmware's call.
#include "kernel/time/time.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/riscv64/interrupts.h"
#include "kernel/arch/riscv64/sbi.h"
#include "kernel/firmware/fdt_boot.h"
#include "kernel/log/log.h"

#define FALLBACK_HZ 10000000 // QEMU's

static uint64_t counter_hz = FALLBACK_HZ;

uint64_t arch_counter_hz(void)
{
    return counter_hz;
}

void arch_time_init(void)
{
    const struct fdt *fdt = fdt_boot_tree();
    uint32_t hz = fdt_u32(fdt, fdt_by_path(fdt, "/cpus"), "timebase-frequency", 0);
    if (hz == 0)
        log_error("device tree: /cpus has no timebase-frequency, assuming %u Hz", FALLBACK_HZ);
    else
        counter_hz = hz;
}

void arch_time_cpu_init(void)
{
    arch_timer_arm(UINT64_MAX);
}

// A comparator that has passed stays pending until it is set anew, so an idle one is masked.
void arch_timer_arm(uint64_t deadline)
{
    if (deadline == UINT64_MAX) {
        csr_clear(sie, SIE_BIT(IRQ_TIMER));
    } else {
        sbi_timer_set(deadline);
        csr_set(sie, SIE_BIT(IRQ_TIMER));
    }
}

void timer_expired(void)
{
    csr_clear(sie, SIE_BIT(IRQ_TIMER));
    timer_interrupt();
}
