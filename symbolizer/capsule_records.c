// SPDX-License-Identifier: MIT
// The records of a block. Each function gets a record's body and its size, and says whether it made
// sense; one that does not is passed over and told as a loss, so that the rest of the machine can
// still be looked at.
#include "symbolizer/capsule_private.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum {
    THREADS_MOST = 65536,
    CPUS_MOST = 4096,
};

static void clean_text(char *text, size_t size)
{
    text[size - 1] = '\0';
    for (; *text; text++)
        if (!isprint((unsigned char)*text))
            *text = '?';
}

#define CLEAN(array) clean_text(array, sizeof(array))

static bool read_machine(struct sym_capsule_reader *reader, const uint8_t *body, size_t bytes)
{
    struct sym_capsule *capsule = reader->capsule;
    if (bytes < sizeof(capsule->machine))
        return false;
    if (capsule->has_machine)
        return true;
    memcpy(&capsule->machine, body, sizeof(capsule->machine));
    struct kd_capsule_machine *machine = &capsule->machine;
    CLEAN(machine->architecture);
    CLEAN(machine->kernel_name);
    CLEAN(machine->kernel_version);
    CLEAN(machine->trap_name);
    CLEAN(machine->reason);
    if (machine->build_id_bytes > sizeof(machine->build_id))
        machine->build_id_bytes = 0;
    capsule->has_machine = true;
    return true;
}

static bool read_register_set(struct sym_capsule_reader *reader, const uint8_t *body, size_t bytes)
{
    struct kd_capsule_register_set set;
    if (bytes < sizeof(set))
        return false;
    memcpy(&set, body, sizeof(set));
    if (set.count == 0 || set.count > KD_CAPSULE_ROWS_MAX || set.general > set.count ||
        set.pc >= set.count || set.sp >= set.count || set.fp >= set.count || set.link >= set.count)
        return false;
    if (reader->capsule->has_register_set)
        return true;
    CLEAN(set.osabi);
    CLEAN(set.types_feature);
    reader->capsule->register_set = set;
    reader->capsule->has_register_set = true;
    return true;
}

// The names become XML: they hold letters, digits and a few signs only.
static bool is_word(const char *text)
{
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr("._-+:", *text))
            return false;
    return true;
}

static bool read_register_rows(struct sym_capsule_reader *reader, const uint8_t *body, size_t bytes)
{
    struct kd_capsule_register_row row;
    if (bytes % sizeof(row) != 0)
        return false;
    for (size_t at = 0; at < bytes; at += sizeof(row)) {
        memcpy(&row, body + at, sizeof(row));
        CLEAN(row.name);
        CLEAN(row.feature);
        CLEAN(row.type);
        if (row.number >= KD_CAPSULE_ROWS_MAX || row.bits == 0 || row.bits % 8 != 0 ||
            !row.name[0] || !is_word(row.name) || !is_word(row.feature) || !is_word(row.type))
            return false;
        if (!reader->own->row_there[row.number]) {
            reader->own->rows[row.number] = row;
            reader->own->row_there[row.number] = true;
        }
    }
    return true;
}

static bool read_register_types(struct sym_capsule_reader *reader, const uint8_t *body,
                                size_t bytes)
{
    struct kd_capsule_register_types head;
    if (bytes < sizeof(head))
        return false;
    memcpy(&head, body, sizeof(head));
    struct sym_capsule_part *part =
        sym_capsule_row_add(reader, &reader->own->type_parts, sizeof(*part));
    if (part) {
        part->offset = head.offset;
        part->order = reader->own->type_parts.count;
        part->text = (const char *)body + sizeof(head);
        part->bytes = bytes - sizeof(head);
    }
    return true;
}

static bool read_cpu(struct sym_capsule_reader *reader, const uint8_t *body, size_t bytes)
{
    if (bytes < sizeof(struct kd_capsule_cpu) || reader->own->cpus.count >= 2 * CPUS_MOST)
        return false;
    struct kd_capsule_cpu *cpu = sym_capsule_row_add(reader, &reader->own->cpus, sizeof(*cpu));
    if (!cpu)
        return true;
    memcpy(cpu, body, sizeof(*cpu));
    CLEAN(cpu->reason);
    bool right = cpu->index < CPUS_MOST && cpu->thread > 0 && cpu->thread <= INT32_MAX;
    if (!right)
        reader->own->cpus.count--;
    return right;
}

static bool read_registers(struct sym_capsule_reader *reader, const uint8_t *body, size_t bytes)
{
    struct kd_capsule_registers head;
    if (bytes < sizeof(head) || reader->own->registers.count >= 2 * THREADS_MOST)
        return false;
    memcpy(&head, body, sizeof(head));
    struct sym_capsule_registers *registers =
        sym_capsule_row_add(reader, &reader->own->registers, sizeof(*registers));
    if (registers) {
        registers->thread = head.thread;
        registers->cpu = head.cpu;
        registers->known = body + offsetof(struct kd_capsule_registers, known);
        registers->values = body + sizeof(head);
        registers->value_bytes = bytes - sizeof(head);
    }
    return true;
}

