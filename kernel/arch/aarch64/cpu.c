// SPDX-License-Identifier: MIT
// A CPU by itself: its registers at the start, its vectors, idling and halting. No locks.
#include "kernel/arch/cpu.h"
#include "kernel/arch/boot.h"
#include "kernel/arch/context.h"
#include "kernel/cpu/cpu.h"
#include "kernel/sched/walk.h"
#include <machine/percpu.h>
#include <machine/sysreg.h>

struct machine_cpu machine_cpus[CPU_MAX];
bool cpu_masks_by_priority;

#define ID_AA64PFR0_GIC(value) ((value) >> 24 & 0xf)
#define ICC_SRE_EL1_SRE        1

// The GIC's CPU interface can be there and yet be closed by firmware: ask and look. The mask goes
// on before DAIF.I comes off, and nothing is enabled in the distributor yet.
static bool priority_masking_enable(void)
{
    if (ID_AA64PFR0_GIC(sysreg_read(id_aa64pfr0_el1)) == 0)
        return false;
    sysreg_write(icc_sre_el1, sysreg_read(icc_sre_el1) | ICC_SRE_EL1_SRE);
    isb();
    if (!(sysreg_read(icc_sre_el1) & ICC_SRE_EL1_SRE))
        return false;
    sysreg_write(icc_pmr_el1, PMR_OFF);
    isb();
    return true;
}

// The boot CPU before the others are known.
__debugger_text unsigned arch_cpu_index(void)
{
    uint64_t id = sysreg_read(mpidr_el1) & MPIDR_AFFINITY;
    for (unsigned i = 0; i < boot_info.cpu_count; i++)
        if (boot_info.cpu_hw_id[i] == id)
            return i;
    return 0;
}

__debugger_text bool arch_cpu_pointers_valid(const struct cpu *cpu)
{
    return sysreg_read(tpidr_el1) == (uintptr_t)cpu &&
           thread_is_on((const struct thread *)sysreg_read(sp_el0), cpu);
}

__debugger_text void arch_cpu_pointers_load(struct cpu *cpu, struct thread *current)
{
    sysreg_write(tpidr_el1, (uintptr_t)cpu);
    sysreg_write(sp_el0, (uintptr_t)current);
}

void arch_cpu_early_init(struct cpu *cpu, struct thread *current)
{
    extern char vectors[];
    cpu->self = cpu;
    cpu->current = current;
    cpu->machine = &machine_cpus[cpu - cpus].data;
    arch_cpu_pointers_load(cpu, current);
    sysreg_write(vbar_el1, (uintptr_t)vectors);
    isb();
    bool by_priority = priority_masking_enable();
    if (cpu == &cpus[0])
        cpu_masks_by_priority = by_priority;
    daif_clear(PSTATE_D | PSTATE_A | PSTATE_F);
    if (cpu_masks_by_priority)
        daif_clear(PSTATE_I);
}

// wfi ends for an interrupt that DAIF.I holds back but PMR does not: so mask with the one, open
// the other, and let the interrupt in when awake.
void arch_cpu_idle(void)
{
    if (cpu_masks_by_priority) {
        daif_set(PSTATE_I);
        sysreg_write(icc_pmr_el1, PMR_ON);
    }
    dsb(sy);
    __asm__ volatile("wfi" ::: "memory");
    daif_clear(PSTATE_I);
    isb();
}

_Noreturn void arch_cpu_halt(void)
{
    daif_set(PSTATE_D | PSTATE_A | PSTATE_I | PSTATE_F);
    for (;;)
        __asm__ volatile("wfi" ::: "memory");
}
