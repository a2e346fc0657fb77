// SPDX-License-Identifier: MIT
// Exceptions in C: entry.S calls exception_entry() with the saved frame; interrupts go to the
// interrupt controller, all else becomes a class and a name for trap_exception(). Runs on the way
// into the debugger: no locks, no allocation.
#include "kernel/arch/trap.h"
#include "kernel/arch/aarch64/gic.h"
#include "kernel/arch/context.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/mmu.h"
#include <machine/entry.h>
#include <machine/sysreg.h>

_Static_assert(offsetof(struct kd_frame, x[30]) == FRAME_X30, "entry.S");
_Static_assert(offsetof(struct kd_frame, sp) == FRAME_SP, "entry.S");
_Static_assert(offsetof(struct kd_frame, pc) == FRAME_PC, "entry.S");
_Static_assert(offsetof(struct kd_frame, pstate) == FRAME_PSTATE, "entry.S");
_Static_assert(offsetof(struct kd_frame, pmr) == FRAME_PMR, "entry.S");
_Static_assert(offsetof(struct kd_frame, esr) == FRAME_ESR, "entry.S");
_Static_assert(offsetof(struct kd_frame, far) == FRAME_FAR, "entry.S");
_Static_assert(offsetof(struct kd_frame, record) == FRAME_RECORD, "entry.S");

void exception_entry(struct kd_frame *frame, unsigned vector);

// ESR_EL1 (Arm ARM D17.2.37)
#define ESR_EC(esr)      ((esr) >> 26 & 0x3f)
#define ESR_WNR          (1 << 6)
#define ESR_FNV          (1 << 10)
#define ESR_FSC(esr)     ((esr)&0x3f)
#define ESR_COMMENT(esr) ((esr)&0xffff) // immediate of brk
#define EC_INSN_ABORT    0x21
#define EC_DATA_ABORT    0x25
#define EC_BREAKPOINT    0x31
#define EC_STEP          0x33
#define EC_WATCHPOINT    0x35
#define EC_BRK           0x3c
#define BRK_COMPILER     1000 // what gcc's __builtin_trap() spells

struct exception_kind {
    uint8_t ec;
    uint8_t class;
    uint8_t signal;
    bool has_address;
    const char *name;
};

static const struct exception_kind exception_kinds[] = {
    {0x00, TRAP_ILLEGAL, KD_SIGNAL_ILL, false, "undefined instruction"},
    {0x07, TRAP_ILLEGAL, KD_SIGNAL_ILL, false, "floating-point instruction"},
    {0x0d, TRAP_UNEXPECTED, KD_SIGNAL_ILL, false, "branch target exception"},
    {0x0e, TRAP_UNEXPECTED, KD_SIGNAL_ILL, false, "illegal execution state"},
    {0x15, TRAP_UNEXPECTED, KD_SIGNAL_TRAP, false, "svc instruction"},
    {0x16, TRAP_UNEXPECTED, KD_SIGNAL_TRAP, false, "hvc instruction"},
    {0x17, TRAP_UNEXPECTED, KD_SIGNAL_TRAP, false, "smc instruction"},
    {0x18, TRAP_ILLEGAL, KD_SIGNAL_ILL, false, "trapped system register access"},
    {0x1c, TRAP_UNEXPECTED, KD_SIGNAL_ILL, false, "pointer authentication failure"},
    {EC_INSN_ABORT, TRAP_PAGE_FAULT, KD_SIGNAL_SEGV, true, "instruction abort"},
    {0x22, TRAP_ALIGNMENT, KD_SIGNAL_BUS, true, "misaligned pc"},
    {EC_DATA_ABORT, TRAP_PAGE_FAULT, KD_SIGNAL_SEGV, true, "data abort"},
    {0x26, TRAP_ALIGNMENT, KD_SIGNAL_BUS, false, "misaligned sp"},
    {EC_BREAKPOINT, TRAP_DEBUG, KD_SIGNAL_TRAP, false, "hardware breakpoint"},
    {EC_STEP, TRAP_DEBUG, KD_SIGNAL_TRAP, false, "single step"},
    {EC_WATCHPOINT, TRAP_DEBUG, KD_SIGNAL_TRAP, true, "watchpoint"},
    {EC_BRK, TRAP_DEBUG, KD_SIGNAL_TRAP, false, "breakpoint"},
};
static const struct exception_kind kind_unexpected = {0, TRAP_UNEXPECTED, KD_SIGNAL_ILL, false,
                                                      "unexpected exception"};
static const struct exception_kind kind_compiler_trap = {EC_BRK, TRAP_ILLEGAL, KD_SIGNAL_ILL, false,
                                                         TRAP_NAME_COMPILER_CHECK};

// Fault status codes of aborts, by the bits above the level.
struct fault_status {
    uint8_t first, last;
    uint8_t class;
    uint8_t signal;
    const char *name;
};

static const struct fault_status fault_statuses[] = {
    {0x00, 0x03, TRAP_PAGE_FAULT, KD_SIGNAL_SEGV, "address size fault"},
    {0x04, 0x07, TRAP_PAGE_FAULT, KD_SIGNAL_SEGV, "translation fault"},
    {0x08, 0x0b, TRAP_PAGE_FAULT, KD_SIGNAL_SEGV, "access flag fault"},
    {0x0c, 0x0f, TRAP_PAGE_FAULT, KD_SIGNAL_SEGV, "permission fault"},
    {0x10, 0x10, TRAP_BUS, KD_SIGNAL_BUS, "synchronous external abort"},
    {0x14, 0x17, TRAP_BUS, KD_SIGNAL_BUS, "external abort on a table walk"},
    {0x18, 0x1f, TRAP_BUS, KD_SIGNAL_BUS, "memory error"},
    {0x21, 0x21, TRAP_ALIGNMENT, KD_SIGNAL_BUS, "alignment fault"},
};

