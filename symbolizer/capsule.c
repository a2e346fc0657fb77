// SPDX-License-Identifier: MIT
// See capsule.h. capsule_blocks.c finds the blocks; here those of each capsule are put in order and
// their records are read. Every record is checked by itself: one that makes no sense is passed over
// and told as a loss, so that the rest of the machine can still be looked at.
#include "symbolizer/capsule.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/capsule_blocks.h"

enum {
    CAPSULES_MOST = 64,
    THREADS_MOST = 65536,
    CPUS_MOST = 4096,
};

// A growing array of rows of one size.
struct rows {
    void *at;
    size_t count, capacity;
};

struct part { // of a text, or of the XML of types
    char name[17];
    uint32_t offset;
    size_t order;
    const char *text;
    size_t bytes;
};

struct sym_capsule_private {
    struct sym_capsule_block **blocks; // by number; their memory is the list's
    size_t block_count;
    struct rows cpus, threads, registers, memory, withheld, parts, texts;
    struct rows type_parts;
    struct kd_capsule_register_row rows[KD_CAPSULE_ROWS_MAX];
    bool row_there[KD_CAPSULE_ROWS_MAX];
    char *types;
    size_t *by_id; // numbers of `threads`
};

struct reader {
    struct sym_capsules *out;
    struct sym_capsule *capsule;
    struct sym_capsule_private *own;
    struct sym_capsule_blocks *blocks;
    const struct sym_capsule_block *block; // whose records are being read
    bool failed;                           // no memory
};

static void *rows_add(struct reader *reader, struct rows *rows, size_t row_bytes)
{
    if (rows->count == rows->capacity) {
        size_t wanted = rows->capacity ? rows->capacity * 2 : 16;
        void *at = reallocarray(rows->at, wanted, row_bytes);
        if (!at) {
            reader->failed = true;
            return NULL;
        }
        rows->at = at;
        rows->capacity = wanted;
    }
    void *row = (char *)rows->at + rows->count++ * row_bytes;
    memset(row, 0, row_bytes);
    return row;
}

static void lose(struct reader *reader, size_t line, const char *text)
{
    sym_capsule_lose_(&reader->blocks->losses, &reader->blocks->losses_capacity, line, "%s", text);
}

static void clean_text(char *text, size_t size)
{
    text[size - 1] = '\0';
    for (; *text; text++)
        if (!isprint((unsigned char)*text))
            *text = '?';
}

#define CLEAN(array) clean_text(array, sizeof(array))

// -- records: each function gets a body and its size, and says whether it made sense
// ---------------

static bool read_machine(struct reader *reader, const uint8_t *body, size_t bytes)
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

static bool read_register_set(struct reader *reader, const uint8_t *body, size_t bytes)
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

static bool read_register_rows(struct reader *reader, const uint8_t *body, size_t bytes)
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

static bool read_register_types(struct reader *reader, const uint8_t *body, size_t bytes)
{
    struct kd_capsule_register_types head;
    if (bytes < sizeof(head))
        return false;
    memcpy(&head, body, sizeof(head));
    struct part *part = rows_add(reader, &reader->own->type_parts, sizeof(*part));
    if (part) {
        part->offset = head.offset;
        part->order = reader->own->type_parts.count;
        part->text = (const char *)body + sizeof(head);
        part->bytes = bytes - sizeof(head);
    }
    return true;
}

static bool read_cpu(struct reader *reader, const uint8_t *body, size_t bytes)
{
    if (bytes < sizeof(struct kd_capsule_cpu) || reader->own->cpus.count >= 2 * CPUS_MOST)
        return false;
    struct kd_capsule_cpu *cpu = rows_add(reader, &reader->own->cpus, sizeof(*cpu));
    if (!cpu)
        return true;
    memcpy(cpu, body, sizeof(*cpu));
    CLEAN(cpu->reason);
    bool right = cpu->index < CPUS_MOST && cpu->thread > 0 && cpu->thread <= INT32_MAX;
    if (!right)
        reader->own->cpus.count--;
    return right;
}

