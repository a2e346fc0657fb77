// SPDX-License-Identifier: MIT
// See session.h. The operations of struct gdbstub_target over a dead machine. The register table of
// the capsule becomes the machine's, so that there is none of our own that could differ from it.
#include "symbolizer/session.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gdbstub/gdbstub.h"
#include "gdbstub/stub.h"

struct sym_session {
    const struct sym_dead *dead;
    sym_session_send_fn *send;
    void *send_context;
    enum sym_session_state state;
    struct gdb_machine machine;
    struct gdb_register registers[KD_CAPSULE_ROWS_MAX];
    struct gdbstub stub;
};

// -- the machine ----------------------------------------------------------------------------------

static void fill_register(struct gdb_register *to, const struct kd_capsule_register_row *row)
{
    *to = (struct gdb_register){
        .name = row->name,
        .feature = row->feature[0] ? row->feature : "org.fathom.registers",
        .type = row->type[0] ? row->type : NULL,
        .bits = row->bits,
        .dwarf = row->dwarf,
        .location = row->offset == KD_CAPSULE_NO_VALUE ? GDB_REGISTER_ABSENT : row->offset,
        .group = row->group,
        .read_only = row->read_only != 0,
    };
}

static struct error *fill_machine(struct sym_session *session)
{
    const struct sym_capsule *capsule = session->dead->capsule;
    const struct kd_capsule_register_set *set = &capsule->register_set;
    if (capsule->row_count == 0)
        return error_make(EXIT_FAILED,
                          "the capsule has lost its register table, both copies of it: "
                          "gdb cannot be told what machine this is");
    bool whole_types = capsule->register_types || set->types_bytes == 0;
    for (size_t i = 0; i < capsule->row_count; i++) {
        fill_register(&session->registers[i], &capsule->rows[i]);
        if (!whole_types) // its name may be one of those that are lost
            session->registers[i].type = NULL;
    }
    session->machine = (struct gdb_machine){
        .architecture = capsule->machine.architecture,
        .osabi = set->osabi[0] ? set->osabi : NULL,
        .extra_types = capsule->register_types,
        .extra_types_feature = set->types_feature[0] ? set->types_feature : NULL,
        .registers = session->registers,
        .register_count = (uint16_t)capsule->row_count,
        .general_count = set->general,
        .pc = set->pc,
        .sp = set->sp,
        .fp = set->fp,
        .link = set->link,
        .pointer_bytes = capsule->machine.pointer_bytes,
    };
    memcpy(session->machine.breakpoint_kinds, set->breakpoint_kinds, sizeof(set->breakpoint_kinds));
    return NULL;
}

// -- threads and registers ------------------------------------------------------------------------

static void do_send(void *context, const uint8_t *bytes, size_t length)
{
    struct sym_session *session = context;
    session->send(session->send_context, bytes, length);
}

static int do_thread_next(void *context, gdb_thread_t *thread)
{
    const struct sym_session *session = context;
    const struct sym_capsule *capsule = session->dead->capsule;
    const struct sym_capsule_thread *now = sym_capsule_thread_find(capsule, *thread);
    size_t next = *thread == 0 ? 0 : now ? (size_t)(now - capsule->threads) + 1 : SIZE_MAX;
    *thread = next < capsule->thread_count ? capsule->threads[next].id : 0;
    return 0;
}

static bool do_thread_alive(void *context, gdb_thread_t thread)
{
    const struct sym_session *session = context;
    return sym_capsule_thread_find(session->dead->capsule, thread);
}

