// SPDX-License-Identifier: MIT
// The front end that speaks with gdb: fills in struct gdbstub_target, runs the packet loop over the
// debug port while the machine stands still, and shares the line with the console while it runs.
//
// The stub belongs to the master while the machine is held, and otherwise to whoever has the line:
// `line_owner`, a spin lock taken with interrupts off. A stop signal that finds its CPU with the
// line is put off until the line is free, so no packet is ever cut in two.
#include <errno.h>
#include <string.h>

#include "gdbstub/stub.h"
#include "kdebug/core.h"

#define INTERRUPT_BYTE    0x03
#define READ_BYTES        256
#define STALE_QUIET_POLLS 30000   // tens of milliseconds: an emulator is slow to refill a FIFO
#define STALE_POLLS_MAX   1000000 // a line full of noise is not waited for
#define POLL_INTERVAL     16      // steps of a range after which the line is looked at
#define REST_TURNS        2000    // about a microsecond on a real machine, ten on an emulated one

static struct gdbstub stub;
static struct gdb_sniffer sniffer;
static _Atomic(int) line_owner = KD_NOBODY;
static _Atomic(uint64_t) stop_deferred;
static _Atomic(unsigned) interrupt_late; // Ctrl-C came while the line was taken

static struct {
    unsigned cpu;             // whose stop was reported
    bool panicked;            // nothing can run any more
    struct kd_action *action; // what gdb asks for
    bool sniffed;             // sniffer.bytes is the packet that let gdb in
    const uint8_t *behind;    // what came in one piece with it
    size_t behind_length;
    unsigned sum_left;    // digits of a checksum still to be read
    uint16_t held_before; // bytes the sniffer held at the last timeout
    unsigned polls;
} session;

static struct debug_port *port(void)
{
    return kd.config.mode == KD_OFF ? NULL : kd.config.port;
}

// -- the line ---------------------------------------------------------------------------------

static bool line_take(uintptr_t *interrupts)
{
    *interrupts = kd_interrupts_off();
    int me = (int)kd_this_cpu()->index;
    for (;;) {
        int owner = KD_NOBODY;
        if (atomic_compare_exchange_weak(&line_owner, &owner, me)) {
            if (!kd.holding)
                return true;
            atomic_store(&line_owner, KD_NOBODY);
        }
        if (owner == me || kd.holding) {
            kd_interrupts_restore(*interrupts);
            return false;
        }
    }
}

static void line_give(uintptr_t interrupts)
{
    uint64_t me = UINT64_C(1) << kd_this_cpu()->index;
    atomic_store(&line_owner, KD_NOBODY);
    if ((atomic_load(&stop_deferred) & me) != 0)
        kd_break_trap();
    if (kd_gdb_interrupted_late())
        kdebug_break("Ctrl-C");
    kd_interrupts_restore(interrupts);
}

bool kd_gdb_defers_stop(unsigned cpu)
{
    if (atomic_load(&line_owner) != (int)cpu)
        return false;
    atomic_fetch_or(&stop_deferred, UINT64_C(1) << cpu);
    return true;
}

bool kd_gdb_stop_was_deferred(unsigned cpu)
{
    uint64_t me = UINT64_C(1) << cpu;
    return (atomic_fetch_and(&stop_deferred, ~me) & me) != 0;
}

// -- target operations ------------------------------------------------------------------------

static void target_send(void *context, const uint8_t *bytes, size_t length)
{
    (void)context;
    kd.config.port->write(kd.config.port, bytes, length);
}

static int target_thread_next(void *context, gdb_thread_t *thread)
{
    (void)context;
    *thread = kd_thread_after(*thread);
    return 0;
}

static bool target_thread_alive(void *context, gdb_thread_t thread)
{
    (void)context;
    struct kd_thread found;
    return kd_thread_find(thread, &found);
}

static int target_thread_describe(void *context, gdb_thread_t thread, char *name, size_t name_size,
                                  char *description, size_t description_size)
{
    (void)context;
    static const char *const states[] = {"running", "ready", "sleeping", "blocked", "exited"};
    struct kd_thread found;
    if (!kd_thread_find(thread, &found))
        return -ENOENT;
    kd_snprintf(name, name_size, "%s", found.name);
    struct kd_text text;
    kd_text_init(&text, description, description_size);
    int cpu = kd_thread_cpu(thread);
    if (cpu >= 0) {
        kd_text_printf(&text, "running on CPU %d%s", cpu,
                       kd_cpu_stopped(&kd.cpus[cpu]) ? "" : ", which did not stop");
    } else {
        unsigned state = found.state;
        kd_text_printf(&text, "%s, last on CPU %u",
                       state < sizeof(states) / sizeof(states[0]) ? states[state] : "?", found.cpu);
        if (found.wait[0] != '\0')
            kd_text_printf(&text, ", waits for %s", found.wait);
    }
    kd_text_printf(&text, ", priority %u", found.priority);
    return 0;
}

