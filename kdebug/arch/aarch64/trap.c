// SPDX-License-Identifier: MIT
// What an exception on AArch64 was for the debugger, by the class in ESR_EL1 (Arm ARM D17.2.37).
// Called first in the exception path; touches the frame only.
#include "kdebug/arch/aarch64/debug_registers.h"

enum {
    CLASS_DATA_ABORT = 0x25, // from the same exception level
    CLASS_BREAKPOINT = 0x31,
    CLASS_STEP = 0x33,
    CLASS_WATCHPOINT = 0x35,
    CLASS_BRK = 0x3c,
};

bool kd_is_memory_fault(const struct kd_frame *frame)
{
    return (frame->esr >> 26 & 0x3f) == CLASS_DATA_ABORT;
}

uintptr_t kd_frame_link(const struct kd_frame *frame, uintptr_t start)
{
    (void)start;
    return frame->x[30];
}

enum kd_trap_kind kd_trap_classify(struct kd_frame *frame, uint64_t code, uint64_t fault_address,
                                   unsigned *slot, uint64_t *address)
{
    switch (code >> 26 & 0x3f) {
    case CLASS_BRK: // gdb's and ours are brk #0; a compiler's trap is brk #1000
        return (code & 0xffff) == 0 ? KD_TRAP_BREAKPOINT : KD_TRAP_OTHER;
    case CLASS_STEP:
        return KD_TRAP_STEP;
    case CLASS_BREAKPOINT:
        return kd_hardware_break_at(frame->pc, slot) ? KD_TRAP_HWBREAK : KD_TRAP_OTHER;
    case CLASS_WATCHPOINT:
        return kd_watchpoint_near(fault_address, slot, address) ? KD_TRAP_WATCH : KD_TRAP_OTHER;
    default:
        return KD_TRAP_OTHER;
    }
}

// Arm ARM B2.4.4: clean to the point of unification, invalidate the instruction caches of the inner
// shareable domain, which is every CPU; each needs an ISB of its own.
void kd_icache_sync(uintptr_t address, size_t length)
{
    const uintptr_t line = 16; // the smallest the architecture allows
    for (uintptr_t at = address & ~(line - 1); at < address + length; at += line)
        __asm__ volatile("dc cvau, %0" ::"r"(at) : "memory");
    __asm__ volatile("dsb ish" ::: "memory");
    for (uintptr_t at = address & ~(line - 1); at < address + length; at += line)
        __asm__ volatile("ic ivau, %0" ::"r"(at) : "memory");
    __asm__ volatile("dsb ish; isb" ::: "memory");
}

void kd_context_sync(void)
{
    __asm__ volatile("isb" ::: "memory");
}

uintptr_t kd_interrupts_off(void)
{
    uintptr_t before;
    __asm__ volatile("mrs %0, daif; msr daifset, #3" : "=r"(before)::"memory");
    return before;
}

void kd_interrupts_restore(uintptr_t before)
{
    __asm__ volatile("msr daif, %0" ::"r"(before) : "memory");
}
