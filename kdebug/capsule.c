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
#define TEXT_BYTES_MAX 8192  // of one text
#define TEXT_PART      1024  // in one record
#define THREADS_MAX    512   // with a record
#define POINTED_BYTES  256   // taken of what a register or a word of the panic's stack points to
#define STACK_SKEW_MAX 65536 // sp this far below a stack has overflowed it

static struct {
    struct kd_capsule_writer writer;
    struct kd_capsule_lines lines;
    const struct kd_panic_facts *facts;
    struct kd_capsule_summary summary;
} capsule;

static void copy_string(char *to, size_t size, const char *from)
{
    for (size_t i = 0; i < size && from != NULL && from[i] != '\0'; i++)
        to[i] = from[i];
}

// -- the machine ------------------------------------------------------------------------------

static int write_machine(void *argument)
{
    (void)argument;
    const struct kd_panic_facts *facts = capsule.facts;
    const struct kd_image *image = &kd.kernel->image;
    struct kd_capsule_machine *machine =
        kd_capsule_reserve(&capsule.writer, KD_CAPSULE_MACHINE, sizeof(*machine));
    copy_string(machine->architecture, sizeof(machine->architecture), kd_machine.gdb->architecture);
    copy_string(machine->kernel_name, sizeof(machine->kernel_name), kd.kernel->name);
    copy_string(machine->kernel_version, sizeof(machine->kernel_version), kd.kernel->version);
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
        copy_string(machine->trap_name, sizeof(machine->trap_name), facts->trap->name);
    }
    copy_string(machine->reason, sizeof(machine->reason), facts->reason);
    kd_capsule_commit(&capsule.writer, sizeof(*machine));
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

// -- registers --------------------------------------------------------------------------------

static unsigned row_count(void)
{
    unsigned count = kd_machine.gdb->register_count;
    return count < KD_CAPSULE_ROWS_MAX ? count : KD_CAPSULE_ROWS_MAX;
}

static bool row_has_value(const struct gdb_register *row)
{
    return row->location != GDB_REGISTER_ABSENT;
}

static size_t value_bytes(void)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < row_count(); i++) {
        const struct gdb_register *row = &kd_machine.gdb->registers[i];
        bytes += row_has_value(row) ? row->bits / 8U : 0;
    }
    return bytes;
}

static size_t types_bytes(void)
{
    return kd_machine.gdb->extra_types != NULL ? strlen(kd_machine.gdb->extra_types) : 0;
}

static void write_rows(void)
{
    const struct gdb_machine *gdb = kd_machine.gdb;
    size_t offset = 0;
    for (unsigned i = 0; i < row_count();) {
        struct kd_capsule_register_row *rows;
        size_t fit = kd_capsule_room(&capsule.writer) / sizeof(*rows);
        if (fit == 0) {
            kd_capsule_flush(&capsule.writer);
            continue;
        }
        unsigned count = fit < row_count() - i ? (unsigned)fit : row_count() - i;
        rows = kd_capsule_reserve(&capsule.writer, KD_CAPSULE_REGISTER_ROWS, count * sizeof(*rows));
        for (unsigned n = 0; n < count; n++, i++) {
            const struct gdb_register *row = &gdb->registers[i];
            rows[n].number = (uint16_t)i;
            rows[n].bits = row->bits;
            rows[n].offset = row_has_value(row) ? (uint16_t)offset : KD_CAPSULE_NO_VALUE;
            rows[n].dwarf = row->dwarf;
            rows[n].group = row->group;
            rows[n].read_only = row->read_only;
            copy_string(rows[n].name, sizeof(rows[n].name), row->name);
            copy_string(rows[n].feature, sizeof(rows[n].feature), row->feature);
            copy_string(rows[n].type, sizeof(rows[n].type), row->type);
            offset += row_has_value(row) ? row->bits / 8U : 0;
        }
        kd_capsule_commit(&capsule.writer, count * sizeof(*rows));
    }
}