__debugger_text static const struct exception_kind *exception_kind_find(uint64_t esr)
{
    if (ESR_EC(esr) == EC_BRK && ESR_COMMENT(esr) == BRK_COMPILER)
        return &kind_compiler_trap;
    for (unsigned i = 0; i < ARRAY_SIZE(exception_kinds); i++)
        if (exception_kinds[i].ec == ESR_EC(esr))
            return &exception_kinds[i];
    return &kind_unexpected;
}

__debugger_text static enum trap_access exception_access(uint64_t esr)
{
    if (ESR_EC(esr) == EC_INSN_ABORT)
        return TRAP_EXECUTE;
    return esr & ESR_WNR ? TRAP_WRITE : TRAP_READ;
}

// Ordinary interrupts stay off as on entry. Debug exceptions and SErrors are let in, unless this is
// a debug exception or comes in mid-step: with MDSCR_EL1.SS set a step would be taken at once.
// The stop signal is let in where the interrupted context let it in.
__debugger_text static void exception_unmask(const struct kd_frame *frame)
{
    uint64_t mask = PSTATE_I;
    if (cpu_masks_by_priority) {
        arch_irq_disable();
        mask = frame->pstate & PSTATE_I;
    }
    mask |= frame->pstate & PSTATE_F;
    unsigned ec = ESR_EC(frame->esr);
    if (ec == EC_BREAKPOINT || ec == EC_STEP || ec == EC_WATCHPOINT || ec == EC_BRK ||
        (sysreg_read(mdscr_el1) & MDSCR_SS))
        mask |= PSTATE_D;
    sysreg_write(daif, mask);
}

__debugger_text static void exception_sync(struct kd_frame *frame)
{
    const struct exception_kind *kind = exception_kind_find(frame->esr);
    enum trap_class class = kind->class;
    struct kd_trap trap = {.name = kind->name,
                           .code = frame->esr,
                           .fault_address = frame->far,
                           .has_address = kind->has_address && !(frame->esr & ESR_FNV),
                           .signal = kind->signal};
    if (ESR_EC(frame->esr) == EC_DATA_ABORT || ESR_EC(frame->esr) == EC_INSN_ABORT)
        for (unsigned i = 0; i < ARRAY_SIZE(fault_statuses); i++) {
            const struct fault_status *status = &fault_statuses[i];
            if (ESR_FSC(frame->esr) >= status->first && ESR_FSC(frame->esr) <= status->last) {
                class = status->class;
                trap.name = status->name;
                trap.signal = status->signal;
            }
        }
    exception_unmask(frame);
    trap_exception(frame, class, exception_access(frame->esr), &trap);
}

__debugger_text static void exception_fatal(struct kd_frame *frame, enum trap_class class,
                                            const char *name, uint64_t address, bool has_address)
{
    struct kd_trap trap = {.name = name,
                           .code = frame->esr,
                           .fault_address = address,
                           .has_address = has_address,
                           .signal = KD_SIGNAL_SEGV};
    exception_unmask(frame);
    trap_exception(frame, class, exception_access(frame->esr), &trap);
}

// The frame is on the emergency stack; frame->sp is what the stack pointer was.
__debugger_text static void exception_bad_stack(struct kd_frame *frame)
{
    extern char boot_stack_guard[], boot_stack_low[];
    uintptr_t lowest = frame->sp - sizeof(*frame);
    bool in_slot = lowest >= VMAP_BASE && lowest - VMAP_BASE < VMAP_BYTES;
    bool below_boot = lowest >= (uintptr_t)boot_stack_guard && lowest < (uintptr_t)boot_stack_low;
    bool overflow = (in_slot && !(lowest & THREAD_STACK_BYTES)) || below_boot;
    exception_fatal(frame, overflow ? TRAP_STACK_OVERFLOW : TRAP_UNEXPECTED,
                    overflow ? "stack overflow" : "unusable stack pointer", frame->sp, true);
}

// An interrupt has no syndrome: what the register holds is an earlier exception's, perhaps a
// breakpoint's, which must not be taken for the cause.
__debugger_text void exception_entry(struct kd_frame *frame, unsigned vector)
{
    unsigned kind = vector % VECTOR_FROM_EL1H;
    if (kind == VECTOR_IRQ || kind == VECTOR_FIQ)
        frame->esr = 0;
    if (vector & VECTOR_BAD_STACK) {
        exception_bad_stack(frame);
        return;
    }
    switch (vector) {
    case VECTOR_FROM_EL1H + VECTOR_SYNC:
        exception_sync(frame);
        break;
    case VECTOR_FROM_EL1H + VECTOR_IRQ:
        gic_interrupt(frame);
        break;
    case VECTOR_FROM_EL1H + VECTOR_FIQ:
        gic_fast_interrupt(frame);
        break;
    case VECTOR_FROM_EL1H + VECTOR_SERROR:
        exception_fatal(frame, TRAP_BUS, "SError: a write or a device failed", 0, false);
        break;
    default:
        exception_fatal(frame, TRAP_UNEXPECTED, "exception from a level that is not used", 0,
                        false);
    }
}
