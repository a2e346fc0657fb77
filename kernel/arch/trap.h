// SPDX-License-Identifier: MIT
// Exceptions above the machine's vectors. The entry code saves a struct kd_frame, switches stacks
// where it must, and calls one of these with interrupts off; when it returns, the frame (perhaps
// changed) is resumed.
#pragma once

#include "kdebug/kdebug.h"
#include "kernel/lib/base.h"

// What a machine calls the instruction that ends a failed check of -fsanitize=undefined.
#define TRAP_NAME_COMPILER_CHECK "undefined behaviour caught by the compiler's checks"

enum trap_class {
    TRAP_DEBUG,      // breakpoint, step, watchpoint
    TRAP_PAGE_FAULT, // translation or permission; fault_address is set
    TRAP_BUS,        // external abort, access fault
    TRAP_ILLEGAL,    // undefined instruction
    TRAP_ARITHMETIC, // divide
    TRAP_ALIGNMENT,
    TRAP_STACK_OVERFLOW, // found by the entry code, or a page fault in a guard page
    TRAP_UNEXPECTED,     // anything else, a double fault included
};

enum trap_access { TRAP_READ, TRAP_WRITE, TRAP_EXECUTE };

// Every exception that is not an interrupt. `frame` is what kd_trap() may change. Does not return
// for a fatal one. Debugger first (kd_trap), then a readable panic: what, where, address, access.
void trap_exception(struct kd_frame *frame, enum trap_class class, enum trap_access access,
                    const struct kd_trap *trap);
