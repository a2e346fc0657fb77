// SPDX-License-Identifier: MIT
// Several harts: starting them by the firmware, signals between them, and the sleep of a stopped
// one. There is one signal for all purposes; what it is for stands in the receiver's ipi_pending.
// The stop functions are the debugger's and run in any context.
#include "kdebug/kdebug.h"
#include "kernel/arch/boot.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/mmu.h"
#include "kernel/arch/riscv64/interrupts.h"
#include "kernel/arch/riscv64/sbi.h"
#include "kernel/irq/irq.h"
#include "kernel/log/log.h"
#include "kernel/mm/mapping.h"
#include "kernel/sched/thread.h"
#include <machine/percpu.h>

enum machine_ipi {
    MACHINE_IPI_STOP = IPI_COUNT,
    MACHINE_IPI_WAKE,
};
#define IPI_BIT(ipi) (1U << (ipi))

extern uint64_t secondary_root; // start.S: the tables of a starting hart
void cpu_secondary_start(struct cpu *cpu);

int arch_cpu_start(struct cpu *cpu)
{
    extern char start_secondary[];
    secondary_root = mapping_root();
    arch_memory_barrier();
    return sbi_hart_start(boot_info.cpu_hw_id[cpu->index], image_to_phys(start_secondary),
                          (uintptr_t)cpu);
}

// Called by start.S on the stack that arch_cpu_start()'s caller provided.
void cpu_secondary_start(struct cpu *cpu)
{
    arch_cpu_early_init(cpu, sched_boot_thread(cpu));
    kernel_secondary_main(cpu);
}

// -- signals

__debugger_text static struct machine_cpu_data *data_of(unsigned index)
{
    return &machine_cpus[index].data;
}

__debugger_text static void signal_send(uint64_t cpu_mask, unsigned ipi)
{
    for (unsigned i = 0; i < CPU_MAX; i++)
        if (cpu_mask >> i & 1)
            __atomic_fetch_or(&data_of(i)->ipi_pending, IPI_BIT(ipi), __ATOMIC_RELEASE);
    sbi_ipi_send(cpu_mask);
}

void arch_ipi_send(uint64_t cpu_mask, enum ipi ipi)
{
    signal_send(cpu_mask, ipi);
}

// The signal is quieted before the bits are taken, so that a bit set later brings a new one.
__debugger_text void ipi_interrupt(struct kd_frame *frame)
{
    csr_clear(sip, SIE_BIT(IRQ_SOFTWARE));
    struct cpu *cpu = this_cpu();
    uint32_t pending = __atomic_exchange_n(&data_of(cpu->index)->ipi_pending, 0, __ATOMIC_ACQ_REL);
    if (pending & IPI_BIT(MACHINE_IPI_STOP)) {
        cpu->nmi_depth++;
        kd_cpu_stop(frame);
        cpu->nmi_depth--;
    }
    if (!(pending & (IPI_BIT(IPI_CALL) | IPI_BIT(IPI_RESCHEDULE))))
        return;
    irq_enter(frame);
    if (pending & IPI_BIT(IPI_CALL))
        smp_call_ipi();
    if (pending & IPI_BIT(IPI_RESCHEDULE))
        sched_ipi();
    irq_exit(frame);
}

// -- the debugger's

const char *const arch_stop_weakness = "RISC-V supervisor mode has no NMI: a hart that runs with "
                                       "interrupts off (sstatus.SIE = 0) does not notice";

__debugger_text void arch_stop_send(uint64_t cpu_mask)
{
    signal_send(cpu_mask, MACHINE_IPI_STOP);
}

__debugger_text void arch_stop_wake(uint64_t cpu_mask)
{
    signal_send(cpu_mask, MACHINE_IPI_WAKE);
}

// wfi ends for what is pending and enabled in sie, though nothing is taken: only signals are left
// enabled, and the last one is quieted first. The wake-up that came before that is in the bits.
// Other signals that came are for later: the line is raised again for them.
__debugger_text void arch_stop_park(void)
{
    uint32_t *pending = &data_of(this_cpu()->index)->ipi_pending;
    irq_state_t irq = arch_irq_save();
    uint64_t sie = csr_read(sie);
    csr_write(sie, SIE_BIT(IRQ_SOFTWARE));
    csr_clear(sip, SIE_BIT(IRQ_SOFTWARE));
    if (!(__atomic_load_n(pending, __ATOMIC_ACQUIRE) & IPI_BIT(MACHINE_IPI_WAKE)))
        __asm__ volatile("wfi" ::: "memory");
    uint32_t rest = __atomic_and_fetch(pending, ~IPI_BIT(MACHINE_IPI_WAKE), __ATOMIC_ACQ_REL);
    if (rest != 0)
        csr_set(sip, SIE_BIT(IRQ_SOFTWARE));
    csr_write(sie, sie);
    arch_irq_restore(irq);
}
