// SPDX-License-Identifier: MIT
// What the exception entry calls: names and classifies an exception for trap_exception(), tells
// NMIs apart, and brackets interrupts. On the debugger's way in, so nothing here may be
// instrumented, and before trap_exception() nothing may fault.
#include "kernel/arch/trap.h"

#include <string.h>

#include "kdebug/machine.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/x86_64/apic.h"
#include "kernel/arch/x86_64/entry.h"
#include "kernel/cpu/cpu.h"
#include "kernel/irq/irq.h"
#include "kernel/log/console.h"
#include "kernel/mm/mapping.h"
#include "kernel/sched/thread.h"
#include <machine/percpu.h>
#include <machine/vectors.h>

#define FAULT_WRITE (1 << 1)
#define FAULT_FETCH (1 << 4)

// Intel SDM volume 3, table 6-1.
static const struct vector {
    const char *name;
    enum trap_class class;
    uint8_t signal;
} vectors[VECTOR_EXCEPTIONS] = {
    [0] = {"divide error", TRAP_ARITHMETIC, KD_SIGNAL_FPE},
    [1] = {"debug exception", TRAP_DEBUG, KD_SIGNAL_TRAP},
    [2] = {"NMI", TRAP_UNEXPECTED, KD_SIGNAL_TRAP},
    [3] = {"breakpoint", TRAP_DEBUG, KD_SIGNAL_TRAP},
    [4] = {"overflow", TRAP_ARITHMETIC, KD_SIGNAL_FPE},
    [5] = {"bound range exceeded", TRAP_UNEXPECTED, KD_SIGNAL_SEGV},
    [6] = {"invalid opcode", TRAP_ILLEGAL, KD_SIGNAL_ILL},
    [7] = {"device not available", TRAP_ILLEGAL, KD_SIGNAL_ILL},
    [8] = {"double fault", TRAP_UNEXPECTED, KD_SIGNAL_SEGV},
    [10] = {"invalid TSS", TRAP_UNEXPECTED, KD_SIGNAL_SEGV},
    [11] = {"segment not present", TRAP_UNEXPECTED, KD_SIGNAL_SEGV},
    [12] = {"stack segment fault", TRAP_UNEXPECTED, KD_SIGNAL_SEGV},
    [13] = {"general protection fault", TRAP_UNEXPECTED, KD_SIGNAL_SEGV},
    [14] = {"page fault", TRAP_PAGE_FAULT, KD_SIGNAL_SEGV},
    [16] = {"x87 floating-point error", TRAP_ARITHMETIC, KD_SIGNAL_FPE},
    [17] = {"alignment check", TRAP_ALIGNMENT, KD_SIGNAL_BUS},
    [18] = {"machine check", TRAP_UNEXPECTED, KD_SIGNAL_BUS},
    [19] = {"SIMD floating-point error", TRAP_ARITHMETIC, KD_SIGNAL_FPE},
    [20] = {"virtualization exception", TRAP_UNEXPECTED, KD_SIGNAL_SEGV},
    [21] = {"control protection fault", TRAP_UNEXPECTED, KD_SIGNAL_SEGV},
};

// Read before anything that could fault.
static inline uint64_t fault_address(void)
{
    uint64_t address;
    __asm__ volatile("mov %%cr2, %0" : "=r"(address));
    return address;
}

// A push into the guard page faults; delivering that faults too, and the CPU makes the two a
// double fault in which CR2 still names the first push. (A plain page fault in a guard page may be
// anyone's access, the debugger's included: trap_exception() looks at the address.)
__debugger_text static bool overflowed(const struct kd_frame *frame, uint64_t address)
{
    uintptr_t low;
    return stack_guard_hit(address, &low) || stack_guard_hit(frame->rsp - sizeof(uint64_t), &low);
}

// gcc ends a failed check of -fsanitize=undefined with ud2.
__debugger_text static bool is_compiler_check(const struct kd_frame *frame)
{
    static const uint8_t ud2[] = {0x0f, 0x0b};
    uint8_t insn[sizeof(ud2)];
    return frame->vector == VECTOR_INVALID_OPCODE &&
           kd_mem_copy(insn, (const void *)frame->rip, sizeof(insn)) == sizeof(insn) &&
           memcmp(insn, ud2, sizeof(insn)) == 0;
}

