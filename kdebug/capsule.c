// SPDX-License-Identifier: MIT
// The panic capsule: what a debugger needs of the dead machine, collected behind the report and
// printed as it is collected (kdebug/format/capsule.h is the layout, docs/formats-capsule.md the
// overview). Called by panic.c while the other CPUs stand still; takes no lock, allocates nothing.
//
// What matters most comes first, since a console may be cut off: the essentials, the stack of the
// panic, the log, the stacks of the other CPUs, threads, and then what all those point to. Each
// stage is protected: a fault ends it, and the record it was about leaves no trace.
#include "kdebug/capsule.h"

#include <string.h>

#define LOG_LINES      64
#define TEXT_BYTES_MAX 8192 // of one text

struct kd_capsule kd_capsule;

void kd_capsule_string(char *to, size_t size, const char *from)
{
    for (size_t i = 0; i < size && from != NULL && from[i] != '\0'; i++)
        to[i] = from[i];
}

// -- the machine ------------------------------------------------------------------------------

static int write_machine(void *argument)
{
    (void)argument;
    const struct kd_panic_facts *facts = kd_capsule.facts;
    const struct kd_image *image = &kd.kernel->image;
    struct kd_capsule_machine *machine =
        kd_capsule_reserve(&kd_capsule.writer, KD_CAPSULE_MACHINE, sizeof(*machine));
    kd_capsule_string(machine->architecture, sizeof(machine->architecture),
                      kd_machine.gdb->architecture);
    kd_capsule_string(machine->kernel_name, sizeof(machine->kernel_name), kd.kernel->name);
    kd_capsule_string(machine->kernel_version, sizeof(machine->kernel_version), kd.kernel->version);
    if (image->build_id != NULL && image->build_id_bytes <= sizeof(machine->build_id)) {
        memcpy(machine->build_id, image->build_id, image->build_id_bytes);
        machine->build_id_bytes = (uint8_t)image->build_id_bytes;
    }
    machine->pointer_bytes = kd_machine.gdb->pointer_bytes;
    machine->signal = facts->signal;
    machine->page_bytes = image->page_bytes;
    machine->load_offset = image->load_offset;
    machine->image_start = image->start;
    machine->image_end = image->end;
    machine->cpu_count = kd_cpu_total();
    machine->cpu = facts->cpu->index;
    machine->thread = kd_thread_on(facts->cpu->index);
    machine->uptime_ns = kd.kernel->clock_ns();
    machine->budget_bytes = kd.config.capsule_bytes;
    if (facts->trap != NULL) {
        machine->trap_flags =
            (uint8_t)(KD_CAPSULE_TRAP | (facts->trap->has_address ? KD_CAPSULE_TRAP_ADDRESS : 0));
        machine->trap_code = facts->trap->code;
        machine->trap_address = facts->trap->has_address ? facts->trap->fault_address : 0;
        kd_capsule_string(machine->trap_name, sizeof(machine->trap_name), facts->trap->name);
    }
    kd_capsule_string(machine->reason, sizeof(machine->reason), facts->reason);
    kd_capsule_commit(&kd_capsule.writer, sizeof(*machine));
    return 0;
}

// Elf64_Nhdr and its fields: words, name and description each padded to a multiple of 4.
#define NOTE_GNU_BUILD_ID 3
size_t kd_build_id(const void *notes, size_t bytes, const uint8_t **id)
{
    const uint8_t *at = notes;
    struct note {
        uint32_t name_bytes, data_bytes, type;
    } note;
    while (bytes >= sizeof(note)) {
        memcpy(&note, at, sizeof(note));
        uint64_t name = ((uint64_t)note.name_bytes + 3) & ~UINT64_C(3);
        uint64_t data = ((uint64_t)note.data_bytes + 3) & ~UINT64_C(3);
        if (name + data > bytes - sizeof(note))
            return 0;
        at += sizeof(note);
        if (note.type == NOTE_GNU_BUILD_ID && note.name_bytes == 4 && memcmp(at, "GNU", 4) == 0) {
            *id = at + name;
            return note.data_bytes;
        }
        at += name + data;
        bytes -= sizeof(note) + name + data;
    }
    return 0;
}

// -- CPUs -------------------------------------------------------------------------------------

static int write_cpu(void *argument)
{
    const struct kd_cpu *cpu = argument;
    bool stopped = kd_cpu_stopped(cpu);
    struct kd_capsule_cpu *record =
        kd_capsule_reserve(&kd_capsule.writer, KD_CAPSULE_CPU, sizeof(*record));
    record->index = cpu->index;
    record->thread = kd_thread_on(cpu->index);
    record->flags = stopped ? KD_CAPSULE_CPU_STOPPED : 0;
    if (cpu == kd_capsule.facts->cpu)
        record->flags |= KD_CAPSULE_CPU_PANICKED;
    const char *other = kd_capsule.facts->other_reason[cpu->index];
    if (other[0] != '\0') {
        record->flags |= KD_CAPSULE_CPU_ALSO_PANICKED;
        kd_capsule_string(record->reason, sizeof(record->reason), other);
    }
    if (stopped && kd.kernel->interrupts_on != NULL) {
        record->flags |= KD_CAPSULE_CPU_INTERRUPTS_KNOWN;
        record->flags |= kd.kernel->interrupts_on(cpu->frame) ? KD_CAPSULE_CPU_INTERRUPTS_ON : 0;
    }
    kd_capsule_commit(&kd_capsule.writer, sizeof(*record));
    if (stopped)
        kd_capsule_registers(kd_thread_on(cpu->index), cpu->index, cpu->frame, UINT64_MAX);
    return 0;
}

