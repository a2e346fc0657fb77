// SPDX-License-Identifier: MIT
// Entering and leaving the debugger: who is master, how the others are stopped and released, and
// what the master does before the front end and after it. Called by trap.c in any context.
//
// Theory. `kd.master` is KD_NOBODY or the index of the one CPU that may touch the state of a stop.
// It changes in three ways only:
//   claim      KD_NOBODY -> me, by compare and swap, by a CPU with an event to report;
//   hand-over  me -> another CPU that stands still, which then wakes up as master;
//   release    me -> KD_NOBODY, when everybody may run.
//
// A CPU's state, written by itself except for PARKED -> RELEASED, which the master does:
//
//   RUNNING --stop signal--> PARKED --released--> RELEASED --> RUNNING
//   RUNNING --trap--> QUEUED --claim or hand-over--> (master) --> PARKED or RUNNING
//
// Invariants
//   - kd.holding is true exactly while breakpoints are lifted. It becomes true after the others
//     have been told to stop and false before anyone is released.
//   - A CPU that has an event and does not get the claim stays QUEUED; nobody but itself takes it
//     out of that state, so no event is lost. Before the master releases anybody it hands over to
//     a QUEUED CPU; one that becomes QUEUED later finds the master gone and claims.
//   - No missed wake-up: a waiting CPU stores its state, then reads kd.master; the master stores
//     kd.master, then reads the states and wakes. All of it sequentially consistent.
//   - A step runs with the others PARKED and kd.master unchanged: the stepping CPU is the master
//     and comes back as it (kd.master == me on entry means: this was my step).
//   - kd.stop_wanted has a CPU's bit from the stop signal until it has parked or been released. A
//     signal without the bit is left over from an earlier stop and is ignored. A signal that comes
//     while the CPU is inside is not lost: the bit is looked at again after `inside` is cleared.
//   - No kernel lock is taken, nothing is allocated, and every wait for another CPU has a bound.
#include "kdebug/core.h"

#include <errno.h>

#define STOP_TIMEOUT_NS  UINT64_C(500000000)
#define STALLED_TURNS    1000000 // looks at a clock that stands still
#define REQUEST_TURNS    UINT64_C(20000000)
#define RETURN_STEPS_MAX 256 // an exception's way out is shorter

struct kd_core kd = {.master = KD_NOBODY};

static uint8_t stacks[KD_CPU_MAX][KD_STACK_BYTES] __attribute__((aligned(16)));

// A little work for a CPU that stands still; one at a time, only the master asks.
static struct {
    _Atomic(int) cpu; // KD_NOBODY: none pending
    int (*fn)(void *argument);
    void *argument;
    int result;
} request = {.cpu = KD_NOBODY};

unsigned kd_cpu_total(void)
{
    unsigned count = kd.kernel->cpu_count();
    return count < KD_CPU_MAX ? count : KD_CPU_MAX;
}

struct kd_cpu *kd_this_cpu(void)
{
    unsigned index = kd.kernel->cpu_current();
    return &kd.cpus[index < KD_CPU_MAX ? index : 0];
}

static uint64_t bit(unsigned cpu)
{
    return UINT64_C(1) << cpu;
}

void kd_error(struct gdb_error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    kd_vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
}

// -- stopping the others ----------------------------------------------------------------------

static uint64_t running_among(uint64_t mask)
{
    uint64_t running = 0;
    for (unsigned i = 0; i < kd_cpu_total(); i++)
        if ((mask & bit(i)) != 0 && !kd_cpu_stopped(&kd.cpus[i]))
            running |= bit(i);
    return running;
}

static void stop_others(unsigned me)
{
    uint64_t mask = 0;
    for (unsigned i = 0; i < kd_cpu_total(); i++)
        mask |= i == me || !kd_cpu_online(i) ? 0 : bit(i);
    mask = running_among(mask);
    kd.stopped_at_ns = kd.kernel->clock_ns();
    kd.missing = mask;
    if (mask == 0)
        return;
    atomic_fetch_or(&kd.stop_wanted, mask);
    kd.kernel->cpus_stop(mask);
    uint64_t before = 0;
    for (unsigned stalled = 0; kd.missing != 0 && stalled < STALLED_TURNS;) {
        kd.missing = running_among(mask);
        uint64_t now = kd.kernel->clock_ns();
        if (now - kd.stopped_at_ns > STOP_TIMEOUT_NS)
            break;
        stalled = now == before ? stalled + 1 : 0;
        before = now;
    }
}

