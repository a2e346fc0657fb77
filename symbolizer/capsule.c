// SPDX-License-Identifier: MIT
// See capsule.h. capsule_blocks.c finds the blocks; here they are shared out among the capsules
// that the text holds. Each is then read (capsule_records.c) and put together (capsule_join.c).
#include "symbolizer/capsule_private.h"

#include <stdlib.h>
#include <string.h>

enum {
    CAPSULES_MOST = 64,
};

void *sym_capsule_row_add(struct sym_capsule_reader *reader, struct sym_capsule_rows *rows,
                          size_t row_bytes)
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

void sym_capsule_lose(struct sym_capsule_reader *reader, size_t line, const char *text)
{
    sym_capsule_lose_(&reader->blocks->losses, &reader->blocks->losses_capacity, line, "%s", text);
}

// -- the capsules of a text -----------------------------------------------------------------------

static struct sym_capsule *capsule_of(struct sym_capsule_reader *reader, uint32_t id)
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

static void share_out(struct sym_capsule_reader *reader)
{
    for (size_t i = 0; i < reader->blocks->count && !reader->failed; i++) {
        struct sym_capsule_block *block = &reader->blocks->at[i];
        struct sym_capsule *capsule = capsule_of(reader, block->id);
        if (capsule)
            capsule->private_->blocks[capsule->private_->block_count++] = block;
        else if (!reader->failed)
            sym_capsule_lose(reader, block->line, "a block of one capsule too many");
    }
}

struct error *sym_capsules_read(const char *text, size_t bytes, struct sym_capsules *out)
{
    struct sym_capsule_blocks *blocks = calloc(1, sizeof(*blocks));
    *out = (struct sym_capsules){.at = calloc(CAPSULES_MOST, sizeof(*out->at)), .blocks_ = blocks};
    if (!blocks || !out->at)
        return error_errno("reading the panic capsule");
    struct error *error = sym_capsule_blocks_read(text, bytes, blocks);
    struct sym_capsule_reader reader = {.out = out, .blocks = blocks};
    if (!error)
        share_out(&reader);
    for (size_t i = 0; i < out->count && !error && !reader.failed; i++) {
        reader.capsule = &out->at[i];
        reader.own = out->at[i].private_;
        sym_capsule_put_together(&reader);
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
    return sym_capsule_own_thread(capsule->private_, id);
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
