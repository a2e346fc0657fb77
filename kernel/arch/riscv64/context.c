// SPDX-License-Identifier: MIT
// Threads as RISC-V sees them, in C: a new thread's first stack contents, and what is known of the
// registers of one that sleeps. The scheduler calls the first, the debugger the second.
#include "kernel/arch/context.h"

#include <errno.h>

#include "kdebug/machine.h"
#include "kernel/sched/thread.h"
#include <machine/csr.h>
#include <machine/entry.h>

// What arch_switch() leaves on the stack.
struct switch_frame {
    uint64_t s1_to_s11[11];
    uint64_t alignment;
    uint64_t s0, ra;
};
_Static_assert(sizeof(struct switch_frame) == SWITCH_BYTES, "switch.S");

void thread_begin(void);

void arch_thread_init(struct thread *thread)
{
    struct switch_frame *frame = (struct switch_frame *)thread->stack_high - 1;
    *frame = (struct switch_frame){.ra = (uintptr_t)thread_begin};
    frame->s1_to_s11[0] = (uintptr_t)thread;
    thread->sp = (uintptr_t)frame;
}

// Rows of the register table are the registers' numbers, and 32 is pc. Known are zero, ra (which
// equals pc once the call has returned), sp, gp, tp, s0, s1, s2 to s11, pc.
#define ROW(n) (UINT64_C(1) << (n))
#define FRAME_VALID                                                                                \
    (ROW(0) | ROW(1) | ROW(2) | ROW(3) | ROW(4) | ROW(8) | ROW(9) | (ROW(28) - ROW(18)) | ROW(32))

__debugger_text int arch_thread_frame(const struct thread *thread, struct kd_frame *out,
                                      uint64_t *valid)
{
    struct switch_frame saved;
    uintptr_t sp = thread->sp;
    if (sp % 16 != 0 || kd_mem_copy(&saved, (const void *)sp, sizeof(saved)) != sizeof(saved))
        return -EFAULT;
    *out = (struct kd_frame){.sstatus = SSTATUS_SPP, .pc = saved.ra};
    out->x[1] = saved.ra;
    out->x[2] = sp + sizeof(saved);
    out->x[4] = (uintptr_t)thread;
    out->x[8] = saved.s0;
    out->x[9] = saved.s1_to_s11[0];
    for (unsigned i = 1; i < ARRAY_SIZE(saved.s1_to_s11); i++)
        out->x[17 + i] = saved.s1_to_s11[i];
    *valid = FRAME_VALID;
    return 0;
}