static void tell_missing(void)
{
    for (unsigned i = 0; i < kd_cpu_total(); i++) {
        if ((kd.missing & bit(i)) != 0) {
            char line[160];
            kd_snprintf(line, sizeof(line), "kdebug: CPU %u did not stop within 500 ms%s%s\n", i,
                        kd.kernel->stop_weakness != NULL ? ": " : "",
                        kd.kernel->stop_weakness != NULL ? kd.kernel->stop_weakness : "");
            kd_gdb_tell(line);
        }
    }
}

// The first thing a new master does, and the last: each the other's mirror.
static void hold(struct kd_cpu *cpu)
{
    stop_others(cpu->index);
    kd.holding = true;
    if (kd.config.port != NULL)
        kd.config.port->claim(kd.config.port);
    kd_breakpoints_lift();
}

static void let_go(void)
{
    kd_threads_forget();
    kd_breakpoints_plant();
    if (kd.config.port != NULL)
        kd.config.port->release(kd.config.port);
    kd.holding = false;
    if (kd.kernel->resumed != NULL)
        kd.kernel->resumed(kd.kernel->clock_ns() - kd.stopped_at_ns);
}

static void release_all(void)
{
    uint64_t wake = 0;
    atomic_store(&kd.stop_wanted, 0);
    for (unsigned i = 0; i < kd_cpu_total(); i++) {
        int parked = KD_CPU_PARKED;
        if (atomic_compare_exchange_strong(&kd.cpus[i].state, &parked, KD_CPU_RELEASED))
            wake |= bit(i);
    }
    atomic_store(&kd.master, KD_NOBODY);
    // One that queued an event in the meantime sleeps, too, and must see that the master is gone.
    for (unsigned i = 0; i < kd_cpu_total(); i++)
        if (atomic_load(&kd.cpus[i].state) == KD_CPU_QUEUED)
            wake |= bit(i);
    if (wake != 0)
        kd.kernel->cpus_wake(wake);
}

static void hand_over(struct kd_cpu *from, unsigned to)
{
    atomic_store(&from->state, KD_CPU_PARKED);
    atomic_store(&kd.master, (int)to);
    kd.kernel->cpus_wake(bit(to));
}

int kd_run_on(unsigned cpu, int (*fn)(void *argument), void *argument)
{
    if (cpu == kd_this_cpu()->index)
        return fn(argument);
    if (!kd_cpu_stopped(&kd.cpus[cpu]))
        return -EAGAIN;
    request.fn = fn;
    request.argument = argument;
    atomic_store(&request.cpu, (int)cpu);
    kd.kernel->cpus_wake(bit(cpu));
    for (uint64_t turns = 0; turns < REQUEST_TURNS; turns++)
        if (atomic_load(&request.cpu) == KD_NOBODY)
            return request.result;
    int expected = (int)cpu;
    return atomic_compare_exchange_strong(&request.cpu, &expected, KD_NOBODY) ? -EAGAIN
                                                                              : request.result;
}

static void serve_request(const struct kd_cpu *cpu)
{
    if (atomic_load(&request.cpu) == (int)cpu->index) {
        request.result = request.fn(request.argument);
        atomic_store(&request.cpu, KD_NOBODY);
    }
}

// -- the master's decisions -------------------------------------------------------------------

// Must this CPU execute something alone before everybody may run? A breakpoint it has reported is
// stepped over; the way out of an exception that was stepped into is finished, since the return
// registers are only in the debugger's memory.
static bool must_step_first(struct kd_cpu *cpu)
{
    if (cpu->returning.pc_loaded || cpu->returning.status_loaded) {
        if (cpu->returning_steps < RETURN_STEPS_MAX)
            return true;
        cpu->returning = (struct kd_return_state){0};
    }
    return cpu->reported && cpu->reported_pc == kd_frame_pc(cpu->frame) &&
           kd_any_breakpoint_at(cpu->reported_pc);
}

