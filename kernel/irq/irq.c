// SPDX-License-Identifier: MIT
// The table of interrupts: who handles which, and how often each came. Controllers register their
// chip and call irq_dispatch(); drivers request and release.
//
// Dispatch takes no lock, so that the debug class works in NMI context. It counts itself into the
// action before it trusts the table; release clears the table first and then waits for the count
// to fall to zero. Actions are never given back to an allocator.
#include "kernel/irq/irq.h"

#include <errno.h>
#include <string.h>

#include "kernel/cpu/cpu.h"
#include "kernel/log/log.h"
#include "kernel/panic.h"
#include "kernel/sched/thread.h"
#include "kernel/sync/lock.h"
#include "kernel/sync/patience.h"

static SPINLOCK(RANK_IRQ_TABLE) table_lock = LOCK_INIT("irq table");

#define ACTIONS_MAX 64
static struct irq_action {
    irq_handler *handler;
    void *argument;
    char name[24];
    int irq;
    bool used;
    uint32_t active; // CPUs inside the handler
    uint64_t count[CPU_MAX];
} actions[ACTIONS_MAX];
static uint8_t action_of[IRQ_COUNT]; // index + 1, 0: none
static uint64_t spurious_logged[IRQ_COUNT / 64 + 1];
static const struct irq_chip *chip;

_Static_assert(ACTIONS_MAX < 256, "action_of[] holds it in a byte");

void irq_chip_register(const struct irq_chip *new_chip)
{
    ASSERT(!chip);
    chip = new_chip;
}

static struct irq_action *action_alloc(void)
{
    for (unsigned i = 0; i < ACTIONS_MAX; i++)
        if (!actions[i].used)
            return &actions[i];
    return NULL;
}

// The table's lock is held.
static int request_locked(int irq, enum irq_trigger trigger, enum irq_class class,
                          irq_handler *handler, void *argument, const char *name)
{
    struct irq_action *action = action_alloc();
    if (action_of[irq])
        return -EBUSY;
    if (!action)
        return -ENOSPC;
    // A message was prepared by irq_msi_alloc(), which made no line of it.
    int error = irq < IRQ_MSI_FIRST ? chip->setup(irq, trigger, class) : 0;
    if (error)
        return error;
    memset(action->count, 0, sizeof(action->count));
    action->handler = handler;
    action->argument = argument;
    action->irq = irq;
    strlcpy(action->name, name, sizeof(action->name));
    action->used = true;
    __atomic_store_n(&action_of[irq], (uint8_t)(action - actions + 1), __ATOMIC_SEQ_CST);
    chip->unmask(irq);
    return 0;
}

int irq_request(int irq, enum irq_trigger trigger, enum irq_class class, irq_handler *handler,
                void *argument, const char *name)
{
    if (irq < 0 || irq >= IRQ_COUNT || !chip)
        return -EINVAL;
    int error = 0;
    WITH (&table_lock)
        error = request_locked(irq, trigger, class, handler, argument, name);
    return error;
}

void irq_release(int irq)
{
    if (irq < 0 || irq >= IRQ_COUNT)
        return;
    struct irq_action *action = NULL;
    WITH (&table_lock) {
        if (!action_of[irq])
            break;
        chip->mask(irq);
        action = &actions[action_of[irq] - 1];
        __atomic_store_n(&action_of[irq], 0, __ATOMIC_SEQ_CST);
    }
    if (!action)
        return;
    struct patience patience;
    patience_start(&patience);
    while (__atomic_load_n(&action->active, __ATOMIC_SEQ_CST)) {
        arch_cpu_relax();
        if (patience_over(&patience))
            panic("irq_release: the handler of irq %d (%s) does not end", irq, action->name);
    }
    WITH (&table_lock)
        action->used = false;
}

int irq_route(int irq, uint64_t cpu_mask)
{
    if (irq < 0 || irq >= IRQ_COUNT || !chip)
        return -EINVAL;
    int error = 0;
    WITH (&table_lock)
        error = chip->route(irq, cpu_mask);
    return error;
}

