// SPDX-License-Identifier: MIT
// Exceptions above the machine's vectors: the debugger first, then an end that says what happened,
// where, and to which address. Runs in any context, with interrupts off, before and after panics.
#include "kernel/arch/trap.h"

#include "kdebug/machine.h"
#include "kernel/cpu/cpu.h"
#include "kernel/mm/mapping.h"
#include "kernel/sched/thread.h"

static const char *access_name(enum trap_access access)
{
    static const char *const names[] = {"read", "write", "execution"};
    return names[access];
}

static _Noreturn void fatal_memory_fault(struct kd_frame *frame, enum trap_access access,
                                         const struct kd_trap *trap)
{
    unsigned long long address = trap->fault_address;
    uintptr_t low;
    if (stack_guard_hit(trap->fault_address, &low))
        kd_panic(frame, trap, "stack overflow: %s at 0x%llx, below the stack 0x%llx..0x%llx",
                 access_name(access), address, (unsigned long long)low,
                 (unsigned long long)low + THREAD_STACK_BYTES);
    if (address < PAGE_SIZE)
        kd_panic(frame, trap, "null pointer %s at 0x%llx", access_name(access), address);
    paddr_t paddr;
    unsigned allowed;
    size_t bytes;
    if (!mapping_walk(trap->fault_address, &paddr, &allowed, &bytes))
        kd_panic(frame, trap, "%s: %s at unmapped address 0x%llx", trap->name, access_name(access),
                 address);
    kd_panic(frame, trap, "%s: %s at 0x%llx, which is mapped %s%s%s", trap->name,
             access_name(access), address, allowed & PAGE_READ ? "r" : "-",
             allowed & PAGE_WRITE ? "w" : "-", allowed & PAGE_EXECUTE ? "x" : "-");
}

__debugger_text void trap_exception(struct kd_frame *frame, enum trap_class class,
                                    enum trap_access access, const struct kd_trap *trap)
{
    // The repair copies, too.
    if (kd_fixup(frame))
        return;
    cpu_pointers_repair(kd_frame_sp(frame));
    if (class != TRAP_STACK_OVERFLOW && kd_trap(frame, trap))
        return;
    switch (class) {
    case TRAP_PAGE_FAULT:
    case TRAP_BUS:
        fatal_memory_fault(frame, access, trap);
    case TRAP_STACK_OVERFLOW:
        kd_panic(frame, trap, "stack overflow in thread \"%s\", sp 0x%llx", thread_current()->name,
                 (unsigned long long)kd_frame_sp(frame));
    case TRAP_DEBUG:
    case TRAP_ILLEGAL:
    case TRAP_ARITHMETIC:
    case TRAP_ALIGNMENT:
    case TRAP_UNEXPECTED:
        kd_panic(frame, trap, "%s", trap->name);
    }
    kd_panic(frame, trap, "%s (class %d)", trap->name, (int)class);
}
