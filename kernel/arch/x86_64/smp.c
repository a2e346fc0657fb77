// SPDX-License-Identifier: MIT
// The other CPUs: starting them (Intel SDM volume 3, 8.4.4), interrupting them, and the debugger's
// stop and wake signals, which are NMIs and so reach a CPU whatever it does. The debugger calls
// the latter, so this file is not instrumented.
#include <errno.h>
#include <string.h>

#include "kernel/arch/boot.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/mmu.h"
#include "kernel/arch/x86_64/apic.h"
#include "kernel/arch/x86_64/start.h"
#include "kernel/mm/mapping.h"
#include "kernel/sched/thread.h"
#include "kernel/time/time.h"
#include <machine/percpu.h>
#include <machine/vectors.h>

#define INIT_SETTLE_US   10000
#define STARTUP_AGAIN_US 200
#define STARTUP_WAIT_US  1000

static uint64_t init_counter; // when INIT was sent
static uint32_t started;      // CPUs that have come out of the trampoline, a bit each

// All at once and early, so that the 10 ms they need to settle pass while the kernel does other
// things.
void smp_init_others(void)
{
    for (unsigned i = 1; i < boot_info.cpu_count; i++)
        lapic_command(boot_info.cpu_hw_id[i], ICR_INIT);
    init_counter = arch_counter();
}

static void wait_since_init(void)
{
    uint64_t passed_us = (arch_counter() - init_counter) / (arch_counter_hz() / 1000000 + 1);
    if (passed_us < INIT_SETTLE_US)
        delay_us(INIT_SETTLE_US - passed_us);
}

static bool has_started(unsigned index, uint64_t wait_us)
{
    uint64_t end = arch_counter() + wait_us * (arch_counter_hz() / 1000000);
    do {
        if (__atomic_load_n(&started, __ATOMIC_ACQUIRE) & 1u << index)
            return true;
        arch_cpu_relax();
    } while (arch_counter() < end);
    return false;
}

int arch_cpu_start(struct cpu *cpu)
{
    paddr_t root = mapping_root();
    if (!trampoline_page || root > UINT32_MAX)
        return -ENODEV; // a CPU that leaves real mode loads 32 bits of CR3
    memcpy(phys_to_virt(trampoline_page), trampoline_start,
           (size_t)(trampoline_end - trampoline_start));
    secondary_root = (uint32_t)root;
    arch_memory_barrier();
    wait_since_init();
    // A second start-up interrupt is for CPUs that missed the first; one that runs ignores it.
    uint32_t page = (uint32_t)(trampoline_page >> PAGE_SHIFT);
    lapic_command(cpu->hw_id, ICR_STARTUP | page);
    if (!has_started(cpu->index, STARTUP_AGAIN_US) && !has_started(cpu->index, STARTUP_WAIT_US))
        lapic_command(cpu->hw_id, ICR_STARTUP | page);
    return 0;
}

// On cpu->boot_stack, final page tables.
_Noreturn void secondary_start(struct cpu *cpu)
{
    __atomic_fetch_or(&started, 1u << (cpu - cpus), __ATOMIC_RELEASE);
    arch_cpu_early_init(cpu, sched_boot_thread(cpu));
    kernel_secondary_main(cpu);
}

__debugger_text static void send(uint64_t cpu_mask, uint32_t command)
{
    if (!lapic_ready())
        return;
    for (unsigned i = 0; i < boot_info.cpu_count; i++)
        if (cpu_mask >> i & 1)
            lapic_command(boot_info.cpu_hw_id[i], command);
}

void arch_ipi_send(uint64_t cpu_mask, enum ipi ipi)
{
    static const uint8_t vectors[IPI_COUNT] = {
        [IPI_RESCHEDULE] = VECTOR_RESCHEDULE,
        [IPI_CALL] = VECTOR_CALL,
        [IPI_CONSOLE] = VECTOR_CONSOLE,
    };
    send(cpu_mask, ICR_FIXED | vectors[ipi]);
}

__debugger_text void arch_stop_send(uint64_t cpu_mask)
{
    for (unsigned i = 0; i < boot_info.cpu_count; i++)
        if (cpu_mask >> i & 1 && cpus[i].machine)
            __atomic_store_n(&cpu_machine(&cpus[i])->stop_pending, 1, __ATOMIC_RELEASE);
    send(cpu_mask, ICR_NMI);
}

__debugger_text void arch_stop_wake(uint64_t cpu_mask)
{
    for (unsigned i = 0; i < boot_info.cpu_count; i++)
        if (cpu_mask >> i & 1 && cpus[i].machine)
            __atomic_store_n(&cpu_machine(&cpus[i])->wake, 1, __ATOMIC_RELEASE);
    send(cpu_mask, ICR_NMI);
}
