// SPDX-License-Identifier: MIT
// The debugger inside the kernel: entering and leaving, stopping and resuming CPUs, breakpoints,
// steps, watchpoints, fault-tolerant memory access, threads, why we stopped, and the panic report.
// It knows no kernel: what it needs it asks through struct kdebug_kernel, which a port fills in.
//
// While it runs, interrupts are off, every CPU that could be stopped sleeps in kd_cpu_stop(), and
// the executing CPU (the master) is on its debugger stack. It takes no lock of the kernel and
// allocates nothing. Breakpoints are in memory only while the kernel runs: they are lifted at
// every stop and planted at every resume, so commands and memory reads see the true text.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kdebug/port.h"
#include "kdebug/text.h"
#include <kd_machine/frame.h>

// Each CPU has a debugger stack, so this costs memory. A port with more CPUs raises it in its
// build (-DKD_CPU_MAX=64 at most: one bit of a mask each).
#ifndef KD_CPU_MAX
#define KD_CPU_MAX 8
#endif
#define KD_STACK_BYTES 16384
#define KD_HELD_BYTES  1024 // the most kd_receive() holds back, see there

// -- what the kernel gives --------------------------------------------------------------------

enum kd_thread_state {
    KD_THREAD_RUNNING, // on `cpu` now
    KD_THREAD_READY,
    KD_THREAD_SLEEPING, // waiting with a timeout
    KD_THREAD_BLOCKED,  // waiting without one; `wait` says for what
    KD_THREAD_EXITED,
};

struct kd_thread {
    int64_t id; // > 0, never reused within a debugger session
    char name[32];
    char wait[32]; // what it waits for, or empty
    enum kd_thread_state state;
    unsigned cpu; // where it runs or ran last
    uint8_t priority;
    uintptr_t stack_low, stack_high; // bounds for unwinding; 0, 0 unknown
    uintptr_t handle;                // the kernel's own, for thread_frame()
};

struct kd_symbol {
    char name[96];
    uintptr_t start;
    size_t size; // 0: unknown
};

// Memory that may be looked at and changed, as the page tables have it.
enum kd_memory {
    KD_MEMORY_NONE,      // not mapped, a guard page
    KD_MEMORY_READ_ONLY, // text and read-only data: written through kdebug_kernel.text_write
    KD_MEMORY_READ_WRITE,
    KD_MEMORY_DEVICE, // mapped, but reading has side effects: only by an explicit command
};

// Ranges no breakpoint may be put in: the debugger itself and what it stands on.
struct kd_range {
    uintptr_t start, end;
    const char *reason; // "the debugger's own code"
};

#define KD_BOOT_ID_BYTES 16

// The kernel's image, by which a report or capsule is matched with its ELF.
struct kd_image {
    const uint8_t *build_id; // NULL: unknown
    uint32_t build_id_bytes; // at most 32
    uint32_t page_bytes;
    uintptr_t start, end;   // run-time addresses
    int64_t load_offset;    // they are so much above those in the ELF
    const uint8_t *boot_id; // KD_BOOT_ID_BYTES, others at each boot; NULL: there is none
};

enum kd_after { KD_AFTER_HALT, KD_AFTER_REBOOT, KD_AFTER_POWEROFF };

// Everything a kernel must offer. All functions run as the debugger does (see the top): no locks,
// no allocation, no waiting for another CPU. They may read kernel data that is being changed, since
// everyone else stands still in mid-change: iterations are bounded and pointers are checked. A
// fault inside one of them ends the operation with an error; it cannot hurt the session.
struct kdebug_kernel {
    const char *name;    // "Fathom"
    const char *version; // for the panic report

    unsigned (*cpu_count)(void);
    unsigned (*cpu_current)(void);
    // Interrupts the CPUs in the mask in the strongest way the machine has (NMI, pseudo-NMI). Each
    // must end up in kd_cpu_stop(). CPUs of the mask that are stopped already take no harm.
    void (*cpus_stop)(uint64_t mask);
    // Wakes CPUs that sleep in cpu_park().
    void (*cpus_wake)(uint64_t mask);
    // Sleeps until cpus_wake() or something else: the caller checks and calls again. NMI context.
    void (*cpu_park)(void);
    // How far from certain it is that a CPU with interrupts off can be stopped at all; the text is
    // used when one did not answer ("this machine has no NMI").
    const char *stop_weakness; // NULL: none

