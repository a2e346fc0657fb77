// SPDX-License-Identifier: MIT
// The ways into the debugger: what an exception, the stop signal or a call means, and whether it is
// the debugger's at all. The kernel's handlers call this first, in any context and on any stack;
// a CPU that has an event to report, or was told to stop, goes on into kd_enter() (core.c).
#include "kdebug/core.h"

#include <errno.h>

static const char *volatile break_text[KD_CPU_MAX];

// -- faults inside the debugger ---------------------------------------------------------------

int kd_protect(int (*fn)(void *argument), void *argument, struct gdb_error *error)
{
    struct kd_cpu *cpu = kd_this_cpu();
    struct kd_jump *outer = cpu->rescue;
    struct gdb_error *outer_error = cpu->rescue_error;
    struct kd_jump jump;
    int result;
    if (kd_jump_set(&jump) == 0) {
        cpu->rescue = &jump;
        cpu->rescue_error = error;
        result = fn(argument);
    } else {
        result = -EFAULT;
    }
    cpu = kd_this_cpu();
    cpu->rescue = outer;
    cpu->rescue_error = outer_error;
    return result;
}

// An exception that no fixup covers while this CPU is in the debugger.
static bool fault_inside(struct kd_cpu *cpu, const struct kd_frame *frame,
                         const struct kd_trap *trap)
{
    if (cpu->rescue == NULL)
        return false;
    if (cpu->rescue_error != NULL) {
        kd_error(cpu->rescue_error, "fault in the debugger: %s at pc 0x%llx, address 0x%llx",
                 trap->name, (unsigned long long)kd_frame_pc(frame),
                 trap->has_address ? (unsigned long long)trap->fault_address : 0ULL);
    }
    kd_jump_go(cpu->rescue, 1);
}

// -- the ways in ------------------------------------------------------------------------------

void kd_cpu_stop(struct kd_frame *frame)
{
    if (kd.kernel == NULL)
        return;
    struct kd_cpu *cpu = kd_this_cpu();
    if (cpu->inside || (atomic_load(&kd.stop_wanted) & UINT64_C(1) << cpu->index) == 0 ||
        kd_gdb_defers_stop(cpu->index))
        return;
    kd_enter(cpu, frame, NULL);
}

void kdebug_break(const char *why)
{
    if (kd.kernel == NULL || kd.config.mode == KD_OFF || kd.config.port == NULL || kd_active())
        return;
    uintptr_t interrupts = kd_interrupts_off();
    break_text[kd_this_cpu()->index] = why;
    kd_break_trap();
    kd_interrupts_restore(interrupts);
}

// A breakpoint instruction was executed. True: it is the debugger's.
static bool breakpoint_trap(struct kd_cpu *cpu, struct kd_frame *frame)
{
    struct kd_event event = {.kind = KD_EVENT_OTHER,
                             .stop = {.kind = GDB_STOP_SIGNAL, .signal = KD_SIGNAL_TRAP}};
    uintptr_t pc = kd_frame_pc(frame);
    unsigned length = kd_breakpoint_insn_at(pc);
    if (kd_breakpoint_at(pc)) {
        event.kind = KD_EVENT_BREAKPOINT;
        event.stop.kind = GDB_STOP_SWBREAK;
        kd_enter(cpu, frame, &event);
        return true;
    }
    if (length == 0)
        return true; // it was lifted since: what stands there now is yet to be executed
    if (pc != (uintptr_t)kd_break_insn)
        return false; // a compiler's trap, or an assertion's
    kd_frame_set_pc(frame, pc + length);
    if (kd_gdb_stop_was_deferred(cpu->index)) {
        kd_enter(cpu, frame, NULL);
        return true;
    }
    event.text = break_text[cpu->index];
    event.asked_for = true;
    kd_enter(cpu, frame, &event);
    return true;
}

// A step is complete. True: it was one of many, and the next one is prepared.
static bool step_on(struct kd_cpu *cpu, struct kd_frame *frame, struct kd_event *event)
{
    cpu->frame = frame;
    if (kd.action.kind != KD_ACTION_STEP) {
        event->kind = KD_EVENT_STEPPED;
        return false;
    }
    while (kd_in_range(&kd.action, kd_frame_pc(frame))) {
        if (kd_gdb_wants_stop()) {
            event->stop.signal = KD_SIGNAL_INT;
            return false;
        }
        if (!kd_step_start(cpu))
            return true;
    }
    return false;
}

// A stepped instruction had an exception of its own. When it is resumed, it has it again, and the
// kernel gets it.
static bool stop_with_signal(struct kd_cpu *cpu, struct kd_frame *frame, const struct kd_trap *trap)
{
    struct kd_event event = {.kind = KD_EVENT_OTHER,
                             .stop = {.kind = GDB_STOP_SIGNAL, .signal = trap->signal},
                             .text = trap->name};
    kd_enter(cpu, frame, &event);
    return true;
}

bool kd_trap(struct kd_frame *frame, const struct kd_trap *trap)
{
    if (kd_fixup(frame))
        return true;
    if (kd.kernel == NULL)
        return false;
    struct kd_cpu *cpu = kd_this_cpu();
    if (cpu->inside)
        return fault_inside(cpu, frame, trap);
    unsigned slot = 0;
    uint64_t address = 0;
    enum kd_trap_kind kind =
        kd_trap_classify(frame, trap->code, trap->fault_address, &slot, &address);
    struct kd_event event = {.kind = KD_EVENT_OTHER,
                             .stop = {.kind = GDB_STOP_SIGNAL, .signal = KD_SIGNAL_TRAP}};
    bool mine = kd_stepping() && kd_is_master(cpu);
    if (mine && kd_step_finish(cpu, frame, kind)) {
        if (step_on(cpu, frame, &event))
            return true;
        kd_enter(cpu, frame, &event);
        return true;
    }
    switch (kind) {
    case KD_TRAP_BREAKPOINT:
        return breakpoint_trap(cpu, frame) || (mine && stop_with_signal(cpu, frame, trap));
    case KD_TRAP_STEP:
        // Left over from a step that ended otherwise; nothing asks for it any more.
        return !mine;
    case KD_TRAP_HWBREAK:
        event.stop.kind = GDB_STOP_HWBREAK;
        break;
    case KD_TRAP_WATCH:
        event.stop.kind = kd_watch_kind(slot);
        event.stop.address = address;
        break;
    case KD_TRAP_OTHER:
        // gdb lets a function it calls return to a breakpoint on the stack, which is not
        // executable.
        if (trap->has_address && trap->fault_address == kd_frame_pc(frame) &&
            kd_breakpoint_at(kd_frame_pc(frame)))
            return breakpoint_trap(cpu, frame);
        return mine && stop_with_signal(cpu, frame, trap);
    }
    kd_enter(cpu, frame, &event);
    return true;
}
