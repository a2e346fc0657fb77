// SPDX-License-Identifier: MIT
// The PCI contract, on whatever devices the machine has: BARs do not overlap, capability lists
// end, an MSI-X message raised by a device arrives as the interrupt it was set up for, and so does
// a pin, until the device lets go of it.
#include <errno.h>

#include "kernel/cpu/cpu.h"
#include "kernel/drivers/pci/pci.h"
#include "kernel/irq/irq.h"
#include "kernel/mm/mapping.h"
#include "kernel/sched/thread.h"
#include "kernel/test/ktest.h"
#include "kernel/time/time.h"

static bool bars_overlap(const struct pci_bar *a, const struct pci_bar *b)
{
    return a->bytes && b->bytes && a->io == b->io && a->base < b->base + b->bytes &&
           b->base < a->base + a->bytes;
}

static void expect_apart(const struct pci_device *a, const struct pci_device *b)
{
    for (unsigned i = 0; i < PCI_BARS; i++)
        for (unsigned j = 0; j < PCI_BARS; j++)
            EXPECT((a == b && i == j) || !bars_overlap(&a->bar[i], &b->bar[j]));
}

KTEST(pci, bars, "no two BARs overlap")
{
    for (struct pci_device *a = pci_next(NULL); a; a = pci_next(a))
        for (struct pci_device *b = pci_next(NULL); b; b = pci_next(b))
            expect_apart(a, b);
}

KTEST(pci, capabilities, "a capability that is not there is not found")
{
    for (struct pci_device *device = pci_next(NULL); device; device = pci_next(device))
        EXPECT_EQ(pci_capability(device, 0xfe, 0), 0);
}

// Intel 82574 (data sheet 10.2.4): a network controller whose driver can raise its own interrupts.
enum {
    NIC_VENDOR = 0x8086,
    NIC_DEVICE = 0x10d3,
    NIC_CAUSE_SET = 0xc8 / 4,
    NIC_MASK_SET = 0xd0 / 4,
    NIC_MASK_CLEAR = 0xd8 / 4,
    NIC_VECTORS = 0xe4 / 4,
    NIC_CAUSE_OTHER = 1 << 24,
    NIC_VECTOR_OTHER_SHIFT = 16,
    NIC_VECTOR_VALID = 8,
};
// After a message the device holds back the next one for a while (data sheet 10.2.4, EITR; in QEMU
// 128 us). No register tells when that is over, and QEMU 7.2 aborts if MSI-X is switched off
// before.
#define NIC_THROTTLE_NS (10 * NSEC_PER_MSEC)

#define ARRIVAL_NS (10 * NSEC_PER_SEC) // longer than the busiest host holds an interrupt back

static volatile unsigned messages;

static unsigned await_count(const volatile unsigned *count, unsigned wanted)
{
    for (uint64_t end = clock_ns() + ARRIVAL_NS; *count < wanted && clock_ns() < end;)
        arch_cpu_relax();
    return *count;
}

static void count_message(struct kd_frame *frame, void *argument)
{
    (void)frame;
    (void)argument;
    messages = messages + 1;
}

KTEST(pci, msix, "a device's MSI-X message arrives")
{
    struct pci_device *nic = pci_find(NIC_VENDOR, NIC_DEVICE);
    if (!nic)
        ktest_skip("no Intel 82574 on this machine");
    int irq;
    int count = pci_msix_enable(nic, &irq, 1);
    if (count == -ENOTSUP)
        ktest_skip("this machine's interrupt controller takes no messages");
    EXPECT_EQ(count, 1);
    volatile uint32_t *registers = pci_map_bar(nic, 0);
    EXPECT(registers);
    messages = 0;
    EXPECT_EQ(irq_request(irq, IRQ_EDGE_RISING, IRQ_ORDINARY, count_message, NULL, "msix test"), 0);
    registers[NIC_VECTORS] = NIC_VECTOR_VALID << NIC_VECTOR_OTHER_SHIFT;
    registers[NIC_MASK_SET] = NIC_CAUSE_OTHER;
    registers[NIC_CAUSE_SET] = NIC_CAUSE_OTHER;
    unsigned arrived = await_count(&messages, 1);
    registers[NIC_MASK_CLEAR] = UINT32_MAX;
    thread_sleep_ns(NIC_THROTTLE_NS);
    irq_release(irq);
    pci_msix_disable(nic, &irq, 1);
    device_unmap(registers, nic->bar[0].bytes);
    EXPECT_EQ(arrived, 1);
}

// QEMU's teaching device (docs/specs/edu): whatever is written to its raise register becomes its
// interrupt status, and its pin is up until the status is acknowledged.
enum {
    EDU_VENDOR = 0x1234,
    EDU_DEVICE = 0x11e8,
    EDU_STATUS = 0x24 / 4,
    EDU_RAISE = 0x60 / 4,
    EDU_ACKNOWLEDGE = 0x64 / 4,
};

struct edu {
    volatile uint32_t *registers;
    volatile unsigned count;
    volatile uint32_t status; // of the last interrupt
};

static void edu_interrupt(struct kd_frame *frame, void *argument)
{
    struct edu *edu = argument;
    (void)frame;
    edu->status = edu->registers[EDU_STATUS];
    edu->registers[EDU_ACKNOWLEDGE] = edu->status;
    edu->count = edu->count + 1;
}

KTEST(pci, intx, "a device's pin interrupts once for each time it is raised")
{
    struct pci_device *device = pci_find(EDU_VENDOR, EDU_DEVICE);
    if (!device)
        ktest_skip("no edu device on this machine");
    int irq = pci_intx_irq(device);
    EXPECT(irq >= 0);
    pci_enable(device, false);
    struct edu edu = {.registers = pci_map_bar(device, 0)};
    EXPECT(edu.registers);
    int error = irq_request(irq, IRQ_LEVEL_HIGH, IRQ_ORDINARY, edu_interrupt, &edu, "intx test");
    unsigned right = 0;
    for (unsigned i = 1; i <= 3 && !error; i++) {
        edu.registers[EDU_RAISE] = i;
        right += await_count(&edu.count, i) == i && edu.status == i;
    }
    if (!error)
        irq_release(irq);
    device_unmap(edu.registers, device->bar[0].bytes);
    EXPECT_EQ(error, 0);
    EXPECT_EQ(right, 3);
}
