// SPDX-License-Identifier: MIT
// See location.h. evaluate.c finds the place; here the bytes that are there are fetched, piece by
// piece where a variable is in several places.
#include "symbolizer/location.h"

#include <stdlib.h>
#include <string.h>

#include "symbolizer/evaluate.h"

// -- from where -----------------------------------------------------------------------------------

static void copy_memory(const struct sym_dead *dead, uint64_t address, struct sym_value *out,
                        size_t at, size_t size)
{
    for (size_t done = 0; done < size;) {
        size_t part = sym_dead_read(dead, address + done, out->bytes + at + done, size - done);
        memset(out->known + at + done, 1, part);
        done += part ? part : 1;
    }
}

static void copy_bytes(struct sym_value *out, size_t at, size_t size, const void *from,
                       size_t count)
{
    size_t part = count < size ? count : size;
    memcpy(out->bytes + at, from, part);
    memset(out->known + at, 1, part);
}

// Puts the present location's contents into `size` bytes of the value.
static void put_contents(const struct sym_evaluation *e, struct sym_value *out, size_t at,
                         size_t size)
{
    const struct sym_registers *registers = e->context->registers;
    uint64_t top = e->depth > 0 ? e->stack[e->depth - 1] : 0;
    switch (e->kind) {
    case SYM_IN_MEMORY:
        copy_memory(e->context->dead, top, out, at, size);
        break;
    case SYM_IN_REGISTER:
        if (registers && e->register_number < SYM_REGISTERS && registers->known[e->register_number])
            copy_bytes(out, at, size, &registers->value[e->register_number], 8);
        break;
    case SYM_IS_VALUE:
        copy_bytes(out, at, size, &top, sizeof(top));
        break;
    case SYM_IS_BYTES:
        copy_bytes(out, at, size, e->bytes.data, e->bytes.size);
        break;
    case SYM_IS_EMPTY:
        break;
    }
}

static bool any_known(const struct sym_value *value)
{
    return value->size > 0 && memchr(value->known, 1, value->size);
}

static void put_whole(const struct sym_evaluation *e, struct sym_value *out)
{
    put_contents(e, out, 0, out->size);
    out->in_memory = e->kind == SYM_IN_MEMORY;
    out->address = out->in_memory ? e->stack[e->depth - 1] : 0;
}

static void evaluate(struct sym_evaluation *e, struct sym_value *out)
{
    size_t end = 0; // of the pieces so far
    bool pieced = false;
    enum sym_evaluation_end how;
    while ((how = sym_evaluation_run(e)) == SYM_EVALUATION_PIECE) {
        size_t left = out->size - end, size = e->piece_bytes < left ? e->piece_bytes : left;
        put_contents(e, out, end, size);
        end += size;
        pieced = true;
        sym_evaluation_next_piece(e);
    }
    if (how == SYM_EVALUATION_ENDED && !pieced)
        put_whole(e, out);
    if (any_known(out))
        return;
    out->why = how == SYM_EVALUATION_FAILED ? e->why
               : out->in_memory             ? "its memory is not in the capsule"
               : e->kind == SYM_IN_REGISTER ? "in a register that was not kept"
                                            : "optimized out";
}

// -- what others call -----------------------------------------------------------------------------

bool sym_evaluate_attribute(const struct sym_place_context *context, struct sym_die die,
                            unsigned name, uint64_t *result)
{
    struct sym_expression expression;
    struct sym_evaluation e;
    if (sym_die_place(context->debug, die, name, context->pc, &expression) != SYM_PLACE_FOUND)
        return false;
    sym_evaluation_begin(&e, context, &expression);
    return sym_evaluation_number(&e, result);
}

bool sym_evaluate(const struct sym_place_context *context, struct sym_bytes bytes,
                  const uint64_t *initial, uint64_t *result)
{
    struct sym_expression expression = {
        .bytes = bytes,
        .address_bytes = context->debug->elf->wide ? 8 : 4,
        .offset_bytes = 4,
    };
    struct sym_evaluation e;
    sym_evaluation_begin(&e, context, &expression);
    if (initial && !sym_evaluation_push(&e, *initial))
        return false;
    return sym_evaluation_number(&e, result);
}

static bool value_init(struct sym_value *out, size_t size)
{
    *out = (struct sym_value){.size = size < SYM_VALUE_MOST ? size : SYM_VALUE_MOST};
    out->bytes = calloc(1, out->size + 8);
    out->known = calloc(1, out->size + 8);
    if (out->bytes && out->known)
        return true;
    out->size = 0;
    out->why = "no memory for it";
    return false;
}

bool sym_value_locate(const struct sym_place_context *context, struct sym_die die, unsigned name,
                      size_t size, struct sym_value *out)
{
    struct sym_expression expression;
    struct sym_evaluation e;
    enum sym_place_kind kind = sym_die_place(context->debug, die, name, context->pc, &expression);
    if (kind == SYM_PLACE_NONE || !value_init(out, size))
        return kind != SYM_PLACE_NONE;
    if (kind == SYM_PLACE_GONE) {
        out->why = "optimized out";
        return true;
    }
    sym_evaluation_begin(&e, context, &expression);
    evaluate(&e, out);
    return true;
}

void sym_value_at(const struct sym_place_context *context, uint64_t address, size_t size,
                  struct sym_value *out)
{
    if (!value_init(out, size))
        return;
    copy_memory(context->dead, address, out, 0, out->size);
    out->in_memory = true;
    out->address = address;
    if (!any_known(out))
        out->why = "its memory is not in the capsule";
}

void sym_value_constant(const void *bytes, size_t count, size_t size, struct sym_value *out)
{
    if (value_init(out, size))
        copy_bytes(out, 0, out->size, bytes, count);
}

void sym_value_deinit(struct sym_value *value)
{
    free(value->bytes);
    free(value->known);
    *value = (struct sym_value){0};
}