    uint64_t (*clock_ns)(void); // monotonic, works with interrupts off

    // Threads in a stable order. cursor 0 starts; returns 0 and fills `out`, or -ENOENT at the
    // end. thread_frame: the saved registers of a thread that is not running; sets bit n of
    // `valid` for each row n of the machine's register table (below 64) that is really known.
    int (*thread_next)(uintptr_t *cursor, struct kd_thread *out);
    int (*thread_frame)(const struct kd_thread *thread, struct kd_frame *out, uint64_t *valid);
    int64_t (*thread_current)(unsigned cpu); // id of the thread on that CPU, also an idle thread's

    // Classifies the memory at `address`; *length in: wish, out: how far the class extends (at
    // least 1). Walks page tables without trusting them.
    enum kd_memory (*memory_probe)(uintptr_t address, size_t *length);
    // Writes to mapped memory whatever its protection, through an alias mapping. At most 16 bytes
    // within one page. 0 or -EFAULT.
    int (*text_write)(uintptr_t address, const void *bytes, size_t length);
    const struct kd_range *untouchable; // ends with {0}
    // What exceptions and interrupts enter by: next to it on a stack stands what they interrupted.
    struct kd_range entry_text;
    // Is the address inside kernel text (a plausible return address)?
    bool (*is_text)(uintptr_t address);

    bool (*symbol)(uintptr_t address, struct kd_symbol *out); // false: no symbol covers it
    void (*log_tail)(struct kd_text *out, unsigned lines);
    // A line of the kernel's shell. 0, or a negative errno (-ENOENT: no such command).
    int (*command)(struct kd_text *out, const char *line);
    void (*after)(enum kd_after how); // may return only for KD_AFTER_HALT: the core then parks
    // The clock has stood still for the kernel: feed watchdogs, forgive late timers. Optional.
    void (*resumed)(uint64_t stopped_ns);

    // -- for panics, all of it optional
    struct kd_image image;
    // Is the memory at `address` secret, and so never part of a capsule? *length in: wish, out: how
    // far the answer holds. Whatever alias the address is.
    bool (*memory_secret)(uintptr_t address, size_t *length);
    // All stack canaries, which neither report nor capsule shows, those of the threads that CPUs
    // execute first, since a list may be damaged; one may come twice. cursor 0 starts; 0, or
    // -ENOENT at the end.
    int (*canary_next)(uintptr_t *cursor, uint64_t *value);
    bool (*interrupts_on)(const struct kd_frame *frame);
    const char *const *capsule_commands; // whose output goes into a capsule; ends with NULL
    size_t thread_bytes;                 // of the memory at kd_thread.handle; 0: it is no address
    // Variables that a debugger begins with (the list of threads, the CPUs), for the capsule; ends
    // with {0}.
    const struct kd_range *capsule_ranges;
    // Memory that a warm reboot leaves alone and nobody else uses: the report and its capsule are
    // kept there (kdebug/kept.h).
    void *keep;
    size_t keep_bytes;
    void (*keep_written)(void); // it must be in RAM itself now, not in a cache
};

// Finds the build-id among ELF notes; returns its length, 0 when there is none.
size_t kd_build_id(const void *notes, size_t bytes, const uint8_t **id);

// -- setting up -------------------------------------------------------------------------------

enum kd_mode {
    KD_OFF, // nothing on a line can enter; a panic prints and obeys `panic=`
    KD_ON,
    KD_WAIT, // as KD_ON; the kernel calls kdebug_break() once its port works
};
enum kd_panic_action { KD_PANIC_DEBUG, KD_PANIC_HALT, KD_PANIC_REBOOT, KD_PANIC_POWEROFF };

struct kd_config {
    enum kd_mode mode;
    enum kd_panic_action panic_action;
    struct debug_port *port;    // gdb's line; NULL until there is one
    struct debug_port *console; // where panic reports go; may be the same
    uint64_t capsule_bytes;     // of memory in a panic's capsule; 0: no capsule
};