static bool read_registers(struct reader *reader, const uint8_t *body, size_t bytes)
{
    struct kd_capsule_registers head;
    if (bytes < sizeof(head) || reader->own->registers.count >= 2 * THREADS_MOST)
        return false;
    memcpy(&head, body, sizeof(head));
    struct sym_capsule_registers *registers =
        rows_add(reader, &reader->own->registers, sizeof(*registers));
    if (registers) {
        registers->thread = head.thread;
        registers->cpu = head.cpu;
        registers->known = body + offsetof(struct kd_capsule_registers, known);
        registers->values = body + sizeof(head);
        registers->value_bytes = bytes - sizeof(head);
    }
    return true;
}

static bool read_thread(struct reader *reader, const uint8_t *body, size_t bytes)
{
    struct kd_capsule_thread record;
    if (bytes < sizeof(record) || reader->own->threads.count >= THREADS_MOST)
        return false;
    memcpy(&record, body, sizeof(record));
    CLEAN(record.name);
    CLEAN(record.wait);
    if (record.id <= 0 || record.id > INT32_MAX)
        return false;
    struct sym_capsule_thread *thread = rows_add(reader, &reader->own->threads, sizeof(*thread));
    if (thread)
        *thread = (struct sym_capsule_thread){.id = record.id, .recorded = true, .record = record};
    return true;
}

static bool read_memory(struct reader *reader, const uint8_t *body, size_t bytes)
{
    struct kd_capsule_memory head;
    if (bytes < sizeof(head))
        return false;
    memcpy(&head, body, sizeof(head));
    if (head.bytes == 0 || head.bytes > bytes - sizeof(head) ||
        head.bytes - 1 > UINT64_MAX - head.address)
        return false;
    struct sym_capsule_memory *memory = rows_add(reader, &reader->own->memory, sizeof(*memory));
    if (memory)
        *memory =
            (struct sym_capsule_memory){head.address, head.bytes, head.kind, body + sizeof(head)};
    return true;
}

static bool read_withheld(struct reader *reader, const uint8_t *body, size_t bytes)
{
    struct kd_capsule_withheld head;
    if (bytes < sizeof(head))
        return false;
    memcpy(&head, body, sizeof(head));
    if (head.bytes == 0 || head.bytes - 1 > UINT64_MAX - head.address)
        return false;
    struct kd_capsule_withheld *withheld =
        rows_add(reader, &reader->own->withheld, sizeof(*withheld));
    if (withheld)
        *withheld = head;
    return true;
}

static bool read_text(struct reader *reader, const uint8_t *body, size_t bytes)
{
    struct kd_capsule_text head;
    if (bytes < sizeof(head))
        return false;
    memcpy(&head, body, sizeof(head));
    struct part *part = rows_add(reader, &reader->own->parts, sizeof(*part));
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

static bool read_summary(struct reader *reader, const uint8_t *body, size_t bytes)
{
    if (bytes < sizeof(reader->capsule->summary))
        return false;
    memcpy(&reader->capsule->summary, body, sizeof(reader->capsule->summary));
    return true;
}

static const struct {
    uint16_t type;
    bool (*read)(struct reader *reader, const uint8_t *body, size_t bytes);
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

static void read_record(struct reader *reader, uint16_t type, const uint8_t *body, size_t bytes)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (record_kinds[i].type == type && !record_kinds[i].read(reader, body, bytes)) {
            char text[80];
            snprintf(text, sizeof(text), "block %u has a %s record that makes no sense",
                     reader->block->number, record_kinds[i].name);
            lose(reader, reader->block->line, text);
        }
    }
}

static void read_block(struct reader *reader, const struct sym_capsule_block *block)
{
    reader->block = block;
    size_t at = 0;
    while (block->bytes - at >= sizeof(struct kd_capsule_record) && !reader->failed) {
        struct kd_capsule_record head;
        memcpy(&head, block->raw + at, sizeof(head));
        at += sizeof(head);
        if (head.bytes > block->bytes - at) {
            lose(reader, block->line, "a record is longer than its block");
            return;
        }
        read_record(reader, head.type, block->raw + at, head.bytes);
        at += (head.bytes + 7u) & ~(size_t)7;
        if (at > block->bytes)
            return;
    }
}