static void write_types(void)
{
    size_t total = types_bytes();
    for (size_t done = 0; done < total;) {
        struct kd_capsule_register_types *types;
        size_t part = total - done < TEXT_PART ? total - done : TEXT_PART;
        types =
            kd_capsule_reserve(&capsule.writer, KD_CAPSULE_REGISTER_TYPES, sizeof(*types) + part);
        types->offset = (uint32_t)done;
        memcpy(types->text, kd_machine.gdb->extra_types + done, part);
        kd_capsule_commit(&capsule.writer, sizeof(*types) + part);
        done += part;
    }
}

static int write_register_set(void *argument)
{
    (void)argument;
    const struct gdb_machine *gdb = kd_machine.gdb;
    struct kd_capsule_register_set *set =
        kd_capsule_reserve(&capsule.writer, KD_CAPSULE_REGISTER_SET, sizeof(*set));
    set->count = (uint16_t)row_count();
    set->general = gdb->general_count;
    set->pc = gdb->pc;
    set->sp = gdb->sp;
    set->fp = gdb->fp;
    set->link = gdb->link;
    set->value_bytes = (uint16_t)value_bytes();
    set->types_bytes = (uint16_t)types_bytes();
    copy_string(set->osabi, sizeof(set->osabi), gdb->osabi);
    copy_string(set->types_feature, sizeof(set->types_feature), gdb->extra_types_feature);
    memcpy(set->breakpoint_kinds, gdb->breakpoint_kinds, sizeof(set->breakpoint_kinds));
    kd_capsule_commit(&capsule.writer, sizeof(*set));
    write_rows();
    write_types();
    return 0;
}

// The values of a thread's registers on their way into a record.
struct values {
    const struct kd_frame *frame;
    uint64_t valid; // rows of the frame that are known
    struct kd_capsule_registers *record;
};

static void put_value(struct kd_capsule_registers *record, unsigned row, size_t offset,
                      const void *value, size_t bytes)
{
    uint64_t word = 0;
    memcpy(&word, value, bytes < sizeof(word) ? bytes : sizeof(word));
    // A function's prologue has the canary in a register for a moment.
    if (word != 0 && kd_capsule_is_canary(word))
        return;
    memcpy(record->values + offset, value, bytes);
    record->known[row / 8] |= (uint8_t)(1 << row % 8);
}

// Walks the table: those in the frame, or those that only their CPU can read.
static void put_values(const struct values *values, bool special)
{
    size_t offset = 0;
    for (unsigned i = 0; i < row_count(); i++) {
        const struct gdb_register *row = &kd_machine.gdb->registers[i];
        if (!row_has_value(row))
            continue;
        bool is_special = (row->location & GDB_REGISTER_SPECIAL) != 0;
        size_t bytes = row->bits / 8U;
        uint64_t value = 0;
        if (special && is_special && kd_special_read(row->location, &value) == 0) {
            put_value(values->record, i, offset, &value, bytes);
        } else if (!special && !is_special && (i >= 64 || (values->valid >> i & 1) != 0)) {
            put_value(values->record, i, offset, (const uint8_t *)values->frame + row->location,
                      bytes);
        }
        offset += bytes;
    }
}

static int put_special_values(void *argument)
{
    put_values(argument, true);
    return 0;
}

static void write_registers(int64_t thread, uint32_t cpu, const struct kd_frame *frame,
                            uint64_t valid)
{
    size_t bytes = sizeof(struct kd_capsule_registers) + value_bytes();
    struct values values = {.frame = frame, .valid = valid};
    values.record = kd_capsule_reserve(&capsule.writer, KD_CAPSULE_REGISTERS, bytes);
    if (values.record == NULL)
        return; // a machine whose registers fill more than a block
    values.record->thread = thread;
    values.record->cpu = cpu;
    put_values(&values, false);
    if (cpu != KD_CAPSULE_NO_CPU)
        kd_run_on(cpu, put_special_values, &values);
    kd_capsule_commit(&capsule.writer, bytes);
}

