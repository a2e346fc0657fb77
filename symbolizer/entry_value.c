// SPDX-License-Identifier: MIT
// See entry_value.h. DWARF 4 has call sites as an extension of GNU's, with other numbers for the
// same things; both are understood.
#include "symbolizer/entry_value.h"

#include <libdwarf/dwarf.h>
#include <string.h>

#include "symbolizer/unwind.h"

enum {
    CALLERS_MOST = 8,      // a caller's value may be its own caller's
    QUESTIONS_MOST = 2000, // of one frame's variables: each may lead to several more
    NESTED_MOST = 64,      // blocks and inlined calls around the call
};

struct search {
    uint64_t return_pc; // as linked
    const char *callee; // the function that was entered
    unsigned number;    // of the register
    unsigned nested;
    bool found;               // the call site
    struct sym_die parameter; // {0}: it does not tell
};

// Whether an entry's location is "in that register".
static bool is_register(struct sym_debug *debug, struct sym_die die, unsigned number)
{
    struct sym_bytes expression;
    return sym_die_block(debug, die, DW_AT_location, &expression) && expression.size == 1 &&
           number <= 31 && *expression.data == DW_OP_reg0 + number;
}

static bool look_at_parameter(struct sym_debug *debug, struct sym_die child, void *argument)
{
    struct search *search = argument;
    uint32_t tag = sym_die_tag(child);
    if ((tag != DW_TAG_call_site_parameter && tag != DW_TAG_GNU_call_site_parameter) ||
        !is_register(debug, child, search->number))
        return true;
    search->parameter = child;
    return false;
}

// The call must be known to be one of our function: one that was called may have jumped on into
// ours, with other registers.
static bool calls_us(struct sym_debug *debug, struct sym_die site, const char *callee)
{
    struct sym_die origin = sym_die_reference(debug, site, DW_AT_call_origin);
    if (!sym_die_is(origin))
        origin = sym_die_reference(debug, site, DW_AT_abstract_origin);
    const char *name = sym_die_name(debug, origin);
    return name && callee && !strcmp(name, callee);
}

static bool visit(struct sym_debug *debug, struct sym_die child, void *argument)
{
    struct search *search = argument;
    uint32_t tag = sym_die_tag(child);
    uint64_t address;
    if (tag == DW_TAG_call_site || tag == DW_TAG_GNU_call_site) {
        bool there = sym_die_address(debug, child, DW_AT_call_return_pc, &address) ||
                     sym_die_address(debug, child, DW_AT_low_pc, &address);
        if (!there || address != search->return_pc)
            return true;
        search->found = true;
        if (calls_us(debug, child, search->callee))
            sym_die_each_child(debug, child, look_at_parameter, search);
    } else if ((tag == DW_TAG_lexical_block || tag == DW_TAG_inlined_subroutine) &&
               search->nested < NESTED_MOST) {
        search->nested++;
        sym_die_each_child(debug, child, visit, search);
        search->nested--;
    }
    return !search->found;
}

// The frame that called, with its own beginning.
static bool find_caller(const struct sym_place_context *context, struct sym_unwind_frame *caller)
{
    *caller = *context->frame;
    if (!sym_unwind_next(context->unwinder, caller, NULL) || caller->exact)
        return false;
    struct sym_unwind_frame further = *caller;
    sym_unwind_next(context->unwinder, &further, caller);
    return true;
}

bool sym_entry_value(const struct sym_place_context *context, unsigned number, uint64_t *value)
{
    struct sym_debug *debug = context->debug;
    struct sym_unwind_frame caller;
    struct sym_debug_chain chain;
    if (!context->unwinder || !sym_die_is(context->function) || context->callers >= CALLERS_MOST ||
        ++*context->questions > QUESTIONS_MOST || !find_caller(context, &caller))
        return false;
    uint64_t pc = sym_unwind_lookup_pc(context->unwinder, &caller);
    struct error *error = sym_debug_chain_at(debug, pc, &chain);
    error_free(error);
    if (error || chain.count == 0)
        return false;
    struct search search = {
        .return_pc = pc + 1,
        .callee = sym_die_name(debug, context->function),
        .number = number,
    };
    sym_die_each_child(debug, chain.dies[0], visit, &search);
    struct sym_place_context outer = {
        .dead = context->dead,
        .debug = debug,
        .registers = &caller.registers,
        .pc = pc,
        .has_cfa = caller.has_cfa,
        .cfa = caller.cfa,
        .function = chain.dies[0],
        .unwinder = context->unwinder,
        .frame = &caller,
        .callers = context->callers + 1,
        .questions = context->questions,
    };
    return sym_evaluate_attribute(&outer, search.parameter, DW_AT_call_value, value) ||
           sym_evaluate_attribute(&outer, search.parameter, DW_AT_GNU_call_site_value, value);
}