struct special_access {
    uint32_t key;
    uint64_t value;
};

static int special_read(void *argument)
{
    struct special_access *access = argument;
    return kd_special_read(access->key, &access->value);
}

static int special_write(void *argument)
{
    struct special_access *access = argument;
    return kd_special_write(access->key, access->value);
}

static gdb_thread_t or_stopped(gdb_thread_t thread)
{
    return thread > 0 ? thread : kd_thread_on(session.cpu);
}

// Where a row that lies in the frame is, for this thread; NULL: not known.
static void *row_in_frame(gdb_thread_t thread, unsigned row)
{
    uint64_t valid;
    struct kd_frame *frame = kd_thread_frame(thread, &valid);
    bool known = valid == UINT64_MAX || (row < 64 && (valid >> row & 1) != 0);
    return frame != NULL && known ? (uint8_t *)frame + kd_machine.gdb->registers[row].location
                                  : NULL;
}

static int target_register_read(void *context, gdb_thread_t thread, unsigned row, void *value,
                                struct gdb_error *error)
{
    (void)context;
    (void)error;
    const struct gdb_register *reg = &kd_machine.gdb->registers[row];
    thread = or_stopped(thread);
    if (reg->location == GDB_REGISTER_ABSENT)
        return -ENODATA;
    if ((reg->location & GDB_REGISTER_SPECIAL) != 0) {
        struct special_access access = {.key = reg->location};
        int cpu = kd_thread_cpu(thread);
        int result = cpu < 0 ? -ENODATA : kd_run_on((unsigned)cpu, special_read, &access);
        if (result != 0)
            return -ENODATA;
        memcpy(value, &access.value, reg->bits / 8);
        return 0;
    }
    const void *place = row_in_frame(thread, row);
    if (place == NULL)
        return -ENODATA;
    memcpy(value, place, reg->bits / 8);
    return 0;
}

static int target_register_write(void *context, gdb_thread_t thread, unsigned row,
                                 const void *value, struct gdb_error *error)
{
    (void)context;
    const struct gdb_register *reg = &kd_machine.gdb->registers[row];
    thread = or_stopped(thread);
    int cpu = kd_thread_cpu(thread);
    if (reg->location == GDB_REGISTER_ABSENT) {
        kd_error(error, "the kernel keeps no %s", reg->name);
        return -ENODATA;
    }
    if (cpu < 0 || !kd_cpu_stopped(&kd.cpus[cpu])) {
        kd_error(error, "thread %lld is not on a CPU that stands still: %s cannot be changed",
                 (long long)thread, reg->name);
        return -EBUSY;
    }
    if ((reg->location & GDB_REGISTER_SPECIAL) != 0) {
        struct special_access access = {.key = reg->location};
        memcpy(&access.value, value, reg->bits / 8);
        return kd_run_on((unsigned)cpu, special_write, &access);
    }
    memcpy((uint8_t *)kd.cpus[cpu].frame + reg->location, value, reg->bits / 8);
    return 0;
}

static int target_memory_read(void *context, gdb_thread_t thread, uint64_t address, void *to,
                              size_t *length, struct gdb_error *error)
{
    (void)context;
    (void)thread;
    return kd_memory_read(address, to, length, error);
}

static int target_memory_write(void *context, gdb_thread_t thread, uint64_t address,
                               const void *from, size_t length, struct gdb_error *error)
{
    (void)context;
    (void)thread;
    return kd_memory_write(address, from, length, error);
}

static int target_breakpoint_set(void *context, enum gdb_breakpoint_type type, uint64_t address,
                                 unsigned kind, struct gdb_error *error)
{
    (void)context;
    return kd_breakpoint_set(type, address, kind, error);
}

static int target_breakpoint_clear(void *context, enum gdb_breakpoint_type type, uint64_t address,
                                   unsigned kind, struct gdb_error *error)
{
    (void)context;
    return kd_breakpoint_clear(type, address, kind, error);
}