static int do_thread_describe(void *context, gdb_thread_t id, char *name, size_t name_size,
                              char *description, size_t description_size)
{
    const struct sym_session *session = context;
    const struct sym_capsule_thread *thread = sym_capsule_thread_find(session->dead->capsule, id);
    if (!thread)
        return -ENOENT;
    const struct kd_capsule_cpu *cpu = thread->running_on;
    const char *wait = thread->record.wait;
    snprintf(name, name_size, "%s", thread->record.name);
    if (cpu && cpu->flags & KD_CAPSULE_CPU_PANICKED)
        snprintf(description, description_size, "CPU %u, panicked", cpu->index);
    else if (cpu && cpu->flags & KD_CAPSULE_CPU_ALSO_PANICKED)
        snprintf(description, description_size, "CPU %u, panicked too", cpu->index);
    else if (cpu && !(cpu->flags & KD_CAPSULE_CPU_STOPPED))
        snprintf(description, description_size, "CPU %u, did not stop", cpu->index);
    else if (cpu)
        snprintf(description, description_size, "CPU %u", cpu->index);
    else
        snprintf(description, description_size, "%s%s%s%s",
                 sym_capsule_thread_state_name(thread->record.state), wait[0] ? ": " : "", wait,
                 thread->registers ? "" : ", no registers");
    return 0;
}

static int do_register_read(void *context, gdb_thread_t id, unsigned row, void *value,
                            struct gdb_error *error)
{
    const struct sym_session *session = context;
    const struct sym_capsule_thread *thread = sym_capsule_thread_find(session->dead->capsule, id);
    (void)error;
    if (!thread)
        return -ENOENT;
    const uint8_t *bytes = sym_capsule_register(session->dead->capsule, thread, row);
    if (!bytes)
        return -ENODATA;
    memcpy(value, bytes, session->registers[row].bits / 8);
    return 0;
}

// -- memory ---------------------------------------------------------------------------------------

static int do_memory_read(void *context, gdb_thread_t thread, uint64_t address, void *to,
                          size_t *length, struct gdb_error *error)
{
    const struct sym_session *session = context;
    (void)thread;
    size_t done = sym_dead_read(session->dead, address, to, *length);
    if (done > 0) {
        *length = done;
        return 0;
    }
    const struct kd_capsule_withheld *withheld =
        sym_capsule_withheld_at(session->dead->capsule, address);
    if (withheld && withheld->reason == KD_CAPSULE_WITHHELD_SECRET)
        snprintf(error->text, sizeof(error->text),
                 "0x%llx is marked secret: the kernel kept it out of the capsule",
                 (unsigned long long)address);
    else
        snprintf(error->text, sizeof(error->text), "0x%llx is not in the capsule",
                 (unsigned long long)address);
    return -EFAULT;
}

// -- what a dead machine does not do --------------------------------------------------------------

static int refuse(struct gdb_error *error)
{
    snprintf(error->text, sizeof(error->text),
             "this is the capsule of a machine that has panicked: it can only be read");
    return -EROFS;
}

static int do_register_write(void *context, gdb_thread_t thread, unsigned row, const void *value,
                             struct gdb_error *error)
{
    (void)context, (void)thread, (void)row, (void)value;
    return refuse(error);
}

static int do_memory_write(void *context, gdb_thread_t thread, uint64_t address, const void *from,
                           size_t length, struct gdb_error *error)
{
    (void)context, (void)thread, (void)address, (void)from, (void)length;
    return refuse(error);
}

static int do_breakpoint(void *context, enum gdb_breakpoint_type type, uint64_t address,
                         unsigned kind, struct gdb_error *error)
{
    (void)context, (void)type, (void)address, (void)kind;
    return refuse(error);
}

static int do_resume(void *context, const struct gdb_resume *request, struct gdb_error *error)
{
    (void)context, (void)request;
    return refuse(error);
}

static void do_detach(void *context)
{
    struct sym_session *session = context;
    session->state = SYM_SESSION_DETACHED;
}

static void do_kill(void *context)
{
    struct sym_session *session = context;
    session->state = SYM_SESSION_KILLED;
}

// -- monitor --------------------------------------------------------------------------------------