// -- CPUs -------------------------------------------------------------------------------------

static int write_cpu(void *argument)
{
    const struct kd_cpu *cpu = argument;
    bool stopped = kd_cpu_stopped(cpu);
    struct kd_capsule_cpu *record =
        kd_capsule_reserve(&capsule.writer, KD_CAPSULE_CPU, sizeof(*record));
    record->index = cpu->index;
    record->thread = kd_thread_on(cpu->index);
    record->flags = stopped ? KD_CAPSULE_CPU_STOPPED : 0;
    if (cpu == capsule.facts->cpu)
        record->flags |= KD_CAPSULE_CPU_PANICKED;
    const char *other = capsule.facts->other_reason[cpu->index];
    if (other[0] != '\0') {
        record->flags |= KD_CAPSULE_CPU_ALSO_PANICKED;
        copy_string(record->reason, sizeof(record->reason), other);
    }
    if (stopped && kd.kernel->interrupts_on != NULL) {
        record->flags |= KD_CAPSULE_CPU_INTERRUPTS_KNOWN;
        record->flags |= kd.kernel->interrupts_on(cpu->frame) ? KD_CAPSULE_CPU_INTERRUPTS_ON : 0;
    }
    kd_capsule_commit(&capsule.writer, sizeof(*record));
    if (stopped)
        write_registers(kd_thread_on(cpu->index), cpu->index, cpu->frame, UINT64_MAX);
    return 0;
}

static void write_essentials(void)
{
    kd_capsule_flush(&capsule.writer);
    kd_protect(write_machine, NULL, NULL);
    kd_protect(write_register_set, NULL, NULL);
    for (unsigned i = 0; i < kd_cpu_total(); i++)
        if (kd_cpu_online(i))
            kd_protect(write_cpu, &kd.cpus[i], NULL);
}

// -- stacks -----------------------------------------------------------------------------------

// The live part of a stack, [low, high): from the stack pointer to the stack's end.
struct live {
    uint64_t low, high;
};

static struct live live_part(const struct kd_thread *thread, uint64_t sp, uint64_t fp)
{
    uint64_t low = thread->stack_low, high = thread->stack_high;
    if (low >= high)
        return (struct live){sp, sp + POINTED_BYTES};
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

static int write_cpu_stack(void *argument)
{
    const struct kd_cpu *cpu = argument;
    bool first = cpu == capsule.facts->cpu;
    uint64_t budget = kd.config.capsule_bytes;
    // What the CPU works on may be another stack than the thread's.
    kd_capsule_take(kd_frame_sp(cpu->frame), POINTED_BYTES, KD_CAPSULE_MEMORY_STACK);
    if (!take_stack(live_of_cpu(cpu), first ? budget / 4 : budget / 16))
        capsule.summary.stacks_left_out++;
    return 0;
}

static int write_pointed(void *argument)
{
    const struct kd_cpu *cpu = argument;
    uint64_t bytes = cpu == capsule.facts->cpu ? POINTED_BYTES : POINTED_BYTES / 2;
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
        if (cpu != capsule.facts->cpu && kd_cpu_online(i) && kd_cpu_stopped(cpu))
            kd_protect(stage, cpu, NULL);
    }
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
        kd_capsule_reserve(&capsule.writer, KD_CAPSULE_THREAD, sizeof(*record));
    record->id = thread->id;
    record->cpu = thread->cpu;
    record->state = (uint8_t)thread->state;
    record->priority = thread->priority;
    record->stack_low = thread->stack_low;
    record->stack_high = thread->stack_high;
    copy_string(record->name, sizeof(record->name), thread->name);
    copy_string(record->wait, sizeof(record->wait), thread->wait);
    kd_capsule_commit(&capsule.writer, sizeof(*record));
    capsule.summary.threads++;
    if (kd.kernel->thread_bytes > 0 && has_budget_for_threads())
        kd_capsule_take(thread->handle, kd.kernel->thread_bytes, KD_CAPSULE_MEMORY_KERNEL);
}

