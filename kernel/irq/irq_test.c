// SPDX-License-Identifier: MIT
// The interrupt table's contract: a line has one handler, gets it by irq_request() and loses it by
// irq_release(); dispatch finds it and counts.
#include <errno.h>
#include <string.h>

#include "kernel/cpu/cpu.h"
#include "kernel/irq/irq.h"
#include "kernel/test/ktest.h"

static void note(struct kd_frame *frame, void *argument)
{
    *(struct kd_frame **)argument = frame;
}

static void ignore(struct kd_frame *frame, void *argument)
{
    (void)frame;
    (void)argument;
}

// A line that exists and that no driver has: which, only the machine's controller knows.
static int request_spare(irq_handler *handler, void *argument)
{
    for (int irq = IRQ_LINES - 1; irq > 0; irq--)
        if (irq_request(irq, IRQ_EDGE_RISING, IRQ_ORDINARY, handler, argument, "spare") == 0)
            return irq;
    ktest_skip("no spare interrupt line");
}

static uint64_t count_of(int irq, const char *name)
{
    struct irq_info info;
    for (unsigned cursor = 0; irq_info(&cursor, &info);) {
        if (info.irq != irq || strcmp(info.name, name) != 0)
            continue;
        uint64_t sum = 0;
        for (unsigned i = 0; i < CPU_MAX; i++)
            sum += info.count[i];
        return sum;
    }
    return UINT64_MAX;
}

KTEST(irq, request, "a line has one handler at a time")
{
    int irq = request_spare(ignore, NULL);
    int again = irq_request(irq, IRQ_EDGE_RISING, IRQ_ORDINARY, ignore, NULL, "again");
    uint64_t count = count_of(irq, "spare");
    irq_release(irq);
    EXPECT_EQ(again, -EBUSY);
    EXPECT_EQ(count, 0);
    EXPECT(count_of(irq, "spare") == UINT64_MAX);
    EXPECT_EQ(irq_request(-1, IRQ_EDGE_RISING, IRQ_ORDINARY, ignore, NULL, "bad"), -EINVAL);
    EXPECT_EQ(irq_request(IRQ_COUNT, IRQ_EDGE_RISING, IRQ_ORDINARY, ignore, NULL, "bad"), -EINVAL);
}

KTEST(irq, dispatch, "dispatch calls the handler with the frame and counts it")
{
    struct kd_frame frame, *seen = NULL;
    uint64_t spurious = irq_spurious_total();
    int irq = request_spare(note, &seen);
    irq_state_t state = arch_irq_save();
    irq_dispatch(irq, &frame);
    arch_irq_restore(state);
    uint64_t count = count_of(irq, "spare");
    irq_release(irq);
    EXPECT(seen == &frame);
    EXPECT_EQ(count, 1);
    EXPECT_EQ(irq_spurious_total(), spurious);
    seen = NULL;
    irq_dispatch(irq, &frame);
    EXPECT(!seen);
    EXPECT_EQ(irq_spurious_total(), spurious + 1);
}

// Takes messages until there are none; returns how many, and why that was all in *status.
static unsigned messages_take(int irqs[IRQ_MSI_COUNT], uint64_t places[IRQ_MSI_COUNT], int *status)
{
    uint32_t data;
    for (unsigned count = 0; count < IRQ_MSI_COUNT; count++) {
        *status = irq_msi_alloc(0, &places[count], &data);
        if (*status < 0)
            return count;
        irqs[count] = *status;
        places[count] = places[count] << 16 ^ data;
    }
    uint64_t place;
    *status = irq_msi_alloc(0, &place, &data);
    return IRQ_MSI_COUNT;
}

KTEST(irq, messages, "messages run out with an error, each is another, and all come back")
{
    static int irqs[IRQ_MSI_COUNT], again[IRQ_MSI_COUNT];
    static uint64_t places[IRQ_MSI_COUNT];
    int status;
    unsigned count = messages_take(irqs, places, &status);
    if (count == 0 && status == -ENOTSUP)
        ktest_skip("this machine's interrupt controller takes no messages");
    EXPECT_EQ(status, -ENOSPC);
    EXPECT(count > 0);
    for (unsigned i = 0; i < count; i++) {
        EXPECT(irqs[i] >= IRQ_MSI_FIRST && irqs[i] < IRQ_COUNT);
        for (unsigned j = 0; j < i; j++)
            EXPECT(irqs[i] != irqs[j] && places[i] != places[j]);
        irq_msi_free(irqs[i]);
    }
    EXPECT_EQ(messages_take(again, places, &status), count);
    for (unsigned i = 0; i < count; i++)
        irq_msi_free(again[i]);
}