static void say(struct gdb_output *output, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(struct gdb_output *output, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (length > 0)
        output->write(output, text,
                      (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1);
}

static void monitor_reason(const struct sym_session *session, struct gdb_output *output)
{
    const struct sym_capsule *capsule = session->dead->capsule;
    const struct kd_capsule_machine *machine = &capsule->machine;
    say(output, "PANIC: %s\n", machine->reason);
    say(output, "%s %s, CPU %u of %u, thread %lld, %llu.%06llu s after the start\n",
        machine->kernel_name, machine->kernel_version, machine->cpu, machine->cpu_count,
        (long long)machine->thread, (unsigned long long)machine->uptime_ns / 1000000000,
        (unsigned long long)machine->uptime_ns / 1000 % 1000000);
    if (machine->trap_flags & KD_CAPSULE_TRAP)
        say(output, "exception: %s, code 0x%llx\n", machine->trap_name,
            (unsigned long long)machine->trap_code);
    if (machine->trap_flags & KD_CAPSULE_TRAP_ADDRESS)
        say(output, "address: 0x%llx\n", (unsigned long long)machine->trap_address);
    for (size_t i = 0; i < capsule->cpu_count; i++)
        if (capsule->cpus[i].flags & KD_CAPSULE_CPU_ALSO_PANICKED)
            say(output, "CPU %u panicked too: %s\n", capsule->cpus[i].index,
                capsule->cpus[i].reason);
}

static void monitor_cpus(const struct sym_session *session, struct gdb_output *output)
{
    const struct sym_capsule *capsule = session->dead->capsule;
    for (size_t i = 0; i < capsule->cpu_count; i++) {
        const struct kd_capsule_cpu *cpu = &capsule->cpus[i];
        const char *interrupts = !(cpu->flags & KD_CAPSULE_CPU_INTERRUPTS_KNOWN) ? "not known"
                                 : cpu->flags & KD_CAPSULE_CPU_INTERRUPTS_ON     ? "on"
                                                                                 : "off";
        say(output, "CPU %u: thread %lld, interrupts %s%s%s%s\n", cpu->index,
            (long long)cpu->thread, interrupts,
            cpu->flags & KD_CAPSULE_CPU_STOPPED ? "" : ", did not stop", cpu->reason[0] ? ": " : "",
            cpu->reason);
    }
}

static void monitor_memory(const struct sym_session *session, struct gdb_output *output)
{
    static const char *const kinds[] = {"", "stack", "pointed to", "of threads and CPUs"};
    const struct sym_capsule *capsule = session->dead->capsule;
    for (size_t i = 0; i < capsule->memory_count; i++) {
        const struct sym_capsule_memory *range = &capsule->memory[i];
        unsigned kind = range->kind;
        say(output, "0x%016llx %6llu bytes  %s\n", (unsigned long long)range->address,
            (unsigned long long)range->bytes,
            kind < sizeof(kinds) / sizeof(*kinds) ? kinds[kind] : "");
    }
    for (size_t i = 0; i < capsule->withheld_count; i++)
        say(output, "0x%016llx %6llu bytes  kept out: %s\n",
            (unsigned long long)capsule->withheld[i].address,
            (unsigned long long)capsule->withheld[i].bytes,
            capsule->withheld[i].reason == KD_CAPSULE_WITHHELD_CANARY ? "a stack canary"
                                                                      : "secret");
}

static void monitor_lost(const struct sym_session *session, struct gdb_output *output)
{
    const struct sym_capsule_losses *losses = &session->dead->capsules.losses;
    const struct kd_capsule_summary *summary = &session->dead->capsule->summary;
    for (size_t i = 0; i < losses->count; i++)
        if (losses->at[i].line)
            say(output, "line %zu: %s\n", losses->at[i].line, losses->at[i].text);
        else
            say(output, "%s\n", losses->at[i].text);
    if (losses->untold)
        say(output, "and %zu more\n", losses->untold);
    if (summary->threads_left_out || summary->stacks_left_out)
        say(output, "left out by the kernel for lack of room: %u threads, the stacks of %u more\n",
            summary->threads_left_out, summary->stacks_left_out);
    if (session->dead->capsule->whole)
        say(output, "the capsule is whole\n");
}

static void monitor_help(const struct sym_session *session, struct gdb_output *output);

static const struct {
    const char *name;
    void (*run)(const struct sym_session *session, struct gdb_output *output);
    const char *help;
} monitor_rows[] = {
    {"reason", monitor_reason, "why it panicked, when and where"},
    {"cpus", monitor_cpus, "what the CPUs did"},
    {"memory", monitor_memory, "what memory the capsule has, and what was kept out"},
    {"lost", monitor_lost, "what of the capsule is lost"},
    {"help", monitor_help, "this list"},
};

#define MONITOR_COUNT (sizeof(monitor_rows) / sizeof(*monitor_rows))

static void monitor_help(const struct sym_session *session, struct gdb_output *output)
{
    const struct sym_capsule *capsule = session->dead->capsule;
    for (size_t i = 0; i < MONITOR_COUNT; i++)
        say(output, "%-10s %s\n", monitor_rows[i].name, monitor_rows[i].help);
    for (size_t i = 0; i < capsule->text_count; i++)
        say(output, "%-10s as the kernel wrote it into the capsule\n", capsule->texts[i].name);
}

static int do_monitor(void *context, const char *line, struct gdb_output *output)
{
    const struct sym_session *session = context;
    char word[32] = "";
    sscanf(line, "%31s", word);
    if (!strcmp(word, "dmesg"))
        snprintf(word, sizeof(word), "log");
    for (size_t i = 0; i < MONITOR_COUNT; i++) {
        if (!strcmp(monitor_rows[i].name, word)) {
            monitor_rows[i].run(session, output);
            return 0;
        }
    }
    const struct sym_capsule_text *text = sym_capsule_text_find(session->dead->capsule, word);
    if (!text) {
        say(output, "a dead machine knows no command '%s'; it has:\n", word);
        monitor_help(session, output);
        return 0;
    }
    output->write(output, text->text, text->bytes);
    if (text->bytes > 0 && text->text[text->bytes - 1] != '\n')
        say(output, "\n");
    return 0;
}

// -- the conversation -----------------------------------------------------------------------------

static const struct gdbstub_target target = {
    .send = do_send,
    .thread_next = do_thread_next,
    .thread_alive = do_thread_alive,
    .thread_describe = do_thread_describe,
    .register_read = do_register_read,
    .register_write = do_register_write,
    .memory_read = do_memory_read,
    .memory_write = do_memory_write,
    .breakpoint_set = do_breakpoint,
    .breakpoint_clear = do_breakpoint,
    .resume = do_resume,
    .detach = do_detach,
    .kill = do_kill,
    .monitor = do_monitor,
};

void sym_session_restart(struct sym_session *session)
{
    const struct sym_capsule *capsule = session->dead->capsule;
    const struct kd_capsule_machine *machine = &capsule->machine;
    gdb_thread_t thread = machine->thread;
    if (!sym_capsule_thread_find(capsule, thread) && capsule->thread_count > 0)
        thread = capsule->threads[0].id;
    gdb_init(&session->stub, &target, &session->machine, session);
    gdb_report_stop(
        &session->stub,
        &(struct gdb_stop){.kind = GDB_STOP_SIGNAL, .signal = machine->signal, .thread = thread});
    session->state = SYM_SESSION_OPEN;
}

struct error *sym_session_open(const struct sym_dead *dead, sym_session_send_fn *send,
                               void *context, struct sym_session **out)
{
    struct sym_session *session = calloc(1, sizeof(*session));
    if (!session)
        return error_errno("a session with gdb");
    session->dead = dead;
    session->send = send;
    session->send_context = context;
    struct error *error = fill_machine(session);
    if (!error && dead->capsule->thread_count == 0)
        error = error_make(EXIT_FAILED, "the capsule has lost all of its threads and CPUs");
    if (error) {
        sym_session_close(session);
        return error;
    }
    sym_session_restart(session);
    *out = session;
    return NULL;
}

void sym_session_close(struct sym_session *session)
{
    free(session);
}

void sym_session_receive(struct sym_session *session, const uint8_t *bytes, size_t length)
{
    if (session->state == SYM_SESSION_OPEN)
        gdb_receive(&session->stub, bytes, length);
}

enum sym_session_state sym_session_state(const struct sym_session *session)
{
    return session->state;
}