// Once, on the boot CPU, as soon as exceptions are taken and per-CPU data works; before that
// kd_trap() must not be called. The kernel's table must live for ever.
void kd_init(const struct kdebug_kernel *kernel, const struct kd_config *config);
// Replaces the configuration (a port has come up, parameters have been read). Not while stopped.
void kd_configure(const struct kd_config *config);
// Each CPU as it comes up: its breakpoint hardware. Interrupts off.
void kd_cpu_init(void);

// -- the ways in ------------------------------------------------------------------------------

// Why a thread stopped, in gdb's numbers (which are not Linux's).
enum kd_signal {
    KD_SIGNAL_INT = 2,
    KD_SIGNAL_ILL = 4,
    KD_SIGNAL_TRAP = 5,
    KD_SIGNAL_ABRT = 6,
    KD_SIGNAL_FPE = 8,
    KD_SIGNAL_BUS = 10,
    KD_SIGNAL_SEGV = 11,
};

// An exception as the kernel's entry saw it.
struct kd_trap {
    const char *name;       // "page fault", "breakpoint", never NULL
    uint64_t code;          // vector << 32 | error code; ESR; scause
    uint64_t fault_address; // CR2, FAR, stval; meaningful if has_address
    bool has_address;
    uint8_t signal; // enum kd_signal
};

// The kernel's exception entry calls this first for every exception that is not an ordinary page
// fault it can resolve. Handles fixups, breakpoints, steps, watchpoints. True: handled, return to
// the frame (which may have been changed). False: not the debugger's; the kernel goes on (which
// usually means kd_panic()). Any context including NMI; interrupts are off or get masked.
bool kd_trap(struct kd_frame *frame, const struct kd_trap *trap);

// The handler of the stop signal: the CPU stays here until resumed. NMI context.
void kd_cpu_stop(struct kd_frame *frame);

// Stops here and enters the debugger: "kdebug_break: why" goes to gdb's console. Does nothing when
// the mode is KD_OFF. Any context.
void kdebug_break(const char *why);

// Bytes the console driver has received on the line that gdb shares. Returns how many bytes of
// `bytes` remain for the console (moved to the front, with bytes held from before possibly put in
// first: `size` is the buffer's room, at least length + KD_HELD_BYTES). Enters the debugger when
// a gdb packet or, in a session, 0x03 came in; `frame` is the interrupted context. Interrupt or
// NMI context; on one CPU at a time.
size_t kd_receive(struct kd_frame *frame, uint8_t *bytes, size_t length, size_t size);
// A BREAK on that line.
void kd_receive_break(struct kd_frame *frame);
// Called by a timer every 100 ms or so: gives back bytes that were held too long (a person typed
// a dollar sign). Same rules as kd_receive().
size_t kd_receive_timeout(uint8_t *bytes, size_t size);

// Console output while gdb owns the shared line and the kernel runs goes to gdb as O packets: true,
// it was sent; false, the caller sends it as plain text. Any context; takes kdebug's own short
// spin lock with interrupts off.
bool kd_console_write(const char *text, size_t length);

// Is this CPU executing the debugger (or the panic report)? Locks of the kernel then neither wait
// nor are taken, and nothing may sleep.
bool kd_active(void);

// -- panics -----------------------------------------------------------------------------------

// Prints the report (PANIC: reason, CPU, thread, registers, backtraces of all CPUs, last log
// lines) by polled output, once, then does what panic_action says. frame NULL: captured here.
_Noreturn void kd_panic(struct kd_frame *frame, const struct kd_trap *trap, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
_Noreturn void kd_vpanic(struct kd_frame *frame, const struct kd_trap *trap, const char *format,
                         va_list arguments);

// Walks the chain of frame pointers from (pc, fp) within [low, high). Returns the number of
// addresses stored, at most `max`. Faults end the walk. Any context.
unsigned kd_backtrace(uintptr_t pc, uintptr_t fp, uintptr_t low, uintptr_t high,
                      uintptr_t *addresses, unsigned max);
// "function+0x1c/0x80", or the bare address.
void kd_text_symbol(struct kd_text *text, uintptr_t address);
// The register table's general rows, four columns.
void kd_text_registers(struct kd_text *text, const struct kd_frame *frame);
