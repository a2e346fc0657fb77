// SPDX-License-Identifier: MIT
// The capsule's registers: the machine's table as records, so that a reader needs none of its own,
// and the values of one thread. Called by capsule.c and capsule_threads.c.
#include "kdebug/capsule.h"

#include <string.h>

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
        size_t fit = kd_capsule_room(&kd_capsule.writer) / sizeof(*rows);
        if (fit == 0) {
            kd_capsule_flush(&kd_capsule.writer);
            continue;
        }
        unsigned count = fit < row_count() - i ? (unsigned)fit : row_count() - i;
        rows =
            kd_capsule_reserve(&kd_capsule.writer, KD_CAPSULE_REGISTER_ROWS, count * sizeof(*rows));
        for (unsigned n = 0; n < count; n++, i++) {
            const struct gdb_register *row = &gdb->registers[i];
            rows[n].number = (uint16_t)i;
            rows[n].bits = row->bits;
            rows[n].offset = row_has_value(row) ? (uint16_t)offset : KD_CAPSULE_NO_VALUE;
            rows[n].dwarf = row->dwarf;
            rows[n].group = row->group;
            rows[n].read_only = row->read_only;
            kd_capsule_string(rows[n].name, sizeof(rows[n].name), row->name);
            kd_capsule_string(rows[n].feature, sizeof(rows[n].feature), row->feature);
            kd_capsule_string(rows[n].type, sizeof(rows[n].type), row->type);
            offset += row_has_value(row) ? row->bits / 8U : 0;
        }
        kd_capsule_commit(&kd_capsule.writer, count * sizeof(*rows));
    }
}

static void write_types(void)
{
    size_t total = types_bytes();
    for (size_t done = 0; done < total;) {
        struct kd_capsule_register_types *types;
        size_t part = total - done < KD_CAPSULE_TEXT_PART ? total - done : KD_CAPSULE_TEXT_PART;
        types = kd_capsule_reserve(&kd_capsule.writer, KD_CAPSULE_REGISTER_TYPES,
                                   sizeof(*types) + part);
        types->offset = (uint32_t)done;
        memcpy(types->text, kd_machine.gdb->extra_types + done, part);
        kd_capsule_commit(&kd_capsule.writer, sizeof(*types) + part);
        done += part;
    }
}

int kd_capsule_register_set(void *argument)
{
    (void)argument;
    const struct gdb_machine *gdb = kd_machine.gdb;
    struct kd_capsule_register_set *set =
        kd_capsule_reserve(&kd_capsule.writer, KD_CAPSULE_REGISTER_SET, sizeof(*set));
    set->count = (uint16_t)row_count();
    set->general = gdb->general_count;
    set->pc = gdb->pc;
    set->sp = gdb->sp;
    set->fp = gdb->fp;
    set->link = gdb->link;
    set->value_bytes = (uint16_t)value_bytes();
    set->types_bytes = (uint16_t)types_bytes();
    kd_capsule_string(set->osabi, sizeof(set->osabi), gdb->osabi);
    kd_capsule_string(set->types_feature, sizeof(set->types_feature), gdb->extra_types_feature);
    memcpy(set->breakpoint_kinds, gdb->breakpoint_kinds, sizeof(set->breakpoint_kinds));
    kd_capsule_commit(&kd_capsule.writer, sizeof(*set));
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
    if (kd_is_canary(word))
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

void kd_capsule_registers(int64_t thread, uint32_t cpu, const struct kd_frame *frame,
                          uint64_t valid)
{
    size_t bytes = sizeof(struct kd_capsule_registers) + value_bytes();
    struct values values = {.frame = frame, .valid = valid};
    values.record = kd_capsule_reserve(&kd_capsule.writer, KD_CAPSULE_REGISTERS, bytes);
    if (values.record == NULL)
        return; // a machine whose registers fill more than a block
    values.record->thread = thread;
    values.record->cpu = cpu;
    put_values(&values, false);
    if (cpu != KD_CAPSULE_NO_CPU)
        kd_run_on(cpu, put_special_values, &values);
    kd_capsule_commit(&kd_capsule.writer, bytes);
}
