// SPDX-License-Identifier: MIT
// Threads as AArch64 sees them, in C: a new thread's first stack contents, and what is known of the
// registers of one that sleeps. The scheduler calls the first, the debugger the second.
#include "kernel/arch/context.h"
#include "kdebug/machine.h"
#include "kernel/lib/include/errno.h"
#include "kernel/sched/thread.h"
#include <machine/context.h>
#include <machine/sysreg.h>

void thread_begin(void);

void arch_thread_init(struct thread *thread)
{
    struct switch_frame *frame = (struct switch_frame *)thread->stack_high - 1;
    *frame = (struct switch_frame){.x30 = (uintptr_t)thread_begin};
    frame->x19_to_x28[0] = (uintptr_t)thread;
    thread->sp = (uintptr_t)frame;
}

// Rows 19 to 32 of the register table: x19 to x30, sp, pc. x30 equals pc after the return.
#define FRAME_VALID (((UINT64_C(1) << 33) - 1) & ~((UINT64_C(1) << 19) - 1))

__debugger_text int arch_thread_frame(const struct thread *thread, struct kd_frame *out,
                                      uint64_t *valid)
{
    struct switch_frame saved;
    uintptr_t sp = thread->sp;
    if (sp % 16 != 0 || kd_mem_copy(&saved, (const void *)sp, sizeof(saved)) != sizeof(saved))
        return -EFAULT;
    *out = (struct kd_frame){.pstate = PSTATE_EL1H};
    for (unsigned i = 0; i < 10; i++)
        out->x[19 + i] = saved.x19_to_x28[i];
    out->x[29] = saved.x29;
    out->x[30] = saved.x30;
    out->pc = saved.x30;
    out->sp = sp + sizeof(saved);
    *valid = FRAME_VALID;
    return 0;
}
