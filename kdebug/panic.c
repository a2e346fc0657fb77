// SPDX-License-Identifier: MIT
// The panic report: text a person can read without tools, by polled output, once. Called when the
// kernel cannot go on, in any context, on any stack that has 1 KiB left.
//
// A panic is an event like a breakpoint, so the other CPUs stop and their frames can be shown.
// Each section of the report is protected: a fault in one is told in a line and the next follows.
// Each has a share of the line, so that all of it is out within 2 s at 115200 baud whatever the
// machine was doing. The capsule (capsule.c) follows, and both are kept for the next boot (kept.c).
// What goes wrong all the same ends in ever smaller reports: a second panic on the CPU that
// reports prints one line, a third one nothing.
#include "kdebug/capsule.h"

#include <string.h>

#define LOG_LINES    20
#define FRAMES_MAX   32
#define REASON_BYTES 256

// What each section may print, carriage returns included: two seconds at 115200 baud, ten bits a
// byte, less the half second that stopping the others takes where one of them does not answer.
#define REASON_LINE     (REASON_BYTES + 16)
#define WHERE_BYTES     500
#define ALSO_BYTES      950 // who panicked, too
#define REGISTERS_BYTES 1200
#define BACKTRACE_BYTES 3700
#define OTHERS_BYTES    5900 // backtraces of the other CPUs, together
#define LOG_BYTES       4500
#define END_BYTES       128
#define CUT_BYTES       80 // for telling so, in all sections
#define LINE_BYTES                                                                                 \
    96 // a line is not begun when there is not so much left: half an address misleads
_Static_assert(REASON_LINE + WHERE_BYTES + ALSO_BYTES + REGISTERS_BYTES + BACKTRACE_BYTES +
                       OTHERS_BYTES + LOG_BYTES + END_BYTES + CUT_BYTES <=
                   115200 / 10 * 3 / 2,
               "the report takes too long");

static _Atomic(int) panic_cpu = KD_NOBODY;
static _Atomic(unsigned) panic_depth;
static char reason[REASON_BYTES];
static const struct kd_trap *reason_trap;
// What another CPU said that panicked, too.
static char other_reason[KD_CPU_MAX][KD_OTHER_REASON_BYTES];
static size_t bytes_left; // of the section's share
static bool line_begun;   // the section's last character was not the end of a line

static void print(const char *characters, size_t length)
{
    kd_gdb_print(characters, length);
    kd_keep_report(characters, length);
}

static bool fits(char character)
{
    // A newline goes over the line with a carriage return.
    size_t bytes = character == '\n' ? 2 : 1;
    if (bytes_left <= (line_begun ? bytes : LINE_BYTES))
        return false;
    bytes_left -= bytes;
    line_begun = character != '\n';
    return true;
}

static void report_sink(struct kd_text *text, const char *characters, size_t length)
{
    (void)text;
    static const char cut[] = "...\n";
    size_t fit = 0;
    while (fit < length && fits(characters[fit]))
        fit++;
    if (fit > 0)
        print(characters, fit);
    if (fit < length && bytes_left > 0) {
        bytes_left = 0;
        line_begun = true;
        print(cut, sizeof(cut) - 1);
    }
}

// -- sections of the report -------------------------------------------------------------------

struct section {
    struct kd_text *text;
    struct kd_cpu *cpu;
};

static void print_thread(struct kd_text *text, const struct kd_cpu *cpu, struct kd_thread *thread)
{
    int64_t id = kd_thread_on(cpu->index);
    if (!kd_thread_find(id, thread))
        *thread = (struct kd_thread){.id = id};
    kd_text_printf(text, "cpu %u thread %lld (%s)", cpu->index, (long long)id, thread->name);
}

static int print_reason(void *argument)
{
    const struct section *section = argument;
    kd_text_printf(section->text, "\nPANIC: %s\n", reason);
    return 0;
}

static int print_end(void *argument)
{
    const struct section *section = argument;
    kd_text_string(section->text, "end of panic report\n");
    return 0;
}

static void print_id(struct kd_text *text, const uint8_t *id, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes && i < 32; i++)
        kd_text_printf(text, "%02x", id[i]);
}

// Which ELF the addresses belong to, and which of its runs this is.
static void print_image(struct kd_text *text)
{
    const struct kd_image *image = &kd.kernel->image;
    if (image->build_id == NULL)
        return;
    kd_text_string(text, "build-id ");
    print_id(text, image->build_id, image->build_id_bytes);
    kd_text_printf(
        text, ", load offset %s0x%llx", image->load_offset < 0 ? "-" : "",
        (unsigned long long)(image->load_offset < 0 ? -image->load_offset : image->load_offset));
    if (image->boot_id != NULL) {
        kd_text_string(text, ", boot ");
        print_id(text, image->boot_id, KD_BOOT_ID_BYTES);
    }
    kd_text_char(text, '\n');
}

