// SPDX-License-Identifier: MIT
// What an exception on RISC-V was for the debugger, by scause (privileged architecture, table 4.2).
// Called first in the exception path; touches the frame only.
#include "kdebug/machine.h"

enum {
    CAUSE_BREAKPOINT = 3,
    CAUSE_LOAD_MISALIGNED = 4,
    CAUSE_LOAD_ACCESS = 5,
    CAUSE_STORE_MISALIGNED = 6,
    CAUSE_STORE_ACCESS = 7,
    CAUSE_LOAD_PAGE = 13,
    CAUSE_STORE_PAGE = 15,
};

bool kd_is_memory_fault(const struct kd_frame *frame)
{
    switch (frame->scause) {
    case CAUSE_LOAD_MISALIGNED:
    case CAUSE_LOAD_ACCESS:
    case CAUSE_STORE_MISALIGNED:
    case CAUSE_STORE_ACCESS:
    case CAUSE_LOAD_PAGE:
    case CAUSE_STORE_PAGE:
        return true;
    default:
        return false;
    }
}

uintptr_t kd_frame_link(const struct kd_frame *frame, uintptr_t start)
{
    (void)start;
    return frame->x[1];
}

enum kd_trap_kind kd_trap_classify(struct kd_frame *frame, uint64_t code, uint64_t fault_address,
                                   unsigned *slot, uint64_t *address)
{
    (void)frame;
    (void)fault_address;
    (void)slot;
    (void)address;
    return code == CAUSE_BREAKPOINT ? KD_TRAP_BREAKPOINT : KD_TRAP_OTHER;
}

// FENCE.I orders this hart only (unprivileged ISA, chapter 3); the others execute their own in
// kd_context_sync() before they run anything.
void kd_icache_sync(uintptr_t address, size_t length)
{
    (void)address;
    (void)length;
    __asm__ volatile("fence rw, rw; fence.i" ::: "memory");
}

void kd_context_sync(void)
{
    __asm__ volatile("fence.i" ::: "memory");
}

uintptr_t kd_interrupts_off(void)
{
    uintptr_t before;
    __asm__ volatile("csrrci %0, sstatus, 2" : "=r"(before)::"memory");
    return before;
}

void kd_interrupts_restore(uintptr_t before)
{
    if ((before & 2) != 0)
        __asm__ volatile("csrsi sstatus, 2" ::: "memory");
}
