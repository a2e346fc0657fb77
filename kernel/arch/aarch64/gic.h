// SPDX-License-Identifier: MIT
// The Arm generic interrupt controller, as the rest of this directory sees it, and the seam between
// what both versions share (gic.c) and what they do not (gic_v2.c, gic_v3.c).
//
// Three classes of interrupt. Ordinary ones are masked by "interrupts off". The debug class and
// the stop signal are not: with a GICv3 they have a better priority than the mask lets through,
// with a GICv2 they are group 0 and arrive as FIQ. They run in NMI context.
#pragma once

#include "kernel/cpu/cpu.h"
#include "kernel/firmware/fdt.h"
#include "kernel/irq/irq.h"

// Software-generated interrupts. enum ipi are the first.
#define SGI_STOP 8
#define SGI_WAKE 9 // ends arch_stop_park(); otherwise nothing

#define GIC_SPI_FIRST     32 // below: SGIs and the PPIs of each CPU
#define GIC_LINES_MAX     1020
#define GIC_SPECIAL_FIRST 1020 // 1020 to 1023: no interrupt
#define GIC_SPECIAL_LAST  1023

// From entry.S by way of trap.c. Everything is masked on entry.
void gic_interrupt(struct kd_frame *frame);
void gic_fast_interrupt(struct kd_frame *frame); // FIQ

// Switches a private interrupt of this CPU on, ordinary class.
void gic_ppi_enable(int irq);
// `handler` runs for this INTID on every CPU, in place of the interrupt table.
void gic_ppi_handler(int irq, void (*handler)(void));
// To the CPUs of the mask; nothing before arch_irq_init(). Any context.
void gic_sgi_send(uint64_t cpu_mask, unsigned sgi);
// While set, only the stop signal is let through on this CPU; returns what to restore.
uint64_t gic_stop_only(void);
void gic_stop_only_end(uint64_t before);
// Takes and ends a pending SGI_STOP or SGI_WAKE. Everything but these must be shut out.
void gic_stop_signal_consume(void);

// -- between the files

// Distributor registers, the same in both versions (Arm IHI 0048B 4.3, IHI 0069 12.9). Those of
// SGIs and PPIs lie in the CPU's own frame on GICv3, at the same offsets.
#define GICD_CTLR      0x000
#define GICD_TYPER     0x004
#define GICD_IGROUPR   0x080
#define GICD_ISENABLER 0x100
#define GICD_ICENABLER 0x180
#define GICD_ISPENDR   0x200
#define GICD_ICPENDR   0x280
#define GICD_ICACTIVER 0x380
#define GICD_PRIORITYR 0x400
#define GICD_ICFGR     0xc00

struct gic_model {
    const char *name;
    // Of the interrupt with the best priority: its token, which the low 24 bits of are the INTID.
    uint32_t (*acknowledge)(void);
    void (*end)(uint32_t token);
    uint32_t (*peek)(void); // the INTID acknowledge() would give, without taking it
    void (*sgi_send)(uint64_t cpu_mask, unsigned sgi);
    void (*route)(int irq, unsigned cpu);
    void (*cpu_init)(struct cpu *cpu);
    volatile uint8_t *(*private_frame)(void); // registers of this CPU's SGIs and PPIs
    uint64_t (*mask_read)(void);              // the priority mask
    void (*mask_write)(uint64_t mask);
    void (*settle)(void); // waits until writes to the distributor have taken effect
    bool groups;          // the debug class is group 0, not a priority
};

// What turns a device's write into an interrupt: an ITS, or a GICv2m frame. Messages are counted
// from 0; message n is irq IRQ_MSI_FIRST + n and INTID gic.message_first + n. The irq table's lock
// is held.
struct gic_messages {
    const char *name;
    // Prepares the message, masked, for a device of that identity; see irq_chip.msi_setup.
    int (*setup)(unsigned message, uint32_t device_id, uint64_t *address, uint32_t *data);
    void (*enable)(unsigned message, bool on);
    int (*route)(unsigned message, unsigned cpu);
};

struct gic {
    const struct gic_model *model; // NULL until arch_irq_init()
    volatile uint8_t *distributor;
    unsigned lines;
    const struct gic_messages *messages; // NULL: devices cannot send any
    fdt_node message_node;
    unsigned message_first, message_count;
};
extern struct gic gic;

// Each looks for its version in the tree and, if it is there, maps and enables it: 0, -ENOENT, or
// another error (logged).
int gic_v2_init(const struct fdt *fdt);
int gic_v3_init(const struct fdt *fdt);
// Switches a private frame's interrupts off and gives them class and priority.
void gic_private_frame_init(volatile uint8_t *frame, bool groups);
void gic_distributor_init(void); // all lines off, ordinary class, group 1

// Each looks for its kind of message controller in the tree. When it is there and works, the
// fields of `gic` that speak of messages are filled in: 0, -ENOENT, or another error (logged). On
// the boot CPU with its CPU interface on. The ITS needs a GICv3.
int gic_its_init(const struct fdt *fdt);
int gic_v2m_init(const struct fdt *fdt);
// Lines, for a message controller that uses some of them; as in struct irq_chip.
int gic_line_setup(int irq, enum irq_trigger trigger, enum irq_class class);
void gic_line_unmask(int irq);
void gic_line_mask(int irq);

static inline uint32_t gic_read(const volatile uint8_t *base, unsigned offset)
{
    return *(const volatile uint32_t *)(base + offset);
}

static inline void gic_write(volatile uint8_t *base, unsigned offset, uint32_t value)
{
    *(volatile uint32_t *)(base + offset) = value;
}
