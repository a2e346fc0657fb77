// SPDX-License-Identifier: MIT
// Threads as a machine sees them: stacks, the switch between them, and what of a sleeping thread's
// registers is known.
#pragma once

#include "kernel/lib/base.h"
#include <kd_machine/frame.h>

struct thread;

// Stacks lie in the VMAP area in slots of twice their size, aligned to the slot, with the stack in
// the upper half: one bit of sp tells the entry code that a stack has overflowed into its guard.
#ifdef CONFIG_KASAN
#define THREAD_STACK_BYTES KIB(32)
#else
#define THREAD_STACK_BYTES KIB(16)
#endif

// Prepares thread->sp so that the first switch to it calls thread_start(thread) with interrupts
// off, at the stack's end of the unwinder's chain (CFI: return address undefined).
void arch_thread_init(struct thread *thread);

// Saves the callee-saved registers on prev's stack, stores prev->sp, continues next. Changes the
// machine's idea of current (and the per-CPU stack canary). Interrupts off. Returns, on prev's
// next turn, the thread that was switched away from.
struct thread *arch_switch(struct thread *prev, struct thread *next);

// The registers of a thread that is not running, as of its call of arch_switch(). Bit n of
// `valid` belongs to row n of the machine's register table. 0, or -EFAULT when the stack pointer
// makes no sense. Any context; reads through kd_mem_copy().
int arch_thread_frame(const struct thread *thread, struct kd_frame *out, uint64_t *valid);
