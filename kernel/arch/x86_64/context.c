// SPDX-License-Identifier: MIT
// Threads that do not run: how a new one's stack looks, and what is known of a sleeping one's
// registers. The debugger calls the latter, so it is not instrumented and trusts no pointer.
#include <errno.h>

#include "kdebug/machine.h"
#include "kernel/arch/context.h"
#include "kernel/sched/thread.h"
#include <machine/percpu.h>

// What arch_switch() leaves on the stack, lowest address first.
struct switch_frame {
    uint64_t r15, r14, r13, r12, rbx, rbp, rip;
};

extern const char thread_begin[];

void arch_thread_init(struct thread *thread)
{
    uintptr_t top = ALIGN_DOWN(thread->stack_high, (uintptr_t)16);
    struct switch_frame *frame = (struct switch_frame *)top - 1;
    *frame = (struct switch_frame){
        .r12 = (uintptr_t)thread,
        .rbp = 0, // ends the chain of frame pointers
        .rip = (uintptr_t)thread_begin,
    };
    thread->sp = (uintptr_t)frame;
}

// The row of the register table that lies at this place in the frame.
__debugger_text static uint64_t row_bit(size_t offset)
{
    const struct gdb_machine *gdb = kd_machine.gdb;
    for (unsigned row = 0; row < gdb->register_count && row < 64; row++)
        if (gdb->registers[row].location == offset)
            return UINT64_C(1) << row;
    return 0;
}

#define KNOWN(member) row_bit(offsetof(struct kd_frame, member))

__debugger_text int arch_thread_frame(const struct thread *thread, struct kd_frame *out,
                                      uint64_t *valid)
{
    struct switch_frame saved;
    uintptr_t sp = thread->sp;
    if (sp % sizeof(uint64_t) != 0 || sp >> 63 == 0)
        return -EFAULT;
    if (kd_mem_copy(&saved, (const void *)sp, sizeof(saved)) != sizeof(saved))
        return -EFAULT;
    *out = (struct kd_frame){
        .r15 = saved.r15,
        .r14 = saved.r14,
        .r13 = saved.r13,
        .r12 = saved.r12,
        .rbp = saved.rbp,
        .rbx = saved.rbx,
        .rip = saved.rip,
        .rsp = sp + sizeof(saved),
        .cs = GDT_KERNEL_CODE,
        .ss = GDT_KERNEL_DATA,
        .rflags = 2, // bit 1 is always set; switches happen with interrupts off
    };
    *valid = KNOWN(r15) | KNOWN(r14) | KNOWN(r13) | KNOWN(r12) | KNOWN(rbp) | KNOWN(rbx) |
             KNOWN(rip) | KNOWN(rsp) | KNOWN(cs) | KNOWN(ss);
    return 0;
}
