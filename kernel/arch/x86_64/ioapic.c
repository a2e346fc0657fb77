// SPDX-License-Identifier: MIT
// Interrupt lines and messages: the I/O APICs that ACPI lists (Intel 82093AA data sheet) and MSIs
// (SDM volume 3, 11.11). Registers the machine's irq_chip. Vectors are the same on all CPUs.
//
// A line of the debug class is delivered as NMI: it has no vector, knows no mask but the pin's,
// and is edge-triggered, so its handler must empty the device before it returns.
#include <errno.h>

#include "kernel/arch/boot.h"
#include "kernel/arch/x86_64/apic.h"
#include "kernel/cpu/cpu.h"
#include "kernel/firmware/acpi.h"
#include "kernel/irq/irq.h"
#include "kernel/log/log.h"
#include "kernel/mm/mapping.h"
#include <machine/vectors.h>

#define IOAPIC_SELECT  0x00
#define IOAPIC_WINDOW  0x10
#define IOAPIC_VERSION 1
#define IOAPIC_ENTRY   0x10 // two registers each
#define ENTRY_MASKED   (1u << 16)
#define ENTRY_LEVEL    (1u << 15)
#define ENTRY_LOW      (1u << 13)
#define ENTRY_NMI      (4u << 8)
#define MSI_ADDRESS    UINT64_C(0xfee00000)
#define DEBUG_LINES    4

static struct ioapic {
    volatile uint32_t *registers;
    unsigned gsi_first, pins;
} ioapics[ACPI_IOAPICS_MAX];
static unsigned ioapic_count;

static int16_t vector_irq[256]; // irq + 1, 0 free
static uint8_t irq_vector[IRQ_COUNT];

// Slots are only ever filled, so that an NMI may read them at any time.
static struct debug_line {
    int irq; // 0: none (GSI 0 is the timer's)
    uint8_t cpu;
    bool unmasked;
} debug_lines[DEBUG_LINES];

static uint32_t ioapic_read(const struct ioapic *ioapic, unsigned reg)
{
    ioapic->registers[IOAPIC_SELECT / 4] = reg;
    return ioapic->registers[IOAPIC_WINDOW / 4];
}

static void ioapic_write(const struct ioapic *ioapic, unsigned reg, uint32_t value)
{
    ioapic->registers[IOAPIC_SELECT / 4] = reg;
    ioapic->registers[IOAPIC_WINDOW / 4] = value;
}

// The I/O APIC that has the line, and the number of its entry's first register.
static const struct ioapic *line_find(int irq, unsigned *entry)
{
    for (unsigned i = 0; i < ioapic_count; i++) {
        unsigned pin = (unsigned)irq - ioapics[i].gsi_first;
        if ((unsigned)irq >= ioapics[i].gsi_first && pin < ioapics[i].pins) {
            *entry = IOAPIC_ENTRY + 2 * pin;
            return &ioapics[i];
        }
    }
    return NULL;
}

static struct debug_line *debug_line_find(int irq)
{
    for (unsigned i = 0; i < DEBUG_LINES; i++)
        if (debug_lines[i].irq == irq)
            return &debug_lines[i];
    return NULL;
}

// A vector for the irq, its own from now on. A vector's upper half is its priority, and one CPU
// remembers two interrupts a priority at most: neighbours are kept apart.
static int vector_alloc(int irq)
{
    if (irq_vector[irq])
        return irq_vector[irq];
    const unsigned count = VECTOR_IRQ_LAST + 1 - VECTOR_IRQ_FIRST;
    for (unsigned i = 0; i < count; i++) {
        unsigned vector = VECTOR_IRQ_FIRST + (i % (count / 16)) * 16 + i / (count / 16);
        if (vector_irq[vector])
            continue;
        vector_irq[vector] = (int16_t)(irq + 1);
        irq_vector[irq] = (uint8_t)vector;
        return (int)vector;
    }
    return -ENOSPC;
}

__debugger_text int ioapic_vector_irq(unsigned vector)
{
    return vector_irq[vector & 0xff] - 1;
}

