// SPDX-License-Identifier: MIT
// The local APIC of each CPU: enabling it, ending interrupts, sending them to other CPUs (Intel
// SDM volume 3, chapter 11). The registers are memory (xAPIC) or, where the firmware has switched
// it so, model-specific registers (x2APIC). The debugger stops CPUs through this file.
#include "kernel/arch/x86_64/apic.h"
#include "kernel/arch/boot.h"
#include "kernel/arch/cpu.h"
#include "kernel/log/log.h"
#include "kernel/mm/mapping.h"
#include "kernel/panic.h"
#include <machine/io.h>
#include <machine/msr.h>
#include <machine/vectors.h>

#define APIC_BASE_X2APIC  (1 << 10)
#define APIC_BASE_ENABLE  (1 << 11)
#define APIC_BASE_ADDRESS UINT64_C(0x000ffffffffff000)
#define SPURIOUS_ENABLE   (1 << 8)
#define ICR_PENDING       (1 << 12)
#define MSR_X2APIC        0x800
#define ICR_WAIT_READS    10000 // far longer than an interrupt message takes

static volatile uint8_t *registers; // NULL before lapic_init(), and in x2APIC mode
static bool x2apic;

__debugger_text bool lapic_ready(void)
{
    return registers || x2apic;
}

__debugger_text uint32_t lapic_read(unsigned reg)
{
    if (x2apic)
        return (uint32_t)msr_read(MSR_X2APIC + (reg >> 4));
    return *(volatile uint32_t *)(registers + reg);
}

__debugger_text void lapic_write(unsigned reg, uint32_t value)
{
    if (x2apic)
        msr_write(MSR_X2APIC + (reg >> 4), value);
    else
        *(volatile uint32_t *)(registers + reg) = value;
}

__debugger_text void lapic_eoi(void)
{
    lapic_write(LAPIC_EOI, 0);
}

__debugger_text static void wait_sent(void)
{
    for (unsigned i = 0; i < ICR_WAIT_READS && lapic_read(LAPIC_ICR) & ICR_PENDING; i++)
        arch_cpu_relax();
}

// An xAPIC command is two writes. Interrupts are off in between, and since an NMI handler may send
// one too, each sender leaves the upper half as it was.
__debugger_text void lapic_command(uint64_t apic_id, uint32_t command)
{
    if (x2apic) {
        arch_memory_barrier(); // the write to the MSR is not ordered after stores
        msr_write(MSR_X2APIC + (LAPIC_ICR >> 4), apic_id << 32 | command);
        return;
    }
    irq_state_t state = arch_irq_save();
    uint32_t high = lapic_read(LAPIC_ICR_HIGH);
    wait_sent();
    lapic_write(LAPIC_ICR_HIGH, (uint32_t)apic_id << 24);
    lapic_write(LAPIC_ICR, command);
    wait_sent();
    lapic_write(LAPIC_ICR_HIGH, high);
    arch_irq_restore(state);
}

static void lapic_cpu_init(void)
{
    uint64_t base = msr_read(MSR_APIC_BASE) | APIC_BASE_ENABLE;
    if (x2apic)
        base |= APIC_BASE_X2APIC;
    msr_write(MSR_APIC_BASE, base);
    lapic_write(LAPIC_TASK_PRIORITY, 0);
    lapic_write(LAPIC_LVT_TIMER, LAPIC_MASKED);
    lapic_write(LAPIC_LVT_LINT0, LAPIC_MASKED);
    lapic_write(LAPIC_LVT_LINT1, LAPIC_MASKED);
    lapic_write(LAPIC_LVT_ERROR, LAPIC_MASKED);
    lapic_write(LAPIC_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
}

static void lapic_init(void)
{
    uint64_t base = msr_read(MSR_APIC_BASE);
    if (base & APIC_BASE_X2APIC) {
        x2apic = true;
        return;
    }
    registers = device_map(base & APIC_BASE_ADDRESS, PAGE_SIZE);
    if (!registers)
        panic("the local APIC at 0x%llx cannot be mapped",
              (unsigned long long)(base & APIC_BASE_ADDRESS));
}

// The two legacy controllers: moved away from the exceptions' vectors and masked (Intel 8259A
// data sheet, initialization command words).
static void legacy_pic_disable(void)
{
    static const struct {
        uint16_t port;
        uint8_t value;
    } writes[] = {
        {0x20, 0x11},
        {0xa0, 0x11}, // begin, cascaded, four words
        {0x21, VECTOR_LEGACY},
        {0xa1, VECTOR_LEGACY + 8}, // vectors
        {0x21, 4},
        {0xa1, 2}, // who is where
        {0x21, 1},
        {0xa1, 1}, // 8086 mode
        {0x21, 0xff},
        {0xa1, 0xff}, // all masked
    };
    for (unsigned i = 0; i < ARRAY_SIZE(writes); i++)
        port_write8(writes[i].port, writes[i].value);
}

void arch_irq_init(void)
{
    legacy_pic_disable();
    lapic_init();
    ioapic_init();
    lapic_cpu_init();
    smp_init_others();
}

void arch_irq_cpu_init(void)
{
    lapic_cpu_init();
}