static int print_where(void *argument)
{
    const struct section *section = argument;
    uint64_t ns = kd.kernel->clock_ns();
    struct kd_thread thread;
    print_thread(section->text, section->cpu, &thread);
    kd_text_printf(section->text, ", %s %s, up %llu.%06llu s\n", kd.kernel->name,
                   kd.kernel->version, (unsigned long long)(ns / 1000000000),
                   (unsigned long long)(ns / 1000 % 1000000));
    print_image(section->text);
    if (reason_trap != NULL) {
        kd_text_printf(section->text, "trap: %s, code 0x%llx", reason_trap->name,
                       (unsigned long long)reason_trap->code);
        if (reason_trap->has_address) {
            kd_text_printf(section->text, ", address 0x%016llx",
                           (unsigned long long)reason_trap->fault_address);
        }
        kd_text_char(section->text, '\n');
    }
    return 0;
}

static int print_registers(void *argument)
{
    const struct section *section = argument;
    kd_text_registers(section->text, section->cpu->frame);
    return 0;
}

// Is the frame one that an exception or interrupt left, not a call? Its address is then that of an
// instruction, not of the one behind it, and the line says so: it may be all that is read.
static bool is_interrupted(const uintptr_t *addresses, unsigned i)
{
    const struct kd_range *entry = &kd.kernel->entry_text;
    return i > 0 && addresses[i - 1] >= entry->start && addresses[i - 1] < entry->end;
}

static void print_frame(struct kd_text *text, const uintptr_t *addresses, unsigned i)
{
    bool interrupted = is_interrupted(addresses, i);
    struct kd_symbol symbol;
    kd_text_printf(text, "  #%u 0x%016llx ", i, (unsigned long long)addresses[i]);
    // A return address may be the first byte of the next function: the call is before it.
    if (kd.kernel->symbol(addresses[i] - (i > 0 && !interrupted), &symbol)) {
        kd_text_printf(text, "%s+0x%llx/0x%llx", symbol.name,
                       (unsigned long long)(addresses[i] - symbol.start),
                       (unsigned long long)symbol.size);
    } else {
        kd_text_char(text, '?');
    }
    kd_text_string(text, interrupted ? " (interrupted)\n" : "\n");
}

static int print_backtrace(void *argument)
{
    const struct section *section = argument;
    const struct kd_cpu *cpu = section->cpu;
    struct kd_thread thread;
    print_thread(section->text, cpu, &thread);
    if (!kd_cpu_stopped(cpu)) {
        kd_text_string(section->text, ": did not stop\n");
        return 0;
    }
    kd_text_string(section->text, ":\n");
    uintptr_t addresses[FRAMES_MAX];
    // The interrupted context may have been on a stack of its own; the walk bounds itself.
    unsigned count = kd_backtrace_frame(cpu->frame, addresses, FRAMES_MAX);
    // What a damaged chain takes for an address may be a canary.
    for (unsigned i = 0; i < count && !kd_is_canary(addresses[i]); i++)
        print_frame(section->text, addresses, i);
    return 0;
}

static int print_log(void *argument)
{
    const struct section *section = argument;
    kd_text_printf(section->text, "last log lines:\n");
    kd.kernel->log_tail(section->text, LOG_LINES);
    return 0;
}

// No more than `bytes`, and a word when that was not enough.
static void print_section(int (*write)(void *argument), struct section *section, size_t bytes)
{
    struct gdb_error error = {.text = ""};
    bytes_left = bytes;
    line_begun = false;
    if (kd_protect(write, section, &error) != 0)
        kd_text_printf(section->text, "\n(%s)\n", error.text);
    kd_text_flush(section->text);
}

static int print_also(void *argument)
{
    const struct section *section = argument;
    for (unsigned i = 0; i < kd_cpu_total(); i++)
        if (other_reason[i][0] != '\0')
            kd_text_printf(section->text, "cpu %u panicked, too: %s\n", i, other_reason[i]);
    return 0;
}

static void print_others(struct section *section, const struct kd_cpu *first)
{
    unsigned others = 0;
    for (unsigned i = 0; i < kd_cpu_total(); i++)
        others += i != first->index && kd_cpu_online(i);
    size_t share = OTHERS_BYTES / (others > 0 ? others : 1);
    for (unsigned i = 0; i < kd_cpu_total(); i++) {
        if (i != first->index && kd_cpu_online(i)) {
            section->cpu = &kd.cpus[i];
            print_section(print_backtrace, section, share);
        }
    }
}

// Tells one panic from another in a log that has several.
static uint32_t panic_id(const struct kd_cpu *cpu)
{
    uint64_t ns = kd.kernel->clock_ns();
    uint32_t id = kd_crc32(0, &ns, sizeof(ns));
    return kd_crc32(kd_crc32(id, reason, sizeof(reason)), cpu->frame, sizeof(*cpu->frame));
}

static void write_capsule(struct kd_cpu *cpu, uint32_t id)
{
    const struct kd_panic_facts facts = {
        .cpu = cpu,
        .reason = reason,
        .trap = reason_trap,
        .signal = reason_trap != NULL ? reason_trap->signal : KD_SIGNAL_ABRT,
        .other_reason = other_reason,
    };
    kd_keep_seal(0);
    kd_keep_seal(kd_capsule_write(&facts, id));
}