static int line_setup(int irq, enum irq_trigger trigger, enum irq_class class)
{
    if (irq >= IRQ_MSI_FIRST)
        return class == IRQ_DEBUG ? -ENOTSUP : 0;
    unsigned entry;
    const struct ioapic *ioapic = line_find(irq, &entry);
    if (!ioapic)
        return -EINVAL;
    bool level = trigger == IRQ_LEVEL_HIGH || trigger == IRQ_LEVEL_LOW;
    bool low = trigger == IRQ_LEVEL_LOW || trigger == IRQ_EDGE_FALLING;
    uint32_t bits = ENTRY_MASKED | (level ? ENTRY_LEVEL : 0) | (low ? ENTRY_LOW : 0);
    if (class == IRQ_DEBUG) {
        struct debug_line *line = debug_line_find(irq);
        if (!line)
            line = debug_line_find(0);
        if (level || !line || irq == 0)
            return -ENOTSUP;
        *line = (struct debug_line){.irq = irq};
        bits |= ENTRY_NMI;
    } else {
        struct debug_line *line = debug_line_find(irq);
        if (line && irq)
            line->unmasked = false;
        int vector = vector_alloc(irq);
        if (vector < 0)
            return vector;
        bits |= (uint32_t)vector;
    }
    ioapic_write(ioapic, entry, bits);
    ioapic_write(ioapic, entry + 1, (uint32_t)boot_info.cpu_hw_id[0] << 24);
    return 0;
}

static void line_mask_set(int irq, bool masked)
{
    unsigned entry;
    const struct ioapic *ioapic = line_find(irq, &entry);
    if (!ioapic || irq >= IRQ_MSI_FIRST) // a message is masked in its device
        return;
    uint32_t bits = ioapic_read(ioapic, entry) & ~ENTRY_MASKED;
    struct debug_line *line = irq ? debug_line_find(irq) : NULL;
    if (line && bits & ENTRY_NMI)
        line->unmasked = !masked;
    ioapic_write(ioapic, entry, bits | (masked ? ENTRY_MASKED : 0));
}

static void line_unmask(int irq)
{
    line_mask_set(irq, false);
}

static void line_mask(int irq)
{
    line_mask_set(irq, true);
}

static int line_route(int irq, uint64_t cpu_mask)
{
    unsigned entry;
    const struct ioapic *ioapic = line_find(irq, &entry);
    cpu_mask &= cpu_online_mask();
    if (irq >= IRQ_MSI_FIRST)
        return -ENOTSUP; // the address is in the device by now
    if (!ioapic || !cpu_mask)
        return -EINVAL;
    unsigned cpu = (unsigned)__builtin_ctzll(cpu_mask);
    uint32_t bits = ioapic_read(ioapic, entry);
    ioapic_write(ioapic, entry, bits | ENTRY_MASKED);
    ioapic_write(ioapic, entry + 1, (uint32_t)boot_info.cpu_hw_id[cpu] << 24);
    struct debug_line *line = irq ? debug_line_find(irq) : NULL;
    if (line)
        line->cpu = (uint8_t)cpu;
    ioapic_write(ioapic, entry, bits);
    return 0;
}

static int message_setup(int irq, uint32_t requester_id, uint64_t *address, uint32_t *data)
{
    (void)requester_id; // matters with interrupt remapping only
    if (irq < IRQ_MSI_FIRST || irq >= IRQ_COUNT)
        return -EINVAL;
    int vector = vector_alloc(irq);
    if (vector < 0)
        return vector;
    *address = MSI_ADDRESS | boot_info.cpu_hw_id[0] << 12;
    *data = (uint32_t)vector; // fixed, edge
    return 0;
}

static const struct irq_chip chip = {
    .name = "IO-APIC",
    .setup = line_setup,
    .unmask = line_unmask,
    .mask = line_mask,
    .route = line_route,
    .msi_setup = message_setup,
};

__debugger_text void ioapic_dispatch_debug(struct kd_frame *frame)
{
    unsigned index = this_cpu()->index;
    for (unsigned i = 0; i < DEBUG_LINES; i++)
        if (debug_lines[i].unmasked && debug_lines[i].cpu == index)
            irq_dispatch(debug_lines[i].irq, frame);
}

void ioapic_init(void)
{
    for (unsigned i = 0; i < acpi.ioapic_count; i++) {
        struct ioapic *ioapic = &ioapics[ioapic_count];
        ioapic->registers = device_map(acpi.ioapics[i].address, PAGE_SIZE);
        if (!ioapic->registers) {
            log_error("I/O APIC at 0x%llx: cannot be mapped, its interrupts are lost",
                      (unsigned long long)acpi.ioapics[i].address);
            continue;
        }
        ioapic->gsi_first = acpi.ioapics[i].gsi_first;
        ioapic->pins = (ioapic_read(ioapic, IOAPIC_VERSION) >> 16 & 0xff) + 1;
        for (unsigned pin = 0; pin < ioapic->pins; pin++)
            ioapic_write(ioapic, IOAPIC_ENTRY + 2 * pin, ENTRY_MASKED);
        ioapic_count++;
    }
    if (ioapic_count == 0)
        log_warn("no I/O APIC: devices have no interrupt lines");
    irq_chip_register(&chip);
}