__debugger_text static void exception(struct kd_frame *frame)
{
    static const struct vector reserved = {"reserved exception", TRAP_UNEXPECTED, KD_SIGNAL_ILL};
    const struct vector *row = vectors[frame->vector].name ? &vectors[frame->vector] : &reserved;
    struct kd_trap trap = {
        .name = is_compiler_check(frame) ? TRAP_NAME_COMPILER_CHECK : row->name,
        .code = frame->vector << 32 | frame->error,
        .signal = row->signal,
    };
    enum trap_class class = row->class;
    enum trap_access access = TRAP_READ;
    if (frame->vector == VECTOR_PAGE_FAULT) {
        trap.has_address = true;
        trap.fault_address = fault_address();
        if (frame->error & FAULT_FETCH)
            access = TRAP_EXECUTE;
        else if (frame->error & FAULT_WRITE)
            access = TRAP_WRITE;
    } else if (frame->vector == VECTOR_DOUBLE_FAULT && overflowed(frame, fault_address())) {
        class = TRAP_STACK_OVERFLOW;
        access = TRAP_WRITE;
        trap.has_address = true;
        trap.fault_address = fault_address();
    }
    trap_exception(frame, class, access, &trap);
}

// One kind of NMI, three meanings: the debugger's stop signal, its wake-up, and the debug line's
// interrupt (IRQ_DEBUG). Several may have become one, so each is asked for. A stopped CPU sleeps
// with NMIs allowed; one that nests into its handler only leaves word, and the outer one looks
// again before it ends, so that neither a stop nor an edge of the line is lost. The CPU that
// executes the debugger leaves the line alone: it polls it.
__debugger_text static void nmi(struct kd_frame *frame)
{
    cpu_pointers_repair(frame->rsp);
    struct cpu *cpu = this_cpu();
    struct cpu_machine *machine = cpu_machine(cpu);
    if (frame->rip >= park_window && frame->rip <= park_halt)
        frame->rip = park_end;
    WRITE_ONCE(machine->nmi_again, 1);
    if (READ_ONCE(cpu->nmi_depth) > 0)
        return;
    while (READ_ONCE(machine->nmi_again)) {
        WRITE_ONCE(cpu->nmi_depth, 1);
        WRITE_ONCE(machine->nmi_again, 0);
        while (__atomic_exchange_n(&machine->stop_pending, 0, __ATOMIC_ACQ_REL))
            kd_cpu_stop(frame);
        if (!kd_active())
            ioapic_dispatch_debug(frame);
        WRITE_ONCE(cpu->nmi_depth, 0);
    }
}

__debugger_text static void interrupt(struct kd_frame *frame)
{
    if (frame->vector == VECTOR_SPURIOUS ||
        (frame->vector >= VECTOR_LEGACY && frame->vector < VECTOR_IRQ_FIRST))
        return;
    irq_enter(frame);
    switch (frame->vector) {
    case VECTOR_TIMER:
        lapic_eoi();
        timer_vector();
        break;
    case VECTOR_RESCHEDULE:
        lapic_eoi();
        sched_ipi();
        break;
    case VECTOR_CALL:
        lapic_eoi();
        smp_call_ipi();
        break;
    case VECTOR_CONSOLE:
        lapic_eoi();
        console_kick();
        break;
    default:
        irq_dispatch(ioapic_vector_irq((unsigned)frame->vector), frame);
        lapic_eoi();
        break;
    }
    irq_exit(frame);
}

// Called by entry.S with interrupts off.
__debugger_text void trap_entry(struct kd_frame *frame)
{
    bool asynchronous = frame->vector >= VECTOR_EXCEPTIONS || frame->vector == VECTOR_NMI;
    // An interrupt that came in ahead of the idle loop's hlt is the one it would wait for.
    if (asynchronous && frame->rip == idle_halt)
        frame->rip += 1;
    if (frame->vector == VECTOR_NMI)
        nmi(frame);
    else if (frame->vector >= VECTOR_EXCEPTIONS)
        interrupt(frame);
    else
        exception(frame);
}