void kd_panic_report(struct kd_cpu *cpu)
{
    char buffer[128];
    struct kd_text text;
    kd_text_init_sink(&text, buffer, sizeof(buffer), report_sink, NULL);
    if (kd.config.console != NULL)
        kd.config.console->claim(kd.config.console);
    kd_canaries_find();
    uint32_t id = panic_id(cpu);
    kd_keep_begin(id);
    struct section section = {.text = &text, .cpu = cpu};
    print_section(print_reason, &section, REASON_LINE);
    print_section(print_where, &section, WHERE_BYTES);
    print_section(print_also, &section, ALSO_BYTES);
    print_section(print_registers, &section, REGISTERS_BYTES);
    print_section(print_backtrace, &section, BACKTRACE_BYTES);
    print_others(&section, cpu);
    print_section(print_log, &section, LOG_BYTES);
    print_section(print_end, &section, END_BYTES);
    write_capsule(cpu, id);
}

// -- the end ----------------------------------------------------------------------------------

static _Noreturn void halt(void)
{
    for (;;)
        kd.kernel->cpu_park();
}

static int after(void *argument)
{
    (void)argument;
    static const enum kd_after how[] = {
        [KD_PANIC_DEBUG] = KD_AFTER_HALT,
        [KD_PANIC_HALT] = KD_AFTER_HALT,
        [KD_PANIC_REBOOT] = KD_AFTER_REBOOT,
        [KD_PANIC_POWEROFF] = KD_AFTER_POWEROFF,
    };
    kd_breakpoints_drop();
    kd.kernel->after(how[kd.config.panic_action]);
    return 0;
}

_Noreturn void kd_panic_end(void)
{
    kd_protect(after, NULL, NULL);
    static const char text[] = "halted\n";
    kd_gdb_print(text, sizeof(text) - 1);
    halt();
}

// A panic while this CPU is in the debugger or in the report.
static void panic_inside(struct kd_cpu *cpu, const struct kd_frame *frame, const char *format,
                         va_list arguments)
{
    if (cpu->rescue != NULL) {
        if (cpu->rescue_error != NULL) {
            kd_vsnprintf(cpu->rescue_error->text, sizeof(cpu->rescue_error->text), format,
                         arguments);
        }
        kd_jump_go(cpu->rescue, 1);
    }
    if (atomic_fetch_add(&panic_depth, 1) == 0) {
        char line[REASON_BYTES];
        int start = kd_snprintf(line, sizeof(line), "\nPANIC: inside the debugger: ");
        kd_vsnprintf(line + start, sizeof(line) - (size_t)start, format, arguments);
        kd_gdb_print(line, strlen(line));
        kd_snprintf(line, sizeof(line), " (cpu %u, pc 0x%016llx)\n", cpu->index,
                    (unsigned long long)kd_frame_pc(frame));
        kd_gdb_print(line, strlen(line));
        kd_panic_end();
    }
    halt();
}

// Waits for the CPU that reports to stop this one, and is never released again.
static _Noreturn void panic_second(struct kd_cpu *cpu, struct kd_frame *frame, const char *format,
                                   va_list arguments)
{
    kd_vsnprintf(other_reason[cpu->index], sizeof(other_reason[0]), format, arguments);
    for (;;)
        kd_enter(cpu, frame, NULL);
}

_Noreturn void kd_vpanic(struct kd_frame *frame, const struct kd_trap *trap, const char *format,
                         va_list arguments)
{
    struct kd_frame captured;
    if (frame == NULL) {
        kd_frame_capture(&captured);
        frame = &captured;
    }
    kd_interrupts_off();
    if (kd.kernel == NULL) {
        for (;;) {
        }
    }
    struct kd_cpu *cpu = kd_this_cpu();
    if (cpu->inside)
        panic_inside(cpu, frame, format, arguments);
    int nobody = KD_NOBODY;
    if (!atomic_compare_exchange_strong(&panic_cpu, &nobody, (int)cpu->index))
        panic_second(cpu, frame, format, arguments);
    kd_vsnprintf(reason, sizeof(reason), format, arguments);
    reason_trap = trap;
    struct kd_event event = {
        .kind = KD_EVENT_PANIC,
        .stop = {.kind = GDB_STOP_SIGNAL, .signal = trap != NULL ? trap->signal : KD_SIGNAL_ABRT},
    };
    kd_enter(cpu, frame, &event);
    kd_panic_end();
}

_Noreturn void kd_panic(struct kd_frame *frame, const struct kd_trap *trap, const char *format, ...)
{
    struct kd_frame captured;
    if (frame == NULL) {
        kd_frame_capture(&captured);
        frame = &captured;
    }
    va_list arguments;
    va_start(arguments, format);
    kd_vpanic(frame, trap, format, arguments);
}
