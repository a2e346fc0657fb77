// SPDX-License-Identifier: MIT
// See entry_value.h. DWARF 4 has call sites as an extension of GNU's, with other numbers for the
// same things; both are understood.
#include "symbolizer/entry_value.h"

#include <string.h>

#include "symbolizer/unwind.h"

enum {
    CALLERS_MOST = 8, // a caller's value may be its own caller's
    NESTED_MOST = 64, // blocks and inlined calls around the call
};

struct search {
    uint64_t return_pc; // as linked
    const char *callee; // the function that was entered
    unsigned number;    // of the register
    unsigned nested;
    bool found;            // the call site
    Dwarf_Attribute value; // NULL: it does not tell
};

static bool read_address(struct sym_debug *debug, Dwarf_Die die, Dwarf_Half name, uint64_t *out)
{
    return sym_debug_number(debug, sym_debug_attribute(debug, die, name), dwarf_formaddr, out);
}

// Whether an attribute is the location "in that register".
static bool is_register(struct sym_debug *debug, Dwarf_Attribute location, unsigned number)
{
    Dwarf_Unsigned bytes = 0;
    Dwarf_Ptr expression = NULL;
    Dwarf_Error error = NULL;
    int result = dwarf_formexprloc(location, &bytes, &expression, &error);
    if (result == DW_DLV_ERROR)
        sym_debug_forget(debug, error);
    return result == DW_DLV_OK && bytes == 1 && number <= 31 &&
           *(const uint8_t *)expression == DW_OP_reg0 + number;
}

static bool look_at_parameter(struct sym_debug *debug, Dwarf_Die child, void *argument)
{
    struct search *search = argument;
    Dwarf_Half tag = sym_debug_tag(child);
    if (tag != DW_TAG_call_site_parameter && tag != DW_TAG_GNU_call_site_parameter)
        return true;
    Dwarf_Attribute location = sym_debug_attribute(debug, child, DW_AT_location);
    if (!location)
        return true;
    bool ours = is_register(debug, location, search->number);
    dwarf_dealloc_attribute(location);
    if (!ours)
        return true;
    search->value = sym_debug_attribute(debug, child, DW_AT_call_value);
    if (!search->value)
        search->value = sym_debug_attribute(debug, child, DW_AT_GNU_call_site_value);
    return false;
}

// The call must be known to be one of our function: one that was called may have jumped on into
// ours, with other registers.
static bool calls_us(struct sym_debug *debug, Dwarf_Die site, const char *callee)
{
    Dwarf_Die origin = sym_debug_reference(debug, site, DW_AT_call_origin);
    if (!origin)
        origin = sym_debug_reference(debug, site, DW_AT_abstract_origin);
    if (!origin)
        return false;
    const char *name = sym_debug_name(debug, origin);
    dwarf_dealloc_die(origin);
    return name && callee && !strcmp(name, callee);
}

static bool visit(struct sym_debug *debug, Dwarf_Die child, void *argument)
{
    struct search *search = argument;
    Dwarf_Half tag = sym_debug_tag(child);
    uint64_t address;
    if (tag == DW_TAG_call_site || tag == DW_TAG_GNU_call_site) {
        bool there = read_address(debug, child, DW_AT_call_return_pc, &address) ||
                     read_address(debug, child, DW_AT_low_pc, &address);
        if (!there || address != search->return_pc)
            return true;
        search->found = true;
        if (calls_us(debug, child, search->callee))
            sym_debug_each_child(debug, child, look_at_parameter, search);
    } else if ((tag == DW_TAG_lexical_block || tag == DW_TAG_inlined_subroutine) &&
               search->nested < NESTED_MOST) {
        search->nested++;
        sym_debug_each_child(debug, child, visit, search);
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
    if (!context->unwinder || !context->function || context->callers >= CALLERS_MOST ||
        !find_caller(context, &caller))
        return false;
    uint64_t pc = sym_unwind_lookup_pc(context->unwinder, &caller);
    struct error *error = sym_debug_chain_at(debug, pc, &chain);
    error_free(error);
    Dwarf_Die function = error || chain.count == 0 ? NULL : sym_debug_entry(debug, chain.dies[0]);
    if (!function)
        return false;
    struct search search = {
        .return_pc = pc + 1,
        .callee = sym_debug_name(debug, context->function),
        .number = number,
    };
    sym_debug_each_child(debug, function, visit, &search);
    struct sym_place_context outer = {
        .dead = context->dead,
        .debug = debug,
        .registers = &caller.registers,
        .pc = pc,
        .has_cfa = caller.has_cfa,
        .cfa = caller.cfa,
        .function = function,
        .unwinder = context->unwinder,
        .frame = &caller,
        .callers = context->callers + 1,
    };
    bool right = search.value && sym_evaluate_attribute(&outer, search.value, value);
    if (search.value)
        dwarf_dealloc_attribute(search.value);
    dwarf_dealloc_die(function);
    return right;
}