static int target_resume(void *context, const struct gdb_resume *wish, struct gdb_error *error)
{
    (void)context;
    if (session.panicked) {
        kd_error(error, "the kernel has panicked and cannot run on (detach ends it)");
        return -EINVAL;
    }
    if (wish->action == GDB_CONTINUE) {
        *session.action = (struct kd_action){.kind = KD_ACTION_CONTINUE};
        return 0;
    }
    gdb_thread_t thread = or_stopped(wish->thread);
    int cpu = kd_thread_cpu(thread);
    if (cpu < 0 || !kd_cpu_stopped(&kd.cpus[cpu])) {
        kd_error(error, "thread %lld is not on a CPU%s: it cannot be stepped", (long long)thread,
                 cpu < 0 ? "" : " that stands still");
        return -EBUSY;
    }
    *session.action = (struct kd_action){.kind = KD_ACTION_STEP, .cpu = (unsigned)cpu};
    if (wish->action == GDB_RANGE_STEP) {
        session.action->range_start = wish->range_start;
        session.action->range_end = wish->range_end;
    }
    return 0;
}

// gdb has let go, or another one takes over from one that died: nothing of it stays behind.
static void target_detach(void *context)
{
    (void)context;
    kd_breakpoints_drop();
    *session.action = (struct kd_action){.kind = KD_ACTION_CONTINUE};
}

// A gdb that has waited for the kernel to boot has sent its first request more than once. It sends
// nothing more until it is answered, so what still comes is stale: taken as fresh, it would be
// answered twice and leave gdb one reply behind for ever.
static void drain_stale(void)
{
    uint8_t bytes[64];
    unsigned quiet = 0;
    for (unsigned polls = 0; quiet < STALE_QUIET_POLLS && polls < STALE_POLLS_MAX; polls++)
        quiet = port()->read(port(), bytes, sizeof(bytes)) > 0 ? 0 : quiet + 1;
}

static void target_attach(void *context)
{
    (void)context;
    kd_breakpoints_drop();
    drain_stale();
}

static void target_restart(void *context)
{
    (void)context;
    kd_breakpoints_drop();
    kd.kernel->after(KD_AFTER_REBOOT);
}

static void monitor_sink(struct kd_text *text, const char *characters, size_t length)
{
    struct gdb_output *output = text->context;
    output->write(output, characters, length);
}

struct monitor {
    struct kd_text *text;
    const char *line;
};

static int monitor_run(void *argument)
{
    const struct monitor *monitor = argument;
    return kd.kernel->command(monitor->text, monitor->line);
}

static int target_monitor(void *context, const char *line, struct gdb_output *output)
{
    (void)context;
    char buffer[256];
    struct kd_text text;
    kd_text_init_sink(&text, buffer, sizeof(buffer), monitor_sink, output);
    struct monitor monitor = {.text = &text, .line = line};
    struct gdb_error error = {.text = ""};
    int result = kd_protect(monitor_run, &monitor, &error);
    if (error.text[0] != '\0')
        kd_text_printf(&text, "%s: %s\n", line, error.text);
    else if (result == -ENOENT)
        kd_text_printf(&text, "no such command: %s (try: monitor help)\n", line);
    else if (result != 0)
        kd_text_printf(&text, "%s: failed with error %d\n", line, -result);
    kd_text_flush(&text);
    return 0;
}

static const struct gdbstub_target target = {
    .send = target_send,
    .thread_next = target_thread_next,
    .thread_alive = target_thread_alive,
    .thread_describe = target_thread_describe,
    .register_read = target_register_read,
    .register_write = target_register_write,
    .memory_read = target_memory_read,
    .memory_write = target_memory_write,
    .breakpoint_set = target_breakpoint_set,
    .breakpoint_clear = target_breakpoint_clear,
    .resume = target_resume,
    .detach = target_detach,
    .restart = target_restart,
    .attach = target_attach,
    .monitor = target_monitor,
};

void kd_gdb_init(void)
{
    gdb_init(&stub, &target, kd_machine.gdb, NULL);
    gdb_sniff_reset(&sniffer);
}

// -- the session ------------------------------------------------------------------------------

// To a terminal: a new line starts at the left.
static void write_plain(struct debug_port *to, const char *text, size_t length)
{
    for (size_t start = 0; start < length;) {
        const char *newline = memchr(text + start, '\n', length - start);
        size_t end = newline != NULL ? (size_t)(newline - text) : length;
        to->write(to, (const uint8_t *)text + start, end - start);
        if (newline != NULL) {
            to->write(to, (const uint8_t *)"\r\n", 2);
            end++;
        }
        start = end;
    }
}