static int find_cpu(struct kd_cpu *me, bool (*wanted)(struct kd_cpu *cpu))
{
    for (unsigned i = 0; i < kd_cpu_total(); i++) {
        struct kd_cpu *cpu = &kd.cpus[i];
        if ((cpu == me || kd_cpu_stopped(cpu)) && wanted(cpu))
            return (int)i;
    }
    return KD_NOBODY;
}

static bool is_queued(struct kd_cpu *cpu)
{
    return atomic_load(&cpu->state) == KD_CPU_QUEUED;
}

// Executes one instruction of this CPU. True: leave and do it; false: it is done, without leaving.
static bool step_here(struct kd_cpu *cpu)
{
    cpu->reported = false;
    cpu->returning_steps++;
    // The wish of an earlier master may have met this CPU on its way in: it must not call it back
    // before its step.
    atomic_fetch_and(&kd.stop_wanted, ~bit(cpu->index));
    return !kd_step_start(cpu);
}

enum next { NEXT_LEAVE, NEXT_STAY, NEXT_AGAIN };

static enum next perform_step(struct kd_cpu *cpu)
{
    if (kd.action.cpu != cpu->index) {
        hand_over(cpu, kd.action.cpu);
        return NEXT_STAY;
    }
    do {
        if (step_here(cpu))
            return NEXT_LEAVE;
    } while (kd_in_range(&kd.action, kd_frame_pc(cpu->frame)));
    kd.action.kind = KD_ACTION_NONE;
    cpu->event = (struct kd_event){.kind = KD_EVENT_OTHER,
                                   .stop = {.kind = GDB_STOP_SIGNAL, .signal = KD_SIGNAL_TRAP}};
    return NEXT_AGAIN;
}

static enum next perform_continue(struct kd_cpu *cpu)
{
    int queued = find_cpu(cpu, is_queued);
    if (queued != KD_NOBODY && queued != (int)cpu->index) {
        kd.action.kind = KD_ACTION_NONE;
        hand_over(cpu, (unsigned)queued);
        return NEXT_STAY;
    }
    int first = find_cpu(cpu, must_step_first);
    if (first != KD_NOBODY && first != (int)cpu->index) {
        hand_over(cpu, (unsigned)first);
        return NEXT_STAY;
    }
    if (first != KD_NOBODY)
        return step_here(cpu) ? NEXT_LEAVE : NEXT_AGAIN;
    cpu->reported = false;
    cpu->returning_steps = 0;
    kd.action.kind = KD_ACTION_NONE;
    let_go();
    release_all();
    return NEXT_LEAVE;
}

static bool is_stale(const struct kd_cpu *cpu)
{
    return cpu->event.kind == KD_EVENT_BREAKPOINT && !kd_breakpoint_at(kd_frame_pc(cpu->frame));
}

static void report(struct kd_cpu *cpu)
{
    struct kd_event event = cpu->event;
    cpu->event.kind = KD_EVENT_NONE;
    if (event.kind == KD_EVENT_PANIC)
        kd_panic_report(cpu);
    bool at_breakpoint = event.stop.kind == GDB_STOP_SWBREAK || event.stop.kind == GDB_STOP_HWBREAK;
    cpu->reported = at_breakpoint;
    cpu->reported_pc = kd_frame_pc(cpu->frame);
    cpu->returning_steps = 0;
    kd.action = (struct kd_action){.kind = KD_ACTION_CONTINUE};
    tell_missing();
    kd.missing = 0;
    kd_gdb_session(&event, cpu->index, &kd.action);
    if (event.kind == KD_EVENT_PANIC && kd.action.kind == KD_ACTION_CONTINUE)
        kd_panic_end();
}