static bool read_thread(struct sym_capsule_reader *reader, const uint8_t *body, size_t bytes)
{
    struct kd_capsule_thread record;
    if (bytes < sizeof(record) || reader->own->threads.count >= THREADS_MOST)
        return false;
    memcpy(&record, body, sizeof(record));
    CLEAN(record.name);
    CLEAN(record.wait);
    if (record.id <= 0 || record.id > INT32_MAX)
        return false;
    struct sym_capsule_thread *thread =
        sym_capsule_row_add(reader, &reader->own->threads, sizeof(*thread));
    if (thread)
        *thread = (struct sym_capsule_thread){.id = record.id, .recorded = true, .record = record};
    return true;
}

static bool read_memory(struct sym_capsule_reader *reader, const uint8_t *body, size_t bytes)
{
    struct kd_capsule_memory head;
    if (bytes < sizeof(head))
        return false;
    memcpy(&head, body, sizeof(head));
    if (head.bytes == 0 || head.bytes > bytes - sizeof(head) ||
        head.bytes - 1 > UINT64_MAX - head.address)
        return false;
    struct sym_capsule_memory *memory =
        sym_capsule_row_add(reader, &reader->own->memory, sizeof(*memory));
    if (memory)
        *memory =
            (struct sym_capsule_memory){head.address, head.bytes, head.kind, body + sizeof(head)};
    return true;
}

static bool read_withheld(struct sym_capsule_reader *reader, const uint8_t *body, size_t bytes)
{
    struct kd_capsule_withheld head;
    if (bytes < sizeof(head))
        return false;
    memcpy(&head, body, sizeof(head));
    if (head.bytes == 0 || head.bytes - 1 > UINT64_MAX - head.address)
        return false;
    struct kd_capsule_withheld *withheld =
        sym_capsule_row_add(reader, &reader->own->withheld, sizeof(*withheld));
    if (withheld)
        *withheld = head;
    return true;
}

static bool read_text(struct sym_capsule_reader *reader, const uint8_t *body, size_t bytes)
{
    struct kd_capsule_text head;
    if (bytes < sizeof(head))
        return false;
    memcpy(&head, body, sizeof(head));
    struct sym_capsule_part *part = sym_capsule_row_add(reader, &reader->own->parts, sizeof(*part));
    if (!part)
        return true;
    memcpy(part->name, head.name, sizeof(head.name));
    CLEAN(part->name);
    part->offset = head.offset;
    part->order = reader->own->parts.count;
    part->text = (const char *)body + sizeof(head);
    part->bytes = bytes - sizeof(head);
    return true;
}

static bool read_summary(struct sym_capsule_reader *reader, const uint8_t *body, size_t bytes)
{
    if (bytes < sizeof(reader->capsule->summary))
        return false;
    memcpy(&reader->capsule->summary, body, sizeof(reader->capsule->summary));
    return true;
}

static const struct {
    uint16_t type;
    bool (*read)(struct sym_capsule_reader *reader, const uint8_t *body, size_t bytes);
    const char *name;
} record_kinds[] = {
    {KD_CAPSULE_MACHINE, read_machine, "MACHINE"},
    {KD_CAPSULE_REGISTER_SET, read_register_set, "REGISTER_SET"},
    {KD_CAPSULE_REGISTER_ROWS, read_register_rows, "REGISTER_ROWS"},
    {KD_CAPSULE_REGISTER_TYPES, read_register_types, "REGISTER_TYPES"},
    {KD_CAPSULE_CPU, read_cpu, "CPU"},
    {KD_CAPSULE_REGISTERS, read_registers, "REGISTERS"},
    {KD_CAPSULE_THREAD, read_thread, "THREAD"},
    {KD_CAPSULE_MEMORY, read_memory, "MEMORY"},
    {KD_CAPSULE_WITHHELD, read_withheld, "WITHHELD"},
    {KD_CAPSULE_TEXT, read_text, "TEXT"},
    {KD_CAPSULE_SUMMARY, read_summary, "SUMMARY"},
};

#define KIND_COUNT (sizeof(record_kinds) / sizeof(*record_kinds))

static void read_record(struct sym_capsule_reader *reader, uint16_t type, const uint8_t *body,
                        size_t bytes)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (record_kinds[i].type == type && !record_kinds[i].read(reader, body, bytes)) {
            char text[80];
            snprintf(text, sizeof(text), "block %u has a %s record that makes no sense",
                     reader->block->number, record_kinds[i].name);
            sym_capsule_lose(reader, reader->block->line, text);
        }
    }
}

void sym_capsule_read_block(struct sym_capsule_reader *reader,
                            const struct sym_capsule_block *block)
{
    reader->block = block;
    size_t at = 0;
    while (block->bytes - at >= sizeof(struct kd_capsule_record) && !reader->failed) {
        struct kd_capsule_record head;
        memcpy(&head, block->raw + at, sizeof(head));
        at += sizeof(head);
        if (head.bytes > block->bytes - at) {
            sym_capsule_lose(reader, block->line, "a record is longer than its block");
            return;
        }
        read_record(reader, head.type, block->raw + at, head.bytes);
        at += (head.bytes + 7u) & ~(size_t)7;
        if (at > block->bytes)
            return;
    }
}
