// SPDX-License-Identifier: MIT
// The capsule's threads: a record, registers and the live part of the stack of each, as far as they
// go. Called by capsule.c, each stage of its own so that a fault ends only that.
//
// What CPUs execute comes first; the others follow in the kernel's order. All have a record and
// registers, up to THREADS_MAX; memory (the kernel's structure and the stack) goes to as many as
// the budget has room for, and the summary says how many went without.
#include "kdebug/capsule.h"

#include <string.h>

#define THREADS_MAX    2048  // with a record: about 200 KB of lines, and a list may be a circle
#define STACK_SKEW_MAX 65536 // sp this far below a stack has overflowed it

// -- stacks -----------------------------------------------------------------------------------

// The live part of a stack, [low, high): from the stack pointer to the stack's end.
struct live {
    uint64_t low, high;
};

static struct live live_part(const struct kd_thread *thread, uint64_t sp, uint64_t fp)
{
    uint64_t low = thread->stack_low, high = thread->stack_high;
    if (low >= high)
        return (struct live){sp, sp + KD_CAPSULE_POINTED_BYTES};
    if (sp >= low && sp < high)
        return (struct live){sp, high};
    if (sp < low && low - sp < STACK_SKEW_MAX)
        return (struct live){low, high};
    // On a stack of its own, as of an interrupt or a fault: the frame pointer may be back already.
    return fp >= low && fp < high ? (struct live){fp - 2 * sizeof(fp), high}
                                  : (struct live){high, high};
}

// At most `most` bytes: the innermost frames, since that is where it happened, and the outermost
// few, which tell what the thread is. False: there was more.
static bool take_stack(struct live live, uint64_t most)
{
    uint64_t outer = most / 8;
    if (live.high - live.low <= most) {
        kd_capsule_take(live.low, live.high - live.low, KD_CAPSULE_MEMORY_STACK);
    } else {
        kd_capsule_take(live.low, most - outer, KD_CAPSULE_MEMORY_STACK);
        kd_capsule_take(live.high - outer, outer, KD_CAPSULE_MEMORY_STACK);
    }
    return live.high - live.low <= most && kd_capsule_memory_left() > 0;
}

static struct live live_of_cpu(const struct kd_cpu *cpu)
{
    struct kd_thread thread = {0};
    kd_thread_find(kd_thread_on(cpu->index), &thread);
    return live_part(&thread, kd_frame_sp(cpu->frame), kd_frame_fp(cpu->frame));
}

int kd_capsule_cpu_stack(void *argument)
{
    const struct kd_cpu *cpu = argument;
    bool first = cpu == kd_capsule.facts->cpu;
    uint64_t budget = kd.config.capsule_bytes;
    // What the CPU works on may be another stack than the thread's.
    kd_capsule_take(kd_frame_sp(cpu->frame), KD_CAPSULE_POINTED_BYTES, KD_CAPSULE_MEMORY_STACK);
    if (!take_stack(live_of_cpu(cpu), first ? budget / 4 : budget / 16))
        kd_capsule.summary.stacks_left_out++;
    return 0;
}

int kd_capsule_cpu_pointed(void *argument)
{
    const struct kd_cpu *cpu = argument;
    uint64_t bytes =
        cpu == kd_capsule.facts->cpu ? KD_CAPSULE_POINTED_BYTES : KD_CAPSULE_POINTED_BYTES / 2;
    for (unsigned i = 0; i < kd_machine.gdb->general_count; i++) {
        const struct gdb_register *row = &kd_machine.gdb->registers[i];
        if ((row->location & GDB_REGISTER_SPECIAL) == 0 && row->bits == 64) {
            uint64_t value;
            memcpy(&value, (const uint8_t *)cpu->frame + row->location, sizeof(value));
            kd_capsule_take_pointed(value, bytes);
        }
    }
    struct live live = live_of_cpu(cpu);
    uint64_t most = kd.config.capsule_bytes / 16;
    uint64_t end = live.high - live.low < most ? live.high : live.low + most;
    kd_capsule_take_words(live.low & ~UINT64_C(15), end, bytes);
    return 0;
}

// -- threads ----------------------------------------------------------------------------------

// A quarter is for what registers and stacks point to.
static bool has_budget_for_threads(void)
{
    return kd_capsule_memory_left() >= kd.config.capsule_bytes / 4;
}

static void write_thread(const struct kd_thread *thread)
{
    struct kd_capsule_thread *record =
        kd_capsule_reserve(&kd_capsule.writer, KD_CAPSULE_THREAD, sizeof(*record));
    record->id = thread->id;
    record->cpu = thread->cpu;
    record->state = (uint8_t)thread->state;
    record->priority = thread->priority;
    record->stack_low = thread->stack_low;
    record->stack_high = thread->stack_high;
    kd_capsule_string(record->name, sizeof(record->name), thread->name);
    kd_capsule_string(record->wait, sizeof(record->wait), thread->wait);
    kd_capsule_commit(&kd_capsule.writer, sizeof(*record));
    kd_capsule.summary.threads++;
    if (kd.kernel->thread_bytes > 0 && has_budget_for_threads())
        kd_capsule_take(thread->handle, kd.kernel->thread_bytes, KD_CAPSULE_MEMORY_KERNEL);
}

static void write_sleeper(const struct kd_thread *thread)
{
    struct kd_frame frame;
    uint64_t valid, budget = kd.config.capsule_bytes;
    if (kd.kernel->thread_frame(thread, &frame, &valid) != 0)
        return;
    kd_capsule_registers(thread->id, KD_CAPSULE_NO_CPU, &frame, valid);
    if (!has_budget_for_threads() ||
        !take_stack(live_part(thread, kd_frame_sp(&frame), kd_frame_fp(&frame)), budget / 32))
        kd_capsule.summary.stacks_left_out++;
}

// One pass over the kernel's list: those that CPUs execute, or the others.
static void write_those(bool running)
{
    struct kd_thread thread;
    uintptr_t cursor = 0;
    while (kd.kernel->thread_next(&cursor, &thread) == 0) {
        if ((kd_thread_cpu(thread.id) >= 0) != running)
            continue;
        if (kd_capsule.summary.threads == THREADS_MAX) {
            kd_capsule.summary.threads_left_out++;
            continue;
        }
        write_thread(&thread);
        if (!running)
            write_sleeper(&thread);
    }
}

int kd_capsule_threads(void *unused)
{
    (void)unused;
    write_those(true);
    write_those(false);
    return 0;
}