void kd_gdb_print(const char *text, size_t length)
{
    bool shared = kd.config.port != NULL && kd.config.port == kd.config.console;
    bool told = port() != NULL && gdb_console_write(&stub, text, length) == 0;
    if (kd.config.console != NULL && !(shared && (told || gdb_attached(&stub))))
        write_plain(kd.config.console, text, length);
}

void kd_gdb_print_plain(const char *text, size_t length)
{
    bool shared = kd.config.port != NULL && kd.config.port == kd.config.console;
    if (kd.config.console != NULL && !(shared && gdb_attached(&stub)))
        write_plain(kd.config.console, text, length);
}

void kd_gdb_tell(const char *text)
{
    size_t length = strlen(text);
    if (port() != NULL && gdb_console_write(&stub, text, length) != 0 && !gdb_attached(&stub))
        write_plain(port(), text, length);
}

struct received {
    const uint8_t *bytes;
    size_t length;
};

static int receive(void *argument)
{
    const struct received *received = argument;
    gdb_receive(&stub, received->bytes, received->length);
    return 0;
}

// A fault in the stub or in an operation of the kernel ends the request, not the session.
static void receive_protected(const uint8_t *bytes, size_t length)
{
    struct received received = {.bytes = bytes, .length = length};
    struct gdb_error error = {.text = ""};
    if (kd_protect(receive, &received, &error) != 0)
        gdb_abandon(&stub, error.text);
}

static void receive_sniffed(void)
{
    if (session.sniffed) {
        session.sniffed = false;
        receive_protected(sniffer.bytes, sniffer.length);
        receive_protected(session.behind, session.behind_length);
        gdb_sniff_reset(&sniffer);
    }
}

static void announce(const struct kd_event *event)
{
    if (event->text != NULL) {
        char line[192];
        kd_snprintf(line, sizeof(line), "%s: %s\n", event->asked_for ? "kdebug_break" : "kdebug",
                    event->text);
        kd_gdb_tell(line);
    }
    if (!gdb_attached(&stub) && !session.sniffed)
        kd_gdb_tell("kdebug: stopped, waiting for gdb on this line\n");
}

// What the line holds, but nothing behind the end of a packet: if the packet lets the kernel run,
// what follows is typed at the console and stays in the device for its driver.
static size_t read_packet(uint8_t *bytes, size_t size)
{
    size_t length = 0;
    while (length < size && port()->read(port(), bytes + length, 1) == 1) {
        if (session.sum_left > 0 && --session.sum_left == 0)
            return length + 1;
        if (bytes[length++] == '#')
            session.sum_left = 2;
    }
    return length;
}

// Between two looks at an empty line: an emulator cannot fill the device while it is being looked
// at, and a loop that does nothing else holds its filler up.
static void rest(void)
{
    for (unsigned turn = 0; turn < REST_TURNS; turn++)
        __asm__ volatile("" ::: "memory");
}

void kd_gdb_session(const struct kd_event *event, unsigned cpu, struct kd_action *action)
{
    bool panicked = event->kind == KD_EVENT_PANIC;
    if (port() == NULL || (panicked && kd.config.panic_action != KD_PANIC_DEBUG))
        return;
    session.cpu = cpu;
    session.panicked = panicked;
    session.action = action;
    announce(event);
    struct gdb_stop stop = event->stop;
    stop.thread = kd_thread_on(cpu);
    // A Ctrl-C that was read in one piece with the request to go on ends the going on at once.
    do {
        gdb_report_stop(&stub, &stop);
        receive_sniffed();
        while (gdb_state(&stub) == GDB_STOPPED) {
            uint8_t bytes[READ_BYTES];
            size_t length = read_packet(bytes, sizeof(bytes));
            if (length > 0)
                receive_protected(bytes, length);
            else
                rest();
        }
        stop.kind = GDB_STOP_SIGNAL;
        stop.signal = KD_SIGNAL_INT;
    } while (gdb_interrupt_pending(&stub));
}

bool kd_gdb_interrupted_late(void)
{
    return atomic_exchange(&interrupt_late, 0) != 0;
}

bool kd_gdb_wants_stop(void)
{
    if (port() == NULL || ++session.polls % POLL_INTERVAL != 0)
        return false;
    uint8_t bytes[16];
    gdb_receive(&stub, bytes, port()->read(port(), bytes, sizeof(bytes)));
    return gdb_interrupt_pending(&stub) || kd_gdb_interrupted_late();
}

// -- while the kernel runs --------------------------------------------------------------------

static void interrupt(struct kd_frame *frame, const char *why)
{
    struct kd_event event = {.kind = KD_EVENT_OTHER,
                             .stop = {.kind = GDB_STOP_SIGNAL, .signal = KD_SIGNAL_INT},
                             .text = why};
    kd_enter(kd_this_cpu(), frame, &event);
}