// Everything a CPU does as master. NEXT_LEAVE: return to the frame.
static enum next master(struct kd_cpu *cpu)
{
    atomic_store(&cpu->state, KD_CPU_PARKED);
    if (!kd.holding)
        hold(cpu);
    for (;;) {
        if (cpu->event.kind == KD_EVENT_STEPPED || is_stale(cpu)) {
            if (cpu->event.kind != KD_EVENT_STEPPED)
                kd.action.kind = KD_ACTION_CONTINUE;
            cpu->event.kind = KD_EVENT_NONE;
        }
        if (cpu->event.kind != KD_EVENT_NONE)
            report(cpu);
        enum next next =
            kd.action.kind == KD_ACTION_STEP ? perform_step(cpu) : perform_continue(cpu);
        if (next != NEXT_AGAIN)
            return next;
    }
}

// -- a CPU's stay -----------------------------------------------------------------------------

static bool try_claim(const struct kd_cpu *cpu)
{
    int nobody = KD_NOBODY;
    return atomic_compare_exchange_strong(&kd.master, &nobody, (int)cpu->index);
}

// Runs on the debugger's stack from entry to exit.
static uintptr_t stay(void *argument)
{
    struct kd_cpu *cpu = argument;
    bool queued = cpu->event.kind != KD_EVENT_NONE;
    atomic_store(&cpu->state, queued ? KD_CPU_QUEUED : KD_CPU_PARKED);
    atomic_fetch_and(&kd.stop_wanted, ~bit(cpu->index));
    for (;;) {
        if (kd_is_master(cpu) || (atomic_load(&cpu->state) == KD_CPU_QUEUED && try_claim(cpu))) {
            if (master(cpu) == NEXT_LEAVE)
                break;
        }
        int state = atomic_load(&cpu->state);
        if (state == KD_CPU_RELEASED ||
            (state == KD_CPU_PARKED && atomic_load(&kd.master) == KD_NOBODY))
            break;
        serve_request(cpu);
        if (!kd_is_master(cpu))
            kd.kernel->cpu_park();
    }
    if (!kd_is_master(cpu))
        cpu->returning_steps = 0;
    // While one steps over an execution breakpoint of the hardware it must not hit it again.
    kd_watch_load(!kd_is_master(cpu));
    kd_context_sync();
    return 0;
}

void kd_enter(struct kd_cpu *cpu, struct kd_frame *frame, const struct kd_event *event)
{
    uintptr_t interrupts = kd_interrupts_off();
    struct kd_event none = {.kind = KD_EVENT_NONE};
    const struct kd_event ctrl_c = {.kind = KD_EVENT_OTHER,
                                    .stop = {.kind = GDB_STOP_SIGNAL, .signal = KD_SIGNAL_INT}};
    do {
        cpu->frame = frame;
        cpu->event = event != NULL ? *event : none;
        cpu->inside = true;
        kd_hw_load(NULL, 0, NULL, 0);
        kd_call_on_stack(stay, cpu, stacks[cpu->index] + KD_STACK_BYTES);
        atomic_store(&cpu->state, KD_CPU_RUNNING);
        cpu->inside = false;
        event = !kd_stepping() && kd_gdb_interrupted_late() ? &ctrl_c : NULL;
    } while (event != NULL || (atomic_load(&kd.stop_wanted) & bit(cpu->index)) != 0);
    if (!kd_stepping())
        kd_interrupts_restore(interrupts);
}

// -- setting up -------------------------------------------------------------------------------

void kd_init(const struct kdebug_kernel *kernel, const struct kd_config *config)
{
    for (unsigned i = 0; i < KD_CPU_MAX; i++)
        kd.cpus[i].index = i;
    kd.config = *config;
    kd_gdb_init();
    kd.kernel = kernel;
    kd_cpu_init();
}

void kd_configure(const struct kd_config *config)
{
    kd.config = *config;
}

void kd_cpu_init(void)
{
    atomic_fetch_or(&kd.online, bit(kd_this_cpu()->index));
    kd_hw_init();
}

bool kd_active(void)
{
    if (kd.kernel == NULL || atomic_load(&kd.master) == KD_NOBODY)
        return false;
    // A thread that moved to another CPU between the two looks would take that CPU's stop for its
    // own.
    uintptr_t interrupts = kd_interrupts_off();
    bool inside = kd_this_cpu()->inside;
    kd_interrupts_restore(interrupts);
    return inside;
}
