// SPDX-License-Identifier: MIT
// What the files of kdebug/ know of each other: the state of a stop, and each file's functions.
// Kernels include kdebug.h instead. The theory is in core.c.
#pragma once

#include <stdatomic.h>

#include "gdbstub/gdbstub.h"
#include "kdebug/kdebug.h"
#include "kdebug/machine.h"

// -- state (core.c) ---------------------------------------------------------------------------

enum kd_event_kind {
    KD_EVENT_NONE,
    KD_EVENT_BREAKPOINT, // dropped when the breakpoint is gone by the time it is its turn
    KD_EVENT_OTHER,      // anything else that is reported as a stop
    KD_EVENT_PANIC,      // first prints the report; cannot be continued
    KD_EVENT_STEPPED,    // a silent step is done: go on with the pending action
};

struct kd_event {
    enum kd_event_kind kind;
    struct gdb_stop stop; // `thread` is filled in when it is reported
    const char *text;     // told on gdb's console, or NULL
    bool asked_for;       // by kdebug_break(), with `text` as the reason
    const struct kd_trap *trap;
};

enum kd_cpu_state {
    KD_CPU_RUNNING,  // executes the kernel, or what it was stepped into
    KD_CPU_PARKED,   // stands still with nothing to tell; released by the master
    KD_CPU_QUEUED,   // stands still with an event that has not been reported
    KD_CPU_RELEASED, // may leave
};

struct kd_cpu {
    _Atomic(int) state;   // enum kd_cpu_state
    volatile bool inside; // between entry and exit; written by the CPU itself only
    unsigned index;
    struct kd_frame *frame; // of the stopped context, valid unless RUNNING
    struct kd_event event;
    // The pc at which a breakpoint was reported: it is stepped over, once, at the next resume.
    uintptr_t reported_pc;
    bool reported;
    struct kd_return_state returning;
    unsigned returning_steps;
    struct kd_jump *rescue; // where a fault inside the debugger goes
    struct gdb_error *rescue_error;
};

enum kd_action_kind { KD_ACTION_NONE, KD_ACTION_CONTINUE, KD_ACTION_STEP };

// What the front end wants next.
struct kd_action {
    enum kd_action_kind kind;
    unsigned cpu;                     // that steps
    uintptr_t range_start, range_end; // step until the pc leaves it; start == end: one instruction
};

static inline bool kd_in_range(const struct kd_action *action, uintptr_t pc)
{
    return pc >= action->range_start && pc < action->range_end;
}

struct kd_core {
    const struct kdebug_kernel *kernel;
    struct kd_config config;
    _Atomic(int) master;      // index of a CPU, or KD_NOBODY
    _Atomic(uint64_t) online; // have called kd_cpu_init(); the others are not up yet
    _Atomic(uint64_t) stop_wanted;
    volatile bool holding; // the master has stopped the others and lifted the breakpoints
    uint64_t missing;      // CPUs that did not stop
    uint64_t stopped_at_ns;
    struct kd_action action;
    struct kd_cpu cpus[KD_CPU_MAX];
};

extern struct kd_core kd;

#define KD_NOBODY (-1)

struct kd_cpu *kd_this_cpu(void);
unsigned kd_cpu_total(void);
static inline bool kd_cpu_online(unsigned cpu)
{
    return (atomic_load(&kd.online) >> cpu & 1) != 0;
}
static inline bool kd_is_master(const struct kd_cpu *cpu)
{
    return atomic_load(&kd.master) == (int)cpu->index;
}
static inline bool kd_cpu_stopped(const struct kd_cpu *cpu)
{
    int state = atomic_load(&cpu->state);
    return state == KD_CPU_PARKED || state == KD_CPU_QUEUED;
}