// Separates a gdb's first packet from what a person types. Returns how many bytes are the
// console's, at the front of `bytes`.
static size_t sniff(uint8_t *bytes, size_t length)
{
    size_t out = 0;
    for (size_t in = 0; in < length;) {
        switch (gdb_sniff(&sniffer, bytes[in++])) {
        case GDB_SNIFF_HOLD:
            break;
        case GDB_SNIFF_PASS: {
            size_t held = sniffer.length;
            if (out + held > in) {
                size_t shift = out + held - in;
                memmove(bytes + in + shift, bytes + in, length - in);
                in += shift;
                length += shift;
            }
            memcpy(bytes + out, sniffer.bytes, held);
            out += held;
            gdb_sniff_reset(&sniffer);
            break;
        }
        case GDB_SNIFF_PACKET:
            session.behind = bytes + in;
            session.behind_length = length - in;
            session.sniffed = true;
            // gdb begins with an acknowledgement of nothing.
            return out > 0 && bytes[out - 1] == '+' ? out - 1 : out;
        }
    }
    return out;
}

// In a session without acknowledgements gdb sends nothing while the kernel runs but Ctrl-C, and a
// new gdb its greeting; the rest is typed at the console. With acknowledgements on, '+' and '-' are
// gdb's as well and nothing can be told apart: all of it goes to the stub.
static size_t receive_in_session(uint8_t *bytes, size_t length)
{
    if (gdb_acks(&stub)) {
        gdb_receive(&stub, bytes, length);
        return 0;
    }
    size_t typed = 0;
    for (size_t i = 0; i < length; i++)
        if (bytes[i] == INTERRUPT_BYTE)
            gdb_receive(&stub, &bytes[i], 1);
        else
            bytes[typed++] = bytes[i];
    size_t rest = sniff(bytes, typed);
    if (session.sniffed) {
        session.sniffed = false;
        gdb_receive(&stub, sniffer.bytes, sniffer.length);
        gdb_sniff_reset(&sniffer);
    }
    return rest;
}

size_t kd_receive(struct kd_frame *frame, uint8_t *bytes, size_t length, size_t size)
{
    if (kd.kernel == NULL || port() == NULL || length + GDB_SNIFF_BYTES > size)
        return length;
    uintptr_t interrupts;
    // This CPU may be on its way out of the debugger, may have been interrupted while it was
    // sending, or another one may be the master.
    bool inside = kd_this_cpu()->inside;
    if (inside || !line_take(&interrupts)) {
        if (gdb_attached(&stub) && memchr(bytes, INTERRUPT_BYTE, length) != NULL) {
            atomic_store(&interrupt_late, 1);
            return 0;
        }
        return inside ? length : 0;
    }
    size_t rest;
    bool enter;
    if (gdb_attached(&stub)) {
        rest = receive_in_session(bytes, length);
        enter = gdb_interrupt_pending(&stub);
    } else {
        rest = sniff(bytes, length);
        enter = session.sniffed;
    }
    line_give(interrupts);
    if (enter)
        interrupt(frame, NULL);
    return rest;
}

void kd_receive_break(struct kd_frame *frame)
{
    if (kd.kernel != NULL && port() != NULL && !kd_this_cpu()->inside)
        interrupt(frame, "BREAK on the line");
}

size_t kd_receive_timeout(uint8_t *bytes, size_t size)
{
    if (kd.kernel == NULL || size < sizeof(sniffer.bytes))
        return 0;
    if (sniffer.length == 0) {
        session.held_before = 0;
        return 0;
    }
    uintptr_t interrupts;
    if (!line_take(&interrupts))
        return 0;
    size_t released = 0;
    // Held through a whole interval without another byte: a person typed a dollar sign.
    if (!session.sniffed && sniffer.length == session.held_before) {
        released = sniffer.length;
        memcpy(bytes, sniffer.bytes, released);
        gdb_sniff_reset(&sniffer);
    }
    session.held_before = sniffer.length;
    line_give(interrupts);
    return released;
}

bool kd_console_write(const char *text, size_t length)
{
    bool shared = kd.kernel != NULL && port() != NULL && port() == kd.config.console;
    if (!shared || !gdb_attached(&stub))
        return false;
    uintptr_t interrupts;
    if (!line_take(&interrupts))
        return true; // gdb is in the middle of something else; the log has the text
    int result = gdb_console_write(&stub, text, length);
    line_give(interrupts);
    return result == 0;
}