static void write_essentials(void)
{
    kd_capsule_flush(&kd_capsule.writer);
    kd_protect(write_machine, NULL, NULL);
    kd_protect(kd_capsule_register_set, NULL, NULL);
    for (unsigned i = 0; i < kd_cpu_total(); i++)
        if (kd_cpu_online(i))
            kd_protect(write_cpu, &kd.cpus[i], NULL);
}

// -- memory --------------------------------------------------------------------------------------

static int write_ranges(void *argument)
{
    (void)argument;
    const struct kd_range *range = kd.kernel->capsule_ranges;
    for (; range != NULL && range->end > range->start; range++)
        kd_capsule_take(range->start, range->end - range->start, KD_CAPSULE_MEMORY_KERNEL);
    return 0;
}

static void for_stopped_cpus(int (*stage)(void *argument))
{
    for (unsigned i = 0; i < kd_cpu_total(); i++) {
        struct kd_cpu *cpu = &kd.cpus[i];
        if (cpu != kd_capsule.facts->cpu && kd_cpu_online(i) && kd_cpu_stopped(cpu))
            kd_protect(stage, cpu, NULL);
    }
}

// -- texts ------------------------------------------------------------------------------------

struct text_stage {
    const char *name;
    uint32_t offset;
};

static void text_sink(struct kd_text *text, const char *characters, size_t length)
{
    struct text_stage *stage = text->context;
    if (stage->offset + length > TEXT_BYTES_MAX)
        return;
    struct kd_capsule_text *record =
        kd_capsule_reserve(&kd_capsule.writer, KD_CAPSULE_TEXT, sizeof(*record) + length);
    kd_capsule_string(record->name, sizeof(record->name), stage->name);
    record->offset = stage->offset;
    memcpy(record->text, characters, length);
    kd_capsule_commit(&kd_capsule.writer, sizeof(*record) + length);
    stage->offset += (uint32_t)length;
}

// The command of that name, or the log.
static int write_text(void *argument)
{
    struct text_stage *stage = argument;
    char buffer[KD_CAPSULE_TEXT_PART];
    struct kd_text text;
    kd_text_init_sink(&text, buffer, sizeof(buffer), text_sink, stage);
    if (strcmp(stage->name, "log") == 0)
        kd.kernel->log_tail(&text, LOG_LINES);
    else
        kd.kernel->command(&text, stage->name);
    kd_text_flush(&text);
    return 0;
}

static void write_texts(void)
{
    struct text_stage stage = {.name = "log"};
    kd_protect(write_text, &stage, NULL);
    for (unsigned i = 0;
         kd.kernel->capsule_commands != NULL && kd.kernel->capsule_commands[i] != NULL; i++) {
        stage = (struct text_stage){.name = kd.kernel->capsule_commands[i]};
        kd_protect(write_text, &stage, NULL);
    }
}

// -- the whole --------------------------------------------------------------------------------

static void print_line(struct kd_capsule_lines *lines, const char *text, size_t length)
{
    (void)lines;
    kd_gdb_print_plain(text, length);
}

static void finish_block(struct kd_capsule_writer *writer, const uint8_t *bytes, size_t length)
{
    (void)writer;
    kd_capsule_lines_block(&kd_capsule.lines, bytes, length);
    kd_keep_block(bytes, length);
}

static int write_rest(void *argument)
{
    (void)argument;
    kd_capsule_take_rest(KD_CAPSULE_POINTED_BYTES / 2);
    return 0;
}

static void write_summary(void)
{
    struct kd_capsule_summary *record =
        kd_capsule_reserve(&kd_capsule.writer, KD_CAPSULE_SUMMARY, sizeof(*record));
    *record = kd_capsule.summary;
    record->blocks = kd_capsule.writer.blocks + 1;
    record->memory_bytes = kd_capsule_memory_bytes();
    record->raw_bytes = kd_capsule.writer.raw_bytes;
    record->packed_bytes = kd_capsule.writer.packed_bytes;
    kd_capsule_commit(&kd_capsule.writer, sizeof(*record));
    kd_capsule_flush(&kd_capsule.writer);
}

uint32_t kd_capsule_write(const struct kd_panic_facts *facts, uint32_t id)
{
    if (kd.config.capsule_bytes == 0)
        return 0;
    kd_capsule.facts = facts;
    kd_capsule.summary = (struct kd_capsule_summary){0};
    kd_capsule.lines = (struct kd_capsule_lines){.write = print_line, .id = id};
    kd_capsule_init(&kd_capsule.writer, id);
    kd_capsule.writer.block = finish_block;
    kd_capsule_memory_init(&kd_capsule.writer, kd.config.capsule_bytes);

    kd_capsule_lines_begin(&kd_capsule.lines);
    write_essentials();
    kd_capsule_flush(&kd_capsule.writer);
    kd_protect(kd_capsule_cpu_stack, facts->cpu, NULL);
    write_texts();
    for_stopped_cpus(kd_capsule_cpu_stack);
    kd_protect(write_ranges, NULL, NULL);
    kd_protect(kd_capsule_threads, NULL, NULL);
    kd_protect(kd_capsule_cpu_pointed, facts->cpu, NULL);
    for_stopped_cpus(kd_capsule_cpu_pointed);
    kd_protect(write_rest, NULL, NULL);
    write_essentials();
    write_summary();
    kd_capsule_lines_end(&kd_capsule.lines);
    return kd_capsule.lines.count;
}