// Runs fn(argument) on a CPU that stands still, also this one. -EAGAIN when it did not answer.
int kd_run_on(unsigned cpu, int (*fn)(void *argument), void *argument);
// Stops this CPU at `frame` with an event; returns when it may run on.
void kd_enter(struct kd_cpu *cpu, struct kd_frame *frame, const struct kd_event *event);
// "0x… is …" into an error.
void kd_error(struct gdb_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// -- trap.c -----------------------------------------------------------------------------------

// Runs fn(argument) so that a fault in it ends it: -EFAULT and a text, instead of a panic.
int kd_protect(int (*fn)(void *argument), void *argument, struct gdb_error *error);

// -- breakpoint.c -----------------------------------------------------------------------------

int kd_breakpoint_set(enum gdb_breakpoint_type type, uint64_t address, unsigned length,
                      struct gdb_error *error);
int kd_breakpoint_clear(enum gdb_breakpoint_type type, uint64_t address, unsigned length,
                        struct gdb_error *error);
void kd_breakpoints_drop(void); // all of them
void kd_breakpoints_plant(void);
void kd_breakpoints_lift(void);
bool kd_breakpoint_at(uint64_t address);          // a software breakpoint stands in the table
bool kd_any_breakpoint_at(uint64_t address);      // or a hardware one
unsigned kd_breakpoint_insn_at(uint64_t address); // length of the breakpoint instruction in memory
void kd_watch_load(bool breakpoints);             // this CPU's debug registers
// What the slot watches, for the stop reply.
enum gdb_stop_kind kd_watch_kind(unsigned slot);
// Is it in a range no breakpoint may be put in? The reason, or NULL.
const char *kd_untouchable(uint64_t address);
// Temporary ones for a step. They are planted at once.
void kd_temporary_plant(const uintptr_t *addresses, unsigned count);
bool kd_temporary_lift(uintptr_t pc); // true when pc is at one

// -- step.c -----------------------------------------------------------------------------------

// Prepares `cpu`, which is this one, so that returning to its frame executes one instruction or
// atomic sequence. True: no need to, the step is done already.
bool kd_step_start(struct kd_cpu *cpu);
bool kd_stepping(void);
// A trap came in while stepping: undoes what kd_step_start() did. True: the step is complete.
bool kd_step_finish(struct kd_cpu *cpu, struct kd_frame *frame, enum kd_trap_kind kind);

// -- atomic.c ---------------------------------------------------------------------------------

#define KD_ATOMIC_EXITS 4
// Where the atomic sequence that starts at pc can be left; returns how many places, 0 when pc is
// not at one.
unsigned kd_atomic_exits(uintptr_t pc, uintptr_t exits[KD_ATOMIC_EXITS]);

// -- memory.c ---------------------------------------------------------------------------------

int kd_memory_read(uint64_t address, void *to, size_t *length, struct gdb_error *error);
int kd_memory_write(uint64_t address, const void *from, size_t length, struct gdb_error *error);

// -- thread.c ---------------------------------------------------------------------------------

int64_t kd_thread_on(unsigned cpu); // never 0: before there are threads, a made-up one
bool kd_thread_find(int64_t id, struct kd_thread *out);
int kd_thread_cpu(int64_t id);       // the CPU that is executing it, or -1
int64_t kd_thread_after(int64_t id); // 0 starts, 0 at the end
void kd_threads_forget(void);        // what is remembered of them, before they run
// The frame of a thread and which rows of it are known; NULL: it cannot be had.
struct kd_frame *kd_thread_frame(int64_t id, uint64_t *valid);

// -- gdb.c ------------------------------------------------------------------------------------

void kd_gdb_init(void);
// Tells gdb of the stop, then talks with it until it lets the machine go.
void kd_gdb_session(const struct kd_event *event, unsigned cpu, struct kd_action *action);
bool kd_gdb_wants_stop(void); // polls the line during a long step: 0x03
// Text for the person at gdb, or at the terminal while there is no gdb.
void kd_gdb_tell(const char *text);
// The stop signal of a CPU that is sending: it stops when it is done. False: it is not.
bool kd_gdb_defers_stop(unsigned cpu);
// Ctrl-C came while nobody could act on it; it is forgotten now.
bool kd_gdb_interrupted_late(void);
bool kd_gdb_stop_was_deferred(unsigned cpu); // and it is forgotten now
// Report text: to gdb as console text, and to the console unless gdb has that line.
void kd_gdb_print(const char *text, size_t length);
// Text that is of no use to a person: to the console only, unless gdb has that line.
void kd_gdb_print_plain(const char *text, size_t length);

// -- backtrace.c ------------------------------------------------------------------------------

// kd_backtrace() from a whole frame: the caller of a function that has not saved its return address
// is found, too, as far as the registers tell.
unsigned kd_backtrace_frame(const struct kd_frame *frame, uintptr_t *addresses, unsigned max);

// -- panic.c ----------------------------------------------------------------------------------

void kd_panic_report(struct kd_cpu *cpu);
_Noreturn void kd_panic_end(void);