static void write_sleeper(const struct kd_thread *thread)
{
    struct kd_frame frame;
    uint64_t valid, budget = kd.config.capsule_bytes;
    if (kd.kernel->thread_frame(thread, &frame, &valid) != 0)
        return;
    write_registers(thread->id, KD_CAPSULE_NO_CPU, &frame, valid);
    if (!has_budget_for_threads() ||
        !take_stack(live_part(thread, kd_frame_sp(&frame), kd_frame_fp(&frame)), budget / 32))
        capsule.summary.stacks_left_out++;
}

static int write_threads(void *argument)
{
    (void)argument;
    struct kd_thread thread;
    uintptr_t cursor = 0;
    for (unsigned i = 0; kd.kernel->thread_next(&cursor, &thread) == 0; i++) {
        if (i >= THREADS_MAX) {
            capsule.summary.threads_left_out++;
            continue;
        }
        write_thread(&thread);
        if (kd_thread_cpu(thread.id) < 0)
            write_sleeper(&thread);
    }
    return 0;
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
        kd_capsule_reserve(&capsule.writer, KD_CAPSULE_TEXT, sizeof(*record) + length);
    copy_string(record->name, sizeof(record->name), stage->name);
    record->offset = stage->offset;
    memcpy(record->text, characters, length);
    kd_capsule_commit(&capsule.writer, sizeof(*record) + length);
    stage->offset += (uint32_t)length;
}

// The command of that name, or the log.
static int write_text(void *argument)
{
    struct text_stage *stage = argument;
    char buffer[TEXT_PART];
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
    kd_capsule_lines_block(&capsule.lines, bytes, length);
    kd_keep_block(bytes, length);
}

static int write_rest(void *argument)
{
    (void)argument;
    kd_capsule_take_rest(POINTED_BYTES / 2);
    return 0;
}

static void write_summary(void)
{
    struct kd_capsule_summary *record =
        kd_capsule_reserve(&capsule.writer, KD_CAPSULE_SUMMARY, sizeof(*record));
    *record = capsule.summary;
    record->blocks = capsule.writer.blocks + 1;
    record->memory_bytes = kd_capsule_memory_bytes();
    record->raw_bytes = capsule.writer.raw_bytes;
    record->packed_bytes = capsule.writer.packed_bytes;
    kd_capsule_commit(&capsule.writer, sizeof(*record));
    kd_capsule_flush(&capsule.writer);
}

uint32_t kd_capsule_write(const struct kd_panic_facts *facts, uint32_t id)
{
    if (kd.config.capsule_bytes == 0)
        return 0;
    capsule.facts = facts;
    capsule.summary = (struct kd_capsule_summary){0};
    capsule.lines = (struct kd_capsule_lines){.write = print_line, .id = id};
    kd_capsule_init(&capsule.writer, id);
    capsule.writer.block = finish_block;
    kd_capsule_memory_init(&capsule.writer, kd.config.capsule_bytes);

    kd_capsule_lines_begin(&capsule.lines);
    write_essentials();
    kd_capsule_flush(&capsule.writer);
    kd_protect(write_cpu_stack, facts->cpu, NULL);
    write_texts();
    for_stopped_cpus(write_cpu_stack);
    kd_protect(write_ranges, NULL, NULL);
    kd_protect(write_threads, NULL, NULL);
    kd_protect(write_pointed, facts->cpu, NULL);
    for_stopped_cpus(write_pointed);
    kd_protect(write_rest, NULL, NULL);
    write_essentials();
    write_summary();
    kd_capsule_lines_end(&capsule.lines);
    return capsule.lines.count;
}
