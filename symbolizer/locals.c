// SPDX-License-Identifier: MIT
// See locals.h. Which functions lie at an address is the scanner's answer (dwarf.h), which is
// quick; the entries of those few functions are then read one by one (die.h).
#include "symbolizer/locals.h"

#include <libdwarf/dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/location.h"
#include "symbolizer/type_print.h"

enum {
    BLOCKS_MOST = 32,        // blocks within blocks
    VALUE_BYTES_MOST = 4096, // of a printed value
};

// -- variables ------------------------------------------------------------------------------------

struct walk {
    const struct sym_place_context *context;
    struct sym_debug *debug;
    sym_local_fn *local;
    void *argument;
    unsigned blocks;
};

static bool read_constant(struct sym_debug *debug, struct sym_die die, size_t size,
                          struct sym_value *out)
{
    struct sym_bytes block;
    uint64_t number;
    if (sym_die_block(debug, die, DW_AT_const_value, &block))
        sym_value_constant(block.data, block.size, size, out);
    else if (sym_die_number(debug, die, DW_AT_const_value, &number))
        sym_value_constant(&number, sizeof(number), size, out);
    else
        return false;
    return true;
}

static void read_value(const struct walk *walk, struct sym_die die, struct sym_die type,
                       struct sym_value *value)
{
    uint64_t size;
    *value = (struct sym_value){0};
    if (!sym_type_size(walk->debug, type, &size)) {
        value->why = "of a size that is not known";
        return;
    }
    if (!sym_value_locate(walk->context, die, DW_AT_location, size, value) &&
        !read_constant(walk->debug, die, size, value))
        value->why = "optimized out";
}

// The text is cut rather than longer than anybody reads.
static char *print_value(const struct walk *walk, struct sym_die type,
                         const struct sym_value *value)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    if (!out)
        return NULL;
    sym_value_print(walk->context, type, value, out);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    if (bytes > VALUE_BYTES_MOST)
        strcpy(text + VALUE_BYTES_MOST - 4, "...");
    return text;
}

static void tell_variable(const struct walk *walk, struct sym_die die, bool is_argument)
{
    const char *name = sym_die_name(walk->debug, die);
    struct sym_die type = sym_die_reference(walk->debug, die, DW_AT_type);
    if (name && sym_die_is(type)) {
        struct sym_value value;
        read_value(walk, die, type, &value);
        char *type_name = sym_type_name(walk->debug, type);
        char *text = print_value(walk, type, &value);
        struct sym_local local = {
            .name = name,
            .type = type_name ? type_name : "?",
            .value = text ? text : "<no memory to print it>",
            .argument = is_argument,
            .known = !value.why && value.size > 0,
        };
        walk->local(&local, walk->argument);
        free(type_name);
        free(text);
        sym_value_deinit(&value);
    }
}

static bool visit(struct sym_debug *debug, struct sym_die child, void *argument)
{
    struct walk *walk = argument;
    uint32_t tag = sym_die_tag(child);
    if (tag == DW_TAG_formal_parameter ||
        (tag == DW_TAG_variable && !sym_die_flag(debug, child, DW_AT_declaration))) {
        tell_variable(walk, child, tag == DW_TAG_formal_parameter);
    } else if (tag == DW_TAG_lexical_block && walk->blocks < BLOCKS_MOST &&
               sym_die_covers(debug, child, walk->context->pc)) {
        walk->blocks++;
        sym_die_each_child(debug, child, visit, walk);
        walk->blocks--;
    }
    return true;
}

// -- frames ---------------------------------------------------------------------------------------

static void tell_scope(const struct sym_debug_chain *chain, size_t index,
                       struct sym_place_context *context, sym_scope_fn *scope, sym_local_fn *local,
                       void *argument)
{
    struct sym_debug *debug = context->debug;
    struct sym_die die = chain->dies[index];
    struct sym_local_scope told = {
        .function = sym_die_name(debug, die),
        .inlined = (unsigned)(chain->count - 1 - index),
        .innermost = index + 1 == chain->count,
        .outermost = index == 0,
    };
    if (scope)
        scope(&told, argument);
    struct walk walk = {context, debug, local, argument, 0};
    if (local)
        sym_die_each_child(debug, die, visit, &walk);
}

struct error *sym_locals_each(const struct sym_dead *dead, struct sym_debug *debug,
                              const struct sym_unwinder *unwinder,
                              const struct sym_unwind_frame *frame, sym_scope_fn *scope,
                              sym_local_fn *local, void *argument, const char **missing)
{
    struct sym_debug_chain chain;
    unsigned questions = 0;
    struct sym_place_context context = {
        .dead = dead,
        .debug = debug,
        .registers = &frame->registers,
        .pc = sym_unwind_lookup_pc(unwinder, frame),
        .has_cfa = frame->has_cfa,
        .cfa = frame->cfa,
        .unwinder = unwinder,
        .frame = frame,
        .questions = &questions,
    };
    struct error *error = sym_debug_chain_at(debug, context.pc, &chain);
    *missing = chain.missing;
    if (error || chain.count == 0)
        return error;
    context.function = chain.dies[0];
    for (size_t i = chain.count; i-- > 0;)
        tell_scope(&chain, i, &context, scope, local, argument);
    return NULL;
}
