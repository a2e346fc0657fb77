// SPDX-License-Identifier: MIT
// Structure offsets that assembly needs. Compiled to assembly text only; make/kernel.mk turns each
// "->NAME value" into a #define in build/<arch>/gen/offsets.h.
#include "kernel/cpu/cpu.h"
#include "kernel/sched/thread.h"
#include <kd_machine/frame.h>

#define EMIT(name, value)          __asm__ volatile("\n.ascii \"->" #name " %0\"" ::"i"(value))
#define OFFSET(name, type, member) EMIT(name, offsetof(type, member))

void offsets(void);
void offsets(void)
{
    OFFSET(CPU_SELF, struct cpu, self);
    OFFSET(CPU_CURRENT, struct cpu, current);
    OFFSET(CPU_STACK_CANARY, struct cpu, stack_canary);
    OFFSET(CPU_BOOT_STACK, struct cpu, boot_stack);
    OFFSET(CPU_HW_ID, struct cpu, hw_id);
    OFFSET(CPU_MACHINE, struct cpu, machine);
    EMIT(CPU_BYTES, sizeof(struct cpu));
    EMIT(CPU_COUNT_MAX, CPU_MAX);
    OFFSET(THREAD_STACK_CANARY, struct thread, stack_canary);
    OFFSET(THREAD_CPU, struct thread, cpu);
    OFFSET(THREAD_SP, struct thread, sp);
    OFFSET(THREAD_STACK_LOW, struct thread, stack_low);
    EMIT(FRAME_BYTES, sizeof(struct kd_frame));
    EMIT(STACK_BYTES, THREAD_STACK_BYTES);
}

_Static_assert(offsetof(struct cpu, stack_canary) == 16, "make/kernel.mk tells the compiler so");
_Static_assert(offsetof(struct thread, stack_canary) == 0, "make/kernel.mk tells the compiler so");
