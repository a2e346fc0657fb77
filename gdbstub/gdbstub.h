// SPDX-License-Identifier: MIT
// The GDB remote serial protocol as a library without a kernel: freestanding C that allocates
// nothing, keeps no global state and never blocks. Bytes go in through gdb_receive(), bytes come
// out through the target's send(), and the target is called back for everything else. One
// `struct gdbstub` is one conversation. The same code serves the kernel's trap handler, the unit
// tests and the fuzzer on the host, and a session over the capsule of a dead machine.
//
// Manual: "Debugging with GDB", appendix E "GDB Remote Serial Protocol". gdb 13 is the reference.
//
// Contexts: no function here may run twice at once on one struct gdbstub. All of them may run with
// interrupts off, on any stack with 2 KiB left, with every lock of the kernel held.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gdbstub/registers.h"

// The largest packet body accepted and sent, as announced in qSupported (PacketSize, hex 4000).
#define GDB_PACKET_BYTES 16384

// Threads are named by positive numbers; 0 is "any", -1 "all", as in the protocol.
typedef int64_t gdb_thread_t;
#define GDB_THREAD_ANY 0
#define GDB_THREAD_ALL (-1)

// Filled in by a target operation that fails; sent to gdb as E.text. Empty: the errno's own text.
struct gdb_error {
    char text[128];
};

enum gdb_stop_kind {
    GDB_STOP_SIGNAL,      // nothing more is known than the signal
    GDB_STOP_SWBREAK,     // a software breakpoint; pc is at it
    GDB_STOP_HWBREAK,     // a hardware breakpoint; pc is at it
    GDB_STOP_WATCH_WRITE, // data address in `address`
    GDB_STOP_WATCH_READ,
    GDB_STOP_WATCH_ACCESS,
    GDB_STOP_EXITED, // W: the target is gone (powered off); `signal` is the status
};

struct gdb_stop {
    enum gdb_stop_kind kind;
    uint8_t signal; // gdb's numbers: 2 SIGINT, 4 SIGILL, 5 SIGTRAP, 6 SIGABRT, 8 SIGFPE, 11 SIGSEGV
    gdb_thread_t thread;
    uint64_t address; // of the watched data, for the WATCH kinds
};

enum gdb_resume_action { GDB_CONTINUE, GDB_STEP, GDB_RANGE_STEP };

// What gdb asked for when it let the target go. Threads other than `thread` continue when
// `others_run`, else they stay stopped (a step moves one thread only).
struct gdb_resume {
    enum gdb_resume_action action;
    gdb_thread_t thread;  // whose action it is; GDB_THREAD_ANY: the one that stopped
    uint64_t range_start; // GDB_RANGE_STEP: step until pc is outside [range_start, range_end)
    uint64_t range_end;
    uint8_t signal; // C and S: the signal to deliver, 0 none. A kernel has no use for it.
    bool others_run;
};

// The breakpoint types of the Z packets.
enum gdb_breakpoint_type {
    GDB_BREAK_SOFTWARE = 0,
    GDB_BREAK_HARDWARE = 1,
    GDB_WATCH_WRITE = 2,
    GDB_WATCH_READ = 3,
    GDB_WATCH_ACCESS = 4,
};

// Where the words of a monitor command go; valid during the call only.
struct gdb_output {
    void (*write)(struct gdb_output *output, const char *text, size_t length);
};

// What the stub asks of the debugged machine. Every operation is called from inside gdb_receive()
// with the target stopped, unless it says otherwise. 0 is success, a negative errno failure; on
// failure `error->text` may say why. -ENOTSUP makes the reply empty ("not supported"). Pointers are
// never NULL unless an operation says so; lengths never exceed what the packet can hold; the stub
// has parsed and checked everything that came over the line. An operation marked optional may be
// NULL: the stub then does not offer what needs it.
struct gdbstub_target {
    // Sends bytes to gdb at once. Called in any state, also from gdb_console_write().
    void (*send)(void *context, const uint8_t *bytes, size_t length);

    // -- threads. Iteration: *thread is 0 at first; set to the next thread, 0 at the end. Threads
    // that come and go meanwhile are impossible: the target is stopped.
    int (*thread_next)(void *context, gdb_thread_t *thread);
    bool (*thread_alive)(void *context, gdb_thread_t thread);
    // A short name and a longer description (state, CPU) for `info threads`. Optional.
    int (*thread_describe)(void *context, gdb_thread_t thread, char *name, size_t name_size,
                           char *description, size_t description_size);

    // -- registers, by row of the machine's table, target byte order, row->bits / 8 bytes.
    // -ENODATA: the value is not available for this thread (sent as x's).
    int (*register_read)(void *context, gdb_thread_t thread, unsigned row, void *value,
                         struct gdb_error *error);
    int (*register_write)(void *context, gdb_thread_t thread, unsigned row, const void *value,
                          struct gdb_error *error);

