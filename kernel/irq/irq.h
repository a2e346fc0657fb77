// SPDX-License-Identifier: MIT
// Interrupts above the controllers. A number names a line in the machine's own numbering (x86-64:
// the ACPI global system interrupt; AArch64: the GIC INTID; RISC-V: the PLIC source); numbers from
// IRQ_MSI_FIRST on are message-signalled and handed out by irq_msi_alloc().
#pragma once

#include "kernel/lib/base.h"
#include <kd_machine/frame.h>

#define IRQ_LINES     1024
#define IRQ_MSI_FIRST 1024
#define IRQ_MSI_COUNT 64
#define IRQ_COUNT     (IRQ_MSI_FIRST + IRQ_MSI_COUNT)

enum irq_trigger { IRQ_LEVEL_HIGH, IRQ_LEVEL_LOW, IRQ_EDGE_RISING, IRQ_EDGE_FALLING };

enum irq_class {
    IRQ_ORDINARY,
    // Taken even where ordinary interrupts are off, if the controller can: the debug line's. Its
    // handler runs in NMI context: no locks, no scheduling; frame is the interrupted context.
    IRQ_DEBUG,
};

typedef void irq_handler(struct kd_frame *frame, void *argument);

// What a controller driver registers. Called with the irq table's lock held unless noted.
struct irq_chip {
    const char *name;
    // Prepares the line, masked. -ENOTSUP for IRQ_DEBUG where the controller has no such class.
    int (*setup)(int irq, enum irq_trigger trigger, enum irq_class class);
    void (*unmask)(int irq);
    void (*mask)(int irq);
    // Which CPUs may take it; the chip may choose one of them.
    int (*route)(int irq, uint64_t cpu_mask);
    // Allocates what a message needs; fills in address and data to write. NULL: no messages here.
    int (*msi_setup)(int irq, uint32_t requester_id, uint64_t *address, uint32_t *data);
};
void irq_chip_register(const struct irq_chip *chip);

// 0 or -errno (-EBUSY: taken, -EINVAL: no such line). With IRQ_DEBUG an -ENOTSUP is not an error
// of the caller: ask again for IRQ_ORDINARY. Interrupts arrive after this returns. Thread context.
int irq_request(int irq, enum irq_trigger trigger, enum irq_class class, irq_handler *handler,
                void *argument, const char *name);
void irq_release(int irq);
int irq_route(int irq, uint64_t cpu_mask);
int irq_msi_alloc(uint32_t requester_id, uint64_t *address, uint32_t *data); // irq or -errno
void irq_msi_free(int irq);

// For the controllers: an interrupt has been accepted. irq_enter/irq_exit bracket every ordinary
// interrupt (irq_exit may switch threads: call it last, with the controller's EOI done); the
// debug class is dispatched without them.
void irq_enter(struct kd_frame *frame);
void irq_exit(struct kd_frame *frame);
void irq_dispatch(int irq, struct kd_frame *frame);
void irq_spurious(int irq); // counted, logged once a line
uint64_t irq_spurious_total(void);

// The frame of the interrupt this CPU is handling, NULL outside.
struct kd_frame *irq_frame(void);
// Every irq's name and counts, for the `irq` command; safe while stopped. Returns false at the end.
struct irq_info {
    int irq;
    char name[24];
    uint64_t count[CPU_MAX];
};
bool irq_info(unsigned *cursor, struct irq_info *out);
