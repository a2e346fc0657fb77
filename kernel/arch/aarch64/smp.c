// SPDX-License-Identifier: MIT
// Several CPUs: starting them by the firmware, signals between them, and the sleep of a stopped
// one. The stop functions are the debugger's and run in any context.
#include <errno.h>

#include "kdebug/kdebug.h"
#include "kernel/arch/aarch64/gic.h"
#include "kernel/arch/aarch64/psci.h"
#include "kernel/arch/boot.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/mmu.h"
#include "kernel/log/log.h"
#include "kernel/mm/mapping.h"
#include "kernel/sched/thread.h"
#include <machine/sysreg.h>

extern uint64_t secondary_root; // start.S: what a starting CPU puts into TTBR1_EL1
void cpu_secondary_start(struct cpu *cpu);

int arch_cpu_start(struct cpu *cpu)
{
    extern char start_secondary[];
    secondary_root = mapping_root();
    __asm__ volatile("dc cvac, %0\n\tdsb sy" ::"r"(&secondary_root) : "memory");
    int result = psci_call(PSCI_CPU_ON, boot_info.cpu_hw_id[cpu->index],
                           image_to_phys(start_secondary), (uintptr_t)cpu);
    if (result == 0)
        return 0;
    log_error("PSCI: CPU_ON of %s answers %d", cpu->name, result);
    return result == PSCI_ALREADY_ON ? -EBUSY : -ENODEV;
}

// Called by start.S on the stack that arch_cpu_start()'s caller provided.
void cpu_secondary_start(struct cpu *cpu)
{
    arch_cpu_early_init(cpu, sched_boot_thread(cpu));
    kernel_secondary_main(cpu);
}

void arch_ipi_send(uint64_t cpu_mask, enum ipi ipi)
{
    gic_sgi_send(cpu_mask, ipi);
}

const char *const arch_stop_weakness = NULL;

__debugger_text void arch_stop_send(uint64_t cpu_mask)
{
    gic_sgi_send(cpu_mask, SGI_STOP);
}

__debugger_text void arch_stop_wake(uint64_t cpu_mask)
{
    gic_sgi_send(cpu_mask, SGI_WAKE);
}

// A signal that arrives after the caller has looked stays pending and ends wfi at once. Other
// interrupts are shut out by priority, else a pending one would keep wfi from sleeping.
__debugger_text void arch_stop_park(void)
{
    uint64_t daif = sysreg_read(daif);
    daif_set(PSTATE_A | PSTATE_I | PSTATE_F);
    uint64_t before = gic_stop_only();
    dsb(sy);
    __asm__ volatile("wfi" ::: "memory");
    gic_stop_signal_consume();
    gic_stop_only_end(before);
    sysreg_write(daif, daif);
}