// -- messages

static uint64_t msi_used;
_Static_assert(IRQ_MSI_COUNT == 64, "one word of bits");

int irq_msi_alloc(uint32_t requester_id, uint64_t *address, uint32_t *data)
{
    if (!chip || !chip->msi_setup)
        return -ENOTSUP;
    int result = -ENOSPC;
    WITH (&table_lock) {
        if (~msi_used == 0)
            break;
        unsigned bit = (unsigned)__builtin_ctzll(~msi_used);
        result = chip->msi_setup(IRQ_MSI_FIRST + (int)bit, requester_id, address, data);
        if (result)
            break;
        msi_used |= UINT64_C(1) << bit;
        result = IRQ_MSI_FIRST + (int)bit;
    }
    return result;
}

void irq_msi_free(int irq)
{
    if (irq < IRQ_MSI_FIRST || irq >= IRQ_COUNT)
        return;
    irq_release(irq);
    WITH (&table_lock)
        msi_used &= ~(UINT64_C(1) << (irq - IRQ_MSI_FIRST));
}

// -- interrupts arrive. Handlers run with interrupts off, so ordinary ones do not nest; the debug
// class may come on top of one.

#define IRQ_NESTING_MAX 4
static struct kd_frame *frames[CPU_MAX][IRQ_NESTING_MAX];

void irq_enter(struct kd_frame *frame)
{
    struct cpu *cpu = this_cpu();
    ASSERT(cpu->irq_depth < IRQ_NESTING_MAX);
    frames[cpu->index][cpu->irq_depth++] = frame;
    cpu->irq_count++;
}

void irq_exit(struct kd_frame *frame)
{
    struct cpu *cpu = this_cpu();
    (void)frame;
    if (--cpu->irq_depth == 0)
        sched_preempt();
}

struct kd_frame *irq_frame(void)
{
    const struct cpu *cpu = this_cpu();
    return cpu->irq_depth ? frames[cpu->index][cpu->irq_depth - 1] : NULL;
}

void irq_dispatch(int irq, struct kd_frame *frame)
{
    unsigned slot =
        irq < 0 || irq >= IRQ_COUNT ? 0 : __atomic_load_n(&action_of[irq], __ATOMIC_SEQ_CST);
    if (!slot) {
        irq_spurious(irq);
        return;
    }
    struct irq_action *action = &actions[slot - 1];
    __atomic_fetch_add(&action->active, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&action_of[irq], __ATOMIC_SEQ_CST) == slot) {
        action->count[this_cpu()->index]++;
        action->handler(frame, action->argument);
    } else {
        irq_spurious(irq);
    }
    __atomic_fetch_sub(&action->active, 1, __ATOMIC_SEQ_CST);
}

static uint64_t spurious_count;

uint64_t irq_spurious_total(void)
{
    return READ_ONCE(spurious_count);
}

void irq_spurious(int irq)
{
    __atomic_fetch_add(&spurious_count, 1, __ATOMIC_RELAXED);
    if (irq < 0 || irq >= IRQ_COUNT)
        return;
    uint64_t bit = UINT64_C(1) << irq % 64;
    if (!(__atomic_fetch_or(&spurious_logged[irq / 64], bit, __ATOMIC_RELAXED) & bit))
        log_warn("irq %d: nobody handles it", irq);
}

bool irq_info(unsigned *cursor, struct irq_info *out)
{
    for (; *cursor < IRQ_COUNT; (*cursor)++) {
        unsigned slot = READ_ONCE(action_of[*cursor]);
        if (!slot)
            continue;
        const struct irq_action *action = &actions[slot - 1];
        out->irq = (int)*cursor;
        memcpy(out->name, action->name, sizeof(out->name));
        out->name[sizeof(out->name) - 1] = '\0';
        memcpy(out->count, action->count, sizeof(out->count));
        (*cursor)++;
        return true;
    }
    return false;
}