    // -- memory. *length is the wish, and on return what was done; 0 < *length < wish is a short
    // read that gdb accepts. Never faults, whatever the address.
    int (*memory_read)(void *context, gdb_thread_t thread, uint64_t address, void *to,
                       size_t *length, struct gdb_error *error);
    int (*memory_write)(void *context, gdb_thread_t thread, uint64_t address, const void *from,
                        size_t length, struct gdb_error *error);

    // -- breakpoints and watchpoints. Setting one that is set, or clearing one that is not, is no
    // error. `kind` is the instruction's length or the number of bytes watched.
    int (*breakpoint_set)(void *context, enum gdb_breakpoint_type type, uint64_t address,
                          unsigned kind, struct gdb_error *error);
    int (*breakpoint_clear)(void *context, enum gdb_breakpoint_type type, uint64_t address,
                            unsigned kind, struct gdb_error *error);

    // -- running. resume() notes the request and returns; the caller of gdb_receive() sees
    // GDB_RUNNING and lets the machine go. The next stop is told with gdb_report_stop().
    int (*resume)(void *context, const struct gdb_resume *request, struct gdb_error *error);
    // gdb has let go (D): remove all breakpoints and run. Also told when gdb sends vKill or k.
    void (*detach)(void *context);
    void (*kill)(void *context);    // vKill, k: optional; NULL acts as detach
    void (*restart)(void *context); // R: reboot the machine. Optional

    // A gdb begins a conversation: the first one, one after a detach, or one in place of a gdb that
    // died without a word; breakpoints the dead one left behind may be dropped. Optional.
    void (*attach)(void *context);

    // -- console. `line` is the command, terminated, without control characters. Optional.
    int (*monitor)(void *context, const char *line, struct gdb_output *output);
};

// Which side has the ball.
enum gdb_state {
    GDB_STOPPED, // the target stands still and the stub answers packets
    GDB_RUNNING, // resumed by gdb: only 0x03, acks, retransmission requests and the qSupported of
                 // a new gdb are looked at; the last acts as 0x03 and is answered at the stop
};

struct gdbstub; // defined in gdbstub/stub.h, so that its owner can place it; members are private

// Starts a conversation: acks on, nothing selected, GDB_STOPPED. `stop` is what a ? will be told.
void gdb_init(struct gdbstub *stub, const struct gdbstub_target *target,
              const struct gdb_machine *machine, void *context);

// Takes bytes from the line: any number, any split. May call target operations. While
// GDB_RUNNING, bytes behind a resume are kept only as far as 0x03: see gdb_interrupt_pending().
void gdb_receive(struct gdbstub *stub, const uint8_t *bytes, size_t length);

// For an owner whose target operations can be cut short, as by a fault that is caught outside of
// gdb_receive(): answers the request that was being executed with `text` as the error, so that gdb
// goes on. Does nothing when no request is open. gdb_receive() may be called again afterwards.
void gdb_abandon(struct gdbstub *stub, const char *text);

enum gdb_state gdb_state(const struct gdbstub *stub);

// True once after 0x03 has come in while GDB_RUNNING; the owner then stops the machine.
bool gdb_interrupt_pending(struct gdbstub *stub);

// True from the first valid packet until D, k or vKill.
bool gdb_attached(const struct gdbstub *stub);

// Whether packets are acknowledged, so that '+' and '-' on the line are gdb's: until
// QStartNoAckMode.
bool gdb_acks(const struct gdbstub *stub);

// The machine has stopped. If gdb waits for a stop reply it is sent now (T packet with the thread,
// the reason and the expedited registers); otherwise it is kept for the next ?. State becomes
// GDB_STOPPED.
void gdb_report_stop(struct gdbstub *stub, const struct gdb_stop *stop);

// Text of the kernel's console while gdb waits for a stop (GDB_RUNNING and attached): one or more
// O packets. Elsewhere nothing is sent and -EAGAIN returned. May be called from any context that
// owns the stub.
int gdb_console_write(struct gdbstub *stub, const char *text, size_t length);

// Recognises the beginning of a conversation in a byte stream that is otherwise a console's. Feed
// every byte; nothing enters the debugger but a whole packet with a right checksum.
enum gdb_sniff_verdict {
    GDB_SNIFF_PASS,   // not part of a packet: release *held* bytes and this one to the console
    GDB_SNIFF_HOLD,   // may be one: keep the byte back
    GDB_SNIFF_PACKET, // a whole valid packet: its bytes are sniffer->bytes[0 .. sniffer->length)
};
#define GDB_SNIFF_BYTES 1024 // longest first packet recognised; gdb 13's qSupported is under 300
struct gdb_sniffer {
    uint16_t length; // bytes held
    uint8_t sum;
    uint8_t state;
    uint8_t bytes[GDB_SNIFF_BYTES];
};
void gdb_sniff_reset(struct gdb_sniffer *sniffer);
// On GDB_SNIFF_PASS the caller forwards bytes[0 .. length) (held ones, the new byte last) and
// resets the sniffer.
enum gdb_sniff_verdict gdb_sniff(struct gdb_sniffer *sniffer, uint8_t byte);
