// SPDX-License-Identifier: MIT
// Traps in C: entry.S calls trap_entry() with the saved frame. Interrupts go to the timer, to the
// other harts' signals and to the PLIC; exceptions get a class and a name for trap_exception().
// Runs on the way into the debugger: no locks, no allocation.
#include "kernel/arch/trap.h"

#include "kdebug/machine.h"
#include "kernel/arch/context.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/mmu.h"
#include "kernel/arch/riscv64/interrupts.h"
#include "kernel/cpu/cpu.h"
#include "kernel/irq/irq.h"
#include <machine/entry.h>
#include <machine/percpu.h>

_Static_assert(offsetof(struct kd_frame, pc) == FRAME_PC, "entry.S");
_Static_assert(offsetof(struct kd_frame, sstatus) == FRAME_SSTATUS, "entry.S");
_Static_assert(offsetof(struct kd_frame, scause) == FRAME_SCAUSE, "entry.S");
_Static_assert(offsetof(struct kd_frame, stval) == FRAME_STVAL, "entry.S");
_Static_assert(sizeof(struct kd_frame) == FRAME_RECORD && ENTRY_BYTES == FRAME_RECORD + 16,
               "entry.S");

void trap_entry(struct kd_frame *frame, bool bad_stack);

struct exception_kind {
    const char *name;
    uint8_t class;
    uint8_t access;
    uint8_t signal;
    bool has_address;
};

// By scause (privileged architecture 1.12, table 4.2).
static const struct exception_kind exception_kinds[] = {
    [0] = {"misaligned jump", TRAP_ALIGNMENT, TRAP_EXECUTE, KD_SIGNAL_BUS, true},
    [1] = {"instruction access fault", TRAP_BUS, TRAP_EXECUTE, KD_SIGNAL_BUS, true},
    [2] = {"illegal instruction", TRAP_ILLEGAL, TRAP_EXECUTE, KD_SIGNAL_ILL, false},
    // The debugger's own breakpoints never get as far as a name.
    [3] = {TRAP_NAME_COMPILER_CHECK, TRAP_DEBUG, TRAP_EXECUTE, KD_SIGNAL_TRAP, false},
    [4] = {"misaligned load", TRAP_ALIGNMENT, TRAP_READ, KD_SIGNAL_BUS, true},
    [5] = {"load access fault", TRAP_BUS, TRAP_READ, KD_SIGNAL_BUS, true},
    [6] = {"misaligned store", TRAP_ALIGNMENT, TRAP_WRITE, KD_SIGNAL_BUS, true},
    [7] = {"store access fault", TRAP_BUS, TRAP_WRITE, KD_SIGNAL_BUS, true},
    [12] = {"instruction page fault", TRAP_PAGE_FAULT, TRAP_EXECUTE, KD_SIGNAL_SEGV, true},
    [13] = {"load page fault", TRAP_PAGE_FAULT, TRAP_READ, KD_SIGNAL_SEGV, true},
    [15] = {"store page fault", TRAP_PAGE_FAULT, TRAP_WRITE, KD_SIGNAL_SEGV, true},
};
static const struct exception_kind kind_unexpected = {"unexpected exception", TRAP_UNEXPECTED,
                                                      TRAP_READ, KD_SIGNAL_ILL, false};

__debugger_text static void exception(struct kd_frame *frame)
{
    const struct exception_kind *kind = &kind_unexpected;
    if (frame->scause < ARRAY_SIZE(exception_kinds) && exception_kinds[frame->scause].name != NULL)
        kind = &exception_kinds[frame->scause];
    struct kd_trap trap = {
        .name = kind->name,
        .code = frame->scause,
        .fault_address = frame->stval,
        .has_address = kind->has_address,
        .signal = kind->signal,
    };
    trap_exception(frame, kind->class, kind->access, &trap);
}

// The frame is on the emergency stack, its x[2] is what the stack pointer was.
__debugger_text static void bad_stack_exception(struct kd_frame *frame)
{
    extern char boot_stack_guard[], boot_stack_low[];
    uintptr_t lowest = frame->x[2] - ENTRY_BYTES;
    bool in_slot = lowest - VMAP_BASE < VMAP_BYTES;
    bool below_boot = lowest >= (uintptr_t)boot_stack_guard && lowest < (uintptr_t)boot_stack_low;
    bool overflow = (in_slot && !(lowest & THREAD_STACK_BYTES)) || below_boot;
    struct kd_trap trap = {
        .name = overflow ? "stack overflow" : "unusable stack pointer",
        .code = frame->scause,
        .fault_address = frame->x[2],
        .has_address = true,
        .signal = KD_SIGNAL_SEGV,
    };
    trap_exception(frame, overflow ? TRAP_STACK_OVERFLOW : TRAP_UNEXPECTED, TRAP_WRITE, &trap);
}

__debugger_text static void interrupt(struct kd_frame *frame)
{
    switch (frame->scause & ~(UINT64_C(1) << 63)) {
    case IRQ_SOFTWARE:
        ipi_interrupt(frame);
        break;
    case IRQ_TIMER:
        irq_enter(frame);
        this_cpu()->timer_count++;
        timer_expired();
        irq_exit(frame);
        break;
    case IRQ_EXTERNAL:
        plic_interrupt(frame);
        break;
    default:
        irq_spurious(-1);
    }
}

__debugger_text void trap_entry(struct kd_frame *frame, bool bad_stack)
{
    if (bad_stack)
        bad_stack_exception(frame);
    else if (SCAUSE_IS_IRQ(frame->scause))
        interrupt(frame);
    else
        exception(frame);
}
