// SPDX-License-Identifier: MIT
// The panic report: text a person can read without tools, by polled output, once. Called when the
// kernel cannot go on, in any context, on any stack that has 1 KiB left.
//
// A panic is an event like a breakpoint, so the other CPUs stop and their frames can be shown.
// Each section of the report is protected: a fault in one is told in a line and the next follows.
// What goes wrong all the same ends in ever smaller reports: a second panic on the CPU that
// reports prints one line, a third one nothing.
#include "kdebug/core.h"

#include <string.h>

#define SIGNAL_ABRT  6
#define LOG_LINES    20
#define FRAMES_MAX   32
#define REASON_BYTES 256

static _Atomic(int) panic_cpu = KD_NOBODY;
static _Atomic(unsigned) panic_depth;
static char reason[REASON_BYTES];
static const struct kd_trap *reason_trap;
// What another CPU said that panicked, too.
static char other_reason[KD_CPU_MAX][96];

static void report_sink(struct kd_text *text, const char *characters, size_t length)
{
    (void)text;
    kd_gdb_print(characters, length);
}

// -- sections of the report -------------------------------------------------------------------

struct section {
    struct kd_text *text;
    struct kd_cpu *cpu;
};

static void print_thread(struct kd_text *text, const struct kd_cpu *cpu, struct kd_thread *thread)
{
    int64_t id = kd_thread_on(cpu->index);
    if (!kd_thread_find(id, thread)) {
        *thread = (struct kd_thread){.id = id};
    }
    kd_text_printf(text, "cpu %u thread %lld (%s)", cpu->index, (long long)id, thread->name);
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
    for (unsigned i = 0; i < count; i++) {
        kd_text_printf(section->text, "  #%u 0x%016llx ", i, (unsigned long long)addresses[i]);
        // A return address may be the first byte of the next function: the call is before it.
        struct kd_symbol symbol;
        if (kd.kernel->symbol(addresses[i] - (i > 0), &symbol)) {
            kd_text_printf(section->text, "%s+0x%llx/0x%llx", symbol.name,
                           (unsigned long long)(addresses[i] - symbol.start),
                           (unsigned long long)symbol.size);
        } else {
            kd_text_char(section->text, '?');
        }
        kd_text_char(section->text, '\n');
    }
    return 0;
}

static int print_log(void *argument)
{
    const struct section *section = argument;
    kd_text_printf(section->text, "last log lines:\n");
    kd.kernel->log_tail(section->text, LOG_LINES);
    return 0;
}

static void print_section(int (*print)(void *argument), struct section *section)
{
    struct gdb_error error = {.text = ""};
    if (kd_protect(print, section, &error) != 0) {
        kd_text_printf(section->text, "\n(%s)\n", error.text);
    }
    kd_text_flush(section->text);
}

void kd_panic_report(struct kd_cpu *cpu)
{
    char buffer[128];
    struct kd_text text;
    kd_text_init_sink(&text, buffer, sizeof(buffer), report_sink, NULL);
    if (kd.config.console != NULL) {
        kd.config.console->claim(kd.config.console);
    }
    struct section section = {.text = &text, .cpu = cpu};
    kd_text_printf(&text, "\nPANIC: %s\n", reason);
    print_section(print_where, &section);
    for (unsigned i = 0; i < kd_cpu_total(); i++) {
        if (other_reason[i][0] != '\0') {
            kd_text_printf(&text, "cpu %u panicked, too: %s\n", i, other_reason[i]);
        }
    }
    print_section(print_registers, &section);
    print_section(print_backtrace, &section);
    for (unsigned i = 0; i < kd_cpu_total(); i++) {
        if (i != cpu->index && kd_cpu_online(i)) {
            section.cpu = &kd.cpus[i];
            print_section(print_backtrace, &section);
        }
    }
    print_section(print_log, &section);
    kd_text_printf(&text, "end of panic report\n");
    kd_text_flush(&text);
}

// -- the end ----------------------------------------------------------------------------------

static _Noreturn void halt(void)
{
    for (;;) {
        kd.kernel->cpu_park();
    }
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
static void panic_inside(struct kd_cpu *cpu, const char *format, va_list arguments)
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
        kd_gdb_print("\n", 1);
        kd_panic_end();
    }
    halt();
}

// Waits for the CPU that reports to stop this one, and is never released again.
static _Noreturn void panic_second(struct kd_cpu *cpu, struct kd_frame *frame, const char *format,
                                   va_list arguments)
{
    kd_vsnprintf(other_reason[cpu->index], sizeof(other_reason[0]), format, arguments);
    for (;;) {
        kd_enter(cpu, frame, NULL);
    }
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
    if (cpu->inside) {
        panic_inside(cpu, format, arguments);
    }
    int nobody = KD_NOBODY;
    if (!atomic_compare_exchange_strong(&panic_cpu, &nobody, (int)cpu->index)) {
        panic_second(cpu, frame, format, arguments);
    }
    kd_vsnprintf(reason, sizeof(reason), format, arguments);
    reason_trap = trap;
    struct kd_event event = {
        .kind = KD_EVENT_PANIC,
        .stop = {.kind = GDB_STOP_SIGNAL, .signal = trap != NULL ? trap->signal : SIGNAL_ABRT},
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
