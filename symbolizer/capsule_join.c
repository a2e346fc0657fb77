// SPDX-License-Identifier: MIT
// One machine out of the records of a capsule: sorted, each once, with what belongs together
// linked, and with what is missing told. Called by capsule.c.
#include "symbolizer/capsule_private.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    const struct sym_capsule_part *a = left, *b = right;
    int names = strcmp(a->name, b->name);
    if (names)
        return names;
    return a->offset != b->offset ? compare(a->offset, b->offset) : compare(a->order, b->order);
}

static void sort(struct sym_capsule_rows *rows, size_t row_bytes,
                 int (*order)(const void *, const void *))
{
    if (rows->count > 1)
        qsort(rows->at, rows->count, row_bytes, order);
}

// Of rows that are equal in order, keeps one.
static void sort_unique(struct sym_capsule_rows *rows, size_t row_bytes,
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
static void part_memory(struct sym_capsule_rows *rows)
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

static void finish_register_table(struct sym_capsule_reader *reader)
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
        sym_capsule_lose(reader, 0, "the register table is lost, and with it the registers");
}

// The XML of types is used whole or not at all.
static void finish_types(struct sym_capsule_reader *reader)
{
    struct sym_capsule_rows *parts = &reader->own->type_parts;
    size_t wanted = reader->capsule->register_set.types_bytes, have = 0;
    sort(parts, sizeof(struct sym_capsule_part), by_offset);
    const struct sym_capsule_part *at = parts->at;
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
        sym_capsule_lose(reader, 0, "the types of registers are lost: flags are shown as numbers");
}

static int by_id(const void *left, const void *right, void *threads)
{
    const struct sym_capsule_thread *all = threads;
    size_t a = *(const size_t *)left, b = *(const size_t *)right;
    if (all[a].id != all[b].id)
        return compare((uint64_t)all[a].id, (uint64_t)all[b].id);
    return compare(a, b);
}

static bool sort_ids(struct sym_capsule_reader *reader)
{
    struct sym_capsule_rows *threads = &reader->own->threads;
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

struct sym_capsule_thread *sym_capsule_own_thread(const struct sym_capsule_private *own, int64_t id)
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
static void drop_doubles(struct sym_capsule_reader *reader)
{
    struct sym_capsule_rows *rows = &reader->own->threads;
    struct sym_capsule_thread *threads = rows->at;
    size_t kept = 0;
    for (size_t i = 0; i < rows->count; i++)
        if (sym_capsule_own_thread(reader->own, threads[i].id) != &threads[i])
            threads[i].recorded = false;
    for (size_t i = 0; i < rows->count; i++)
        if (threads[i].recorded)
            threads[kept++] = threads[i];
    rows->count = kept;
}

static void add_made_up_threads(struct sym_capsule_reader *reader)
{
    const struct kd_capsule_cpu *cpus = reader->own->cpus.at;
    size_t recorded = reader->own->threads.count;
    for (size_t i = 0; i < reader->own->cpus.count; i++) {
        struct sym_capsule_rows *rows = &reader->own->threads;
        size_t before = rows->count;
        rows->count = recorded; // by_id knows so many
        bool there = sym_capsule_own_thread(reader->own, cpus[i].thread);
        rows->count = before;
        const struct sym_capsule_thread *all = rows->at;
        for (size_t j = recorded; j < before && !there; j++)
            there = all[j].id == cpus[i].thread;
        if (there)
            continue;
        struct sym_capsule_thread *thread = sym_capsule_row_add(reader, rows, sizeof(*thread));
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

static void link_threads(struct sym_capsule_reader *reader)
{
    struct sym_capsule_private *own = reader->own;
    const struct kd_capsule_cpu *cpus = own->cpus.at;
    const struct sym_capsule_registers *registers = own->registers.at;
    for (size_t i = 0; i < own->cpus.count; i++) {
        struct sym_capsule_thread *thread = sym_capsule_own_thread(own, cpus[i].thread);
        if (thread && !thread->running_on)
            thread->running_on = &cpus[i];
    }
    for (size_t i = 0; i < own->registers.count && reader->capsule->row_count; i++) {
        struct sym_capsule_thread *thread = sym_capsule_own_thread(own, registers[i].thread);
        if (thread)
            thread->registers = &registers[i];
    }
}

// Those whose values are not all there go; the register set may have come behind them.
static void check_registers(struct sym_capsule_reader *reader)
{
    struct sym_capsule_rows *rows = &reader->own->registers;
    struct sym_capsule_registers *registers = rows->at;
    size_t kept = 0;
    for (size_t i = 0; i < rows->count; i++)
        if (registers[i].value_bytes >= reader->capsule->register_set.value_bytes)
            registers[kept++] = registers[i];
    if (kept < rows->count)
        sym_capsule_lose(reader, 0,
                         "registers are lost: their records do not fit the register table");
    rows->count = kept;
}

static void finish_threads(struct sym_capsule_reader *reader)
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
static size_t join_text(struct sym_capsule_reader *reader, size_t first)
{
    static const char gap[] = "\n[... lost ...]\n";
    const struct sym_capsule_part *parts = reader->own->parts.at;
    struct sym_capsule_text *text = sym_capsule_row_add(reader, &reader->own->texts, sizeof(*text));
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

static void finish_texts(struct sym_capsule_reader *reader)
{
    sort(&reader->own->parts, sizeof(struct sym_capsule_part), by_offset);
    for (size_t i = 0; i < reader->own->parts.count && !reader->failed;)
        i = join_text(reader, i);
}

static void check_whole(struct sym_capsule_reader *reader)
{
    struct sym_capsule *capsule = reader->capsule;
    char text[100];
    size_t have = reader->own->block_count, wanted = capsule->summary.blocks;
    capsule->whole = wanted > 0 && have == wanted;
    if (wanted == 0) {
        snprintf(text, sizeof(text), "capsule %08x has no end: what came last is missing",
                 capsule->id);
        sym_capsule_lose(reader, 0, text);
    } else if (have < wanted) {
        snprintf(text, sizeof(text), "capsule %08x: %zu of %zu blocks are lost", capsule->id,
                 wanted - have, wanted);
        sym_capsule_lose(reader, 0, text);
    }
    if (!capsule->has_machine)
        sym_capsule_lose(reader, 0, "the description of the machine is lost");
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

void sym_capsule_put_together(struct sym_capsule_reader *reader)
{
    struct sym_capsule_private *own = reader->own;
    qsort(own->blocks, own->block_count, sizeof(*own->blocks), by_number);
    size_t kept = 0;
    for (size_t i = 0; i < own->block_count; i++)
        if (kept == 0 || own->blocks[kept - 1]->number != own->blocks[i]->number)
            own->blocks[kept++] = own->blocks[i];
    own->block_count = kept;
    for (size_t i = 0; i < kept && !reader->failed; i++)
        sym_capsule_read_block(reader, own->blocks[i]);
    finish_register_table(reader);
    finish_types(reader);
    finish_threads(reader);
    part_memory(&own->memory);
    sort(&own->withheld, sizeof(struct kd_capsule_withheld), withheld_by_address);
    finish_texts(reader);
    check_whole(reader);
    publish(reader->capsule);
}
