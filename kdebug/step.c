// SPDX-License-Identifier: MIT
// One step of one CPU while the others stand still: by the hardware's single step, by temporary
// breakpoints where there is none, by emulation where executing would show the step, and an atomic
// sequence as one. Called by the master for its own frame.
#include "kdebug/core.h"

static struct {
    bool active;
    bool by_breakpoints;
    struct kd_step_state state;
} step;

bool kd_stepping(void)
{
    return step.active;
}

// A place behind the untouchable code at pc or behind the call into it: the debugger runs through
// that code itself, so no breakpoint may stand there even for an instant.
static uintptr_t way_out(const struct kd_frame *frame, const uintptr_t *targets, unsigned count)
{
    if (count > 1 && kd_untouchable(targets[1]) == NULL)
        return targets[1];
    uintptr_t addresses[16];
    unsigned found = kd_backtrace(kd_frame_pc(frame), kd_frame_fp(frame), 0, 0, addresses,
                                  sizeof(addresses) / sizeof(addresses[0]));
    for (unsigned i = 1; i < found; i++)
        if (kd.kernel->is_text(addresses[i]) && kd_untouchable(addresses[i]) == NULL)
            return addresses[i];
    return 0;
}

bool kd_step_start(struct kd_cpu *cpu)
{
    struct kd_frame *frame = cpu->frame;
    if (kd_step_emulate(frame, &cpu->returning))
        return true;
    uintptr_t places[KD_ATOMIC_EXITS];
    unsigned count = kd_atomic_exits(kd_frame_pc(frame), places);
    if (count == 0 && !kd_machine.hardware_step) {
        count = kd_step_targets(frame, places);
        if (count > 0 && kd_untouchable(places[0]) != NULL)
            places[0] = way_out(frame, places, count);
        count = count > 0 ? 1 : 0;
    }
    // With no place to plant at, an instruction that cannot be fetched or decoded runs into its
    // exception at once.
    step.by_breakpoints = count > 0 || !kd_machine.hardware_step;
    kd_step_begin(frame, &step.state, !step.by_breakpoints);
    kd_temporary_plant(places, count);
    step.active = true;
    return false;
}

bool kd_step_finish(struct kd_cpu *cpu, struct kd_frame *frame, enum kd_trap_kind kind)
{
    (void)cpu;
    step.active = false;
    kd_step_end(frame, &step.state);
    bool arrived = kd_temporary_lift(kd_frame_pc(frame));
    return step.by_breakpoints ? arrived && kind == KD_TRAP_BREAKPOINT : kind == KD_TRAP_STEP;
}