// -- putting it together --------------------------------------------------------------------------

static int compare(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int by_number(const void *left, const void *right)
{
    const struct sym_capsule_block *a = *(struct sym_capsule_block *const *)left;
    const struct sym_capsule_block *b = *(struct sym_capsule_block *const *)right;
    return a->number != b->number ? compare(a->number, b->number) : compare(a->order, b->order);
}

static int by_index(const void *left, const void *right)
{
    return compare(((const struct kd_capsule_cpu *)left)->index,
                   ((const struct kd_capsule_cpu *)right)->index);
}

static int by_thread(const void *left, const void *right)
{
    const struct sym_capsule_registers *a = left, *b = right;
    return compare((uint64_t)a->thread, (uint64_t)b->thread);
}

static int by_address(const void *left, const void *right)
{
    return compare(((const struct sym_capsule_memory *)left)->address,
                   ((const struct sym_capsule_memory *)right)->address);
}

static int withheld_by_address(const void *left, const void *right)
{
    return compare(((const struct kd_capsule_withheld *)left)->address,
                   ((const struct kd_capsule_withheld *)right)->address);
}

static int by_offset(const void *left, const void *right)
{
    const struct part *a = left, *b = right;
    int names = strcmp(a->name, b->name);
    if (names)
        return names;
    return a->offset != b->offset ? compare(a->offset, b->offset) : compare(a->order, b->order);
}

static void sort(struct rows *rows, size_t row_bytes, int (*order)(const void *, const void *))
{
    if (rows->count > 1)
        qsort(rows->at, rows->count, row_bytes, order);
}

// Of rows that are equal in order, keeps one.
static void sort_unique(struct rows *rows, size_t row_bytes,
                        int (*order)(const void *, const void *))
{
    sort(rows, row_bytes, order);
    char *at = rows->at;
    size_t kept = 0;
    for (size_t i = 0; i < rows->count; i++) {
        if (kept > 0 && order(at + (kept - 1) * row_bytes, at + i * row_bytes) == 0)
            continue;
        memmove(at + kept * row_bytes, at + i * row_bytes, row_bytes);
        kept++;
    }
    rows->count = kept;
}

// Drops what an earlier range has already said.
static void part_memory(struct rows *rows)
{
    sort(rows, sizeof(struct sym_capsule_memory), by_address);
    struct sym_capsule_memory *at = rows->at;
    size_t kept = 0;
    for (size_t i = 0; i < rows->count; i++) {
        struct sym_capsule_memory range = at[i];
        if (kept > 0) {
            uint64_t last = at[kept - 1].address + (at[kept - 1].bytes - 1);
            uint64_t range_last = range.address + (range.bytes - 1);
            if (range_last <= last)
                continue;
            if (range.address <= last) {
                uint64_t known = last - range.address + 1;
                range.address += known;
                range.data += known;
                range.bytes -= known;
            }
        }
        at[kept++] = range;
    }
    rows->count = kept;
}

static void finish_register_table(struct reader *reader)
{
    struct sym_capsule *capsule = reader->capsule;
    const struct kd_capsule_register_set *set = &capsule->register_set;
    size_t count = capsule->has_register_set ? set->count : 0;
    for (size_t i = 0; i < count; i++) {
        const struct kd_capsule_register_row *row = &reader->own->rows[i];
        bool fits = row->offset == KD_CAPSULE_NO_VALUE ||
                    (row->offset + row->bits / 8u <= set->value_bytes);
        if (!reader->own->row_there[i] || !fits)
            count = 0;
    }
    capsule->rows = reader->own->rows;
    capsule->row_count = count;
    if (count == 0)
        lose(reader, 0, "the register table is lost, and with it the registers");
}

// The XML of types is used whole or not at all.
static void finish_types(struct reader *reader)
{
    struct rows *parts = &reader->own->type_parts;
    size_t wanted = reader->capsule->register_set.types_bytes, have = 0;
    sort(parts, sizeof(struct part), by_offset);
    const struct part *at = parts->at;
    char *types = wanted ? calloc(1, wanted + 1) : NULL;
    if (!types)
        return;
    for (size_t i = 0; i < parts->count; i++) {
        if (at[i].offset != have || at[i].bytes > wanted - have)
            continue;
        memcpy(types + have, at[i].text, at[i].bytes);
        have += at[i].bytes;
    }
    reader->own->types = types;
    if (have == wanted && strlen(types) == wanted)
        reader->capsule->register_types = types;
    else
        lose(reader, 0, "the types of registers are lost: flags are shown as numbers");
}

static int by_id(const void *left, const void *right, void *threads)
{
    const struct sym_capsule_thread *all = threads;
    size_t a = *(const size_t *)left, b = *(const size_t *)right;
    if (all[a].id != all[b].id)
        return compare((uint64_t)all[a].id, (uint64_t)all[b].id);
    return compare(a, b);
}

static bool sort_ids(struct reader *reader)
{
    struct rows *threads = &reader->own->threads;
    free(reader->own->by_id);
    reader->own->by_id = calloc(threads->count + 1, sizeof(size_t));
    if (!reader->own->by_id) {
        reader->failed = true;
        return false;
    }
    for (size_t i = 0; i < threads->count; i++)
        reader->own->by_id[i] = i;
    if (threads->count > 1)
        qsort_r(reader->own->by_id, threads->count, sizeof(size_t), by_id, threads->at);
    return true;
}

static struct sym_capsule_thread *find_thread(const struct sym_capsule_private *own, int64_t id)
{
    struct sym_capsule_thread *threads = own->threads.at;
    size_t low = 0, high = own->threads.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (threads[own->by_id[middle]].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == own->threads.count || threads[own->by_id[low]].id != id)
        return NULL;
    return &threads[own->by_id[low]];
}

// A second record of a thread goes.
static void drop_doubles(struct reader *reader)
{
    struct rows *rows = &reader->own->threads;
    struct sym_capsule_thread *threads = rows->at;
    size_t kept = 0;
    for (size_t i = 0; i < rows->count; i++)
        if (find_thread(reader->own, threads[i].id) != &threads[i])
            threads[i].recorded = false;
    for (size_t i = 0; i < rows->count; i++)
        if (threads[i].recorded)
            threads[kept++] = threads[i];
    rows->count = kept;
}

static void add_made_up_threads(struct reader *reader)
{
    const struct kd_capsule_cpu *cpus = reader->own->cpus.at;
    size_t recorded = reader->own->threads.count;
    for (size_t i = 0; i < reader->own->cpus.count; i++) {
        struct rows *rows = &reader->own->threads;
        size_t before = rows->count;
        rows->count = recorded; // by_id knows so many
        bool there = find_thread(reader->own, cpus[i].thread);
        rows->count = before;
        const struct sym_capsule_thread *all = rows->at;
        for (size_t j = recorded; j < before && !there; j++)
            there = all[j].id == cpus[i].thread;
        if (there)
            continue;
        struct sym_capsule_thread *thread = rows_add(reader, rows, sizeof(*thread));
        if (!thread)
            return;
        thread->id = cpus[i].thread;
        thread->record.id = cpus[i].thread;
        thread->record.cpu = cpus[i].index;
        thread->record.state = KD_CAPSULE_THREAD_RUNNING;
        snprintf(thread->record.name, sizeof(thread->record.name), "cpu %u", cpus[i].index);
    }
}

static int panicked_first(const void *left, const void *right, void *capsule)
{
    const struct sym_capsule_thread *a = left, *b = right;
    const struct kd_capsule_machine *machine = &((const struct sym_capsule *)capsule)->machine;
    int class_a = a->id == machine->thread ? 0 : a->running_on ? 1 : 2;
    int class_b = b->id == machine->thread ? 0 : b->running_on ? 1 : 2;
    if (class_a != class_b)
        return class_a - class_b;
    if (class_a == 1 && a->running_on->index != b->running_on->index)
        return compare(a->running_on->index, b->running_on->index);
    return compare(a->order_, b->order_);
}

static void link_threads(struct reader *reader)
{
    struct sym_capsule_private *own = reader->own;
    const struct kd_capsule_cpu *cpus = own->cpus.at;
    const struct sym_capsule_registers *registers = own->registers.at;
    for (size_t i = 0; i < own->cpus.count; i++) {
        struct sym_capsule_thread *thread = find_thread(own, cpus[i].thread);
        if (thread && !thread->running_on)
            thread->running_on = &cpus[i];
    }
    for (size_t i = 0; i < own->registers.count && reader->capsule->row_count; i++) {
        struct sym_capsule_thread *thread = find_thread(own, registers[i].thread);
        if (thread)
            thread->registers = &registers[i];
    }
}

// Those whose values are not all there go; the register set may have come behind them.
static void check_registers(struct reader *reader)
{
    struct rows *rows = &reader->own->registers;
    struct sym_capsule_registers *registers = rows->at;
    size_t kept = 0;
    for (size_t i = 0; i < rows->count; i++)
        if (registers[i].value_bytes >= reader->capsule->register_set.value_bytes)
            registers[kept++] = registers[i];
    if (kept < rows->count)
        lose(reader, 0, "registers are lost: their records do not fit the register table");
    rows->count = kept;
}

static void finish_threads(struct reader *reader)
{
    struct sym_capsule_private *own = reader->own;
    check_registers(reader);
    sort_unique(&own->cpus, sizeof(struct kd_capsule_cpu), by_index);
    sort_unique(&own->registers, sizeof(struct sym_capsule_registers), by_thread);
    if (!sort_ids(reader))
        return;
    drop_doubles(reader);
    if (!sort_ids(reader))
        return;
    add_made_up_threads(reader);
    if (!sort_ids(reader))
        return;
    link_threads(reader);
    // qsort_r() need not keep the order they came in.
    struct sym_capsule_thread *threads = own->threads.at;
    for (size_t i = 0; i < own->threads.count; i++)
        threads[i].order_ = (uint32_t)i;
    if (own->threads.count > 1)
        qsort_r(threads, own->threads.count, sizeof(*threads), panicked_first, reader->capsule);
    sort_ids(reader);
}

static bool text_append(struct sym_capsule_text *text, size_t *capacity, const char *from,
                        size_t bytes)
{
    if (*capacity - text->bytes <= bytes) {
        size_t wanted = (text->bytes + bytes + 1) * 2;
        char *at = realloc(text->text, wanted);
        if (!at)
            return false;
        text->text = at;
        *capacity = wanted;
    }
    memcpy(text->text + text->bytes, from, bytes);
    text->bytes += bytes;
    text->text[text->bytes] = '\0';
    return true;
}

// The parts of one text, from number `first` on; returns the number of the next text's.
static size_t join_text(struct reader *reader, size_t first)
{
    static const char gap[] = "\n[... lost ...]\n";
    const struct part *parts = reader->own->parts.at;
    struct sym_capsule_text *text = rows_add(reader, &reader->own->texts, sizeof(*text));
    size_t capacity = 0, i = first;
    uint64_t expected = 0;
    if (!text)
        return reader->own->parts.count;
    memcpy(text->name, parts[first].name, sizeof(text->name));
    bool right = text_append(text, &capacity, "", 0);
    for (; i < reader->own->parts.count && !strcmp(parts[i].name, text->name) && right; i++) {
        if (parts[i].offset < expected)
            continue; // the same part once more
        if (parts[i].offset > expected)
            right = text_append(text, &capacity, gap, sizeof(gap) - 1);
        right = right && text_append(text, &capacity, parts[i].text, parts[i].bytes);
        expected = (uint64_t)parts[i].offset + parts[i].bytes;
    }
    if (!right)
        reader->failed = true;
    // Of the dead kernel's choosing: escape sequences are not for our terminal.
    for (size_t j = 0; j < text->bytes; j++)
        if (iscntrl((unsigned char)text->text[j]) && text->text[j] != '\n' && text->text[j] != '\t')
            text->text[j] = text->text[j] == '\r' ? ' ' : '?';
    return i;
}

static void finish_texts(struct reader *reader)
{
    sort(&reader->own->parts, sizeof(struct part), by_offset);
    for (size_t i = 0; i < reader->own->parts.count && !reader->failed;)
        i = join_text(reader, i);
}

static void check_whole(struct reader *reader)
{
    struct sym_capsule *capsule = reader->capsule;
    char text[100];
    size_t have = reader->own->block_count, wanted = capsule->summary.blocks;
    capsule->whole = wanted > 0 && have == wanted;
    if (wanted == 0) {
        snprintf(text, sizeof(text), "capsule %08x has no end: what came last is missing",
                 capsule->id);
        lose(reader, 0, text);
    } else if (have < wanted) {
        snprintf(text, sizeof(text), "capsule %08x: %zu of %zu blocks are lost", capsule->id,
                 wanted - have, wanted);
        lose(reader, 0, text);
    }
    if (!capsule->has_machine)
        lose(reader, 0, "the description of the machine is lost");
}

static void publish(struct sym_capsule *capsule)
{
    struct sym_capsule_private *own = capsule->private_;
    capsule->cpus = own->cpus.at;
    capsule->cpu_count = own->cpus.count;
    capsule->threads = own->threads.at;
    capsule->thread_count = own->threads.count;
    capsule->memory = own->memory.at;
    capsule->memory_count = own->memory.count;
    capsule->withheld = own->withheld.at;
    capsule->withheld_count = own->withheld.count;
    capsule->texts = own->texts.at;
    capsule->text_count = own->texts.count;
}

static void read_capsule(struct reader *reader)
{
    struct sym_capsule_private *own = reader->own;
    qsort(own->blocks, own->block_count, sizeof(*own->blocks), by_number);
    size_t kept = 0;
    for (size_t i = 0; i < own->block_count; i++)
        if (kept == 0 || own->blocks[kept - 1]->number != own->blocks[i]->number)
            own->blocks[kept++] = own->blocks[i];
    own->block_count = kept;
    for (size_t i = 0; i < kept && !reader->failed; i++)
        read_block(reader, own->blocks[i]);
    finish_register_table(reader);
    finish_types(reader);
    finish_threads(reader);
    part_memory(&own->memory);
    sort(&own->withheld, sizeof(struct kd_capsule_withheld), withheld_by_address);
    finish_texts(reader);
    check_whole(reader);
    publish(reader->capsule);
}

// -- the capsules of a text -----------------------------------------------------------------------

static struct sym_capsule *capsule_of(struct reader *reader, uint32_t id)
{
    struct sym_capsules *out = reader->out;
    for (size_t i = 0; i < out->count; i++)
        if (out->at[i].id == id)
            return &out->at[i];
    if (out->count == CAPSULES_MOST)
        return NULL;
    struct sym_capsule *capsule = &out->at[out->count];
    memset(capsule, 0, sizeof(*capsule));
    capsule->id = id;
    capsule->private_ = calloc(1, sizeof(*capsule->private_));
    if (!capsule->private_) {
        reader->failed = true;
        return NULL;
    }
    out->count++;
    capsule->private_->blocks = calloc(reader->blocks->count, sizeof(struct sym_capsule_block *));
    reader->failed = !capsule->private_->blocks;
    return reader->failed ? NULL : capsule;
}

static void share_out(struct reader *reader)
{
    for (size_t i = 0; i < reader->blocks->count && !reader->failed; i++) {
        struct sym_capsule_block *block = &reader->blocks->at[i];
        struct sym_capsule *capsule = capsule_of(reader, block->id);
        if (capsule)
            capsule->private_->blocks[capsule->private_->block_count++] = block;
        else if (!reader->failed)
            lose(reader, block->line, "a block of one capsule too many");
    }
}

struct error *sym_capsules_read(const char *text, size_t bytes, struct sym_capsules *out)
{
    struct sym_capsule_blocks *blocks = calloc(1, sizeof(*blocks));
    *out = (struct sym_capsules){.at = calloc(CAPSULES_MOST, sizeof(*out->at)), .blocks_ = blocks};
    if (!blocks || !out->at)
        return error_errno("reading the panic capsule");
    struct error *error = sym_capsule_blocks_read(text, bytes, blocks);
    struct reader reader = {.out = out, .blocks = blocks};
    if (!error)
        share_out(&reader);
    for (size_t i = 0; i < out->count && !error && !reader.failed; i++) {
        reader.capsule = &out->at[i];
        reader.own = out->at[i].private_;
        read_capsule(&reader);
    }
    if (!error && reader.failed)
        error = error_errno("reading the panic capsule");
    out->losses = blocks->losses;
    blocks->losses = (struct sym_capsule_losses){0};
    return error;
}

static void capsule_deinit(struct sym_capsule *capsule)
{
    struct sym_capsule_private *own = capsule->private_;
    struct sym_capsule_text *texts = own->texts.at;
    for (size_t i = 0; i < own->texts.count; i++)
        free(texts[i].text);
    free(own->cpus.at);
    free(own->threads.at);
    free(own->registers.at);
    free(own->memory.at);
    free(own->withheld.at);
    free(own->parts.at);
    free(own->texts.at);
    free(own->type_parts.at);
    free(own->types);
    free(own->by_id);
    free(own->blocks);
    free(own);
}

void sym_capsules_deinit(struct sym_capsules *capsules)
{
    for (size_t i = 0; i < capsules->count; i++)
        capsule_deinit(&capsules->at[i]);
    free(capsules->at);
    free(capsules->losses.at);
    if (capsules->blocks_)
        sym_capsule_blocks_deinit(capsules->blocks_);
    free(capsules->blocks_);
    *capsules = (struct sym_capsules){0};
}

// -- questions ------------------------------------------------------------------------------------

const struct sym_capsule_thread *sym_capsule_thread_find(const struct sym_capsule *capsule,
                                                         int64_t id)
{
    return find_thread(capsule->private_, id);
}

const struct sym_capsule_text *sym_capsule_text_find(const struct sym_capsule *capsule,
                                                     const char *name)
{
    for (size_t i = 0; i < capsule->text_count; i++)
        if (!strcmp(capsule->texts[i].name, name))
            return &capsule->texts[i];
    return NULL;
}

const uint8_t *sym_capsule_register(const struct sym_capsule *capsule,
                                    const struct sym_capsule_thread *thread, unsigned number)
{
    const struct sym_capsule_registers *registers = thread->registers;
    if (!registers || number >= capsule->row_count)
        return NULL;
    const struct kd_capsule_register_row *row = &capsule->rows[number];
    if (row->offset == KD_CAPSULE_NO_VALUE || !(registers->known[number / 8] >> number % 8 & 1))
        return NULL;
    return registers->values + row->offset;
}

size_t sym_capsule_memory_read(const struct sym_capsule *capsule, uint64_t address, void *to,
                               size_t length)
{
    const struct sym_capsule_memory *ranges = capsule->memory;
    size_t low = 0, high = capsule->memory_count, done = 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ranges[middle].address + (ranges[middle].bytes - 1) < address)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < capsule->memory_count && done < length; low++) {
        uint64_t at = address + done;
        if (at < address || at < ranges[low].address)
            break;
        uint64_t offset = at - ranges[low].address, part = ranges[low].bytes - offset;
        if (part > length - done)
            part = length - done;
        memcpy((char *)to + done, ranges[low].data + offset, part);
        done += part;
    }
    return done;
}

const struct kd_capsule_withheld *sym_capsule_withheld_at(const struct sym_capsule *capsule,
                                                          uint64_t address)
{
    // They are few, and nobody asks often.
    for (size_t i = 0; i < capsule->withheld_count; i++)
        if (address >= capsule->withheld[i].address &&
            address - capsule->withheld[i].address < capsule->withheld[i].bytes)
            return &capsule->withheld[i];
    return NULL;
}

const char *sym_capsule_thread_state_name(uint8_t state)
{
    static const char *const names[] = {"running", "ready", "sleeping", "blocked", "exited"};
    return state < sizeof(names) / sizeof(*names) ? names[state] : "in an unknown state";
}
