// SPDX-License-Identifier: MIT
// Walks a unit's entries once and keeps its functions and the calls inlined into them. Nearly all
// entries are none of those: the loop passes them without looking at their values, and where an
// entry says where its sibling is, passes its children too.
//
// Invariant: parents[d] is the scope that entries at depth d lie in, for every d up to the present
// depth; the walk only ever moves forward, so that it ends.
#include "symbolizer/dwarf_private.h"

struct walk {
    struct sym_unit_storage *storage;
    const struct dw_context *context;
    const uint8_t *at, *end;
    const uint8_t *base;
    bool types; // functions may stand in types
    bool swap;
    uint32_t depth;
};

static struct error *damaged(const struct walk *walk, const uint8_t *at, const char *what)
{
    return dw_damaged(walk->context->file, DW_INFO, (uint64_t)(at - walk->base), what);
}

// What an entry of a function says of itself.
struct function_entry {
    struct dw_value low, high, ranges, origin, specification;
    uint64_t call_file, call_line, call_column, call_discriminator;
    const uint8_t *sibling;
    bool named; // by itself, in part at least
};

static uint32_t number_or(uint64_t number, uint32_t otherwise)
{
    return number < UINT32_MAX ? (uint32_t)number : otherwise;
}

static void take_attribute(struct walk *walk, struct function_entry *entry, unsigned name,
                           const struct dw_value *value)
{
    switch (name) {
    case DW_AT_low_pc:
        entry->low = *value;
        break;
    case DW_AT_high_pc:
        entry->high = *value;
        break;
    case DW_AT_ranges:
        entry->ranges = *value;
        break;
    case DW_AT_abstract_origin:
        entry->origin = *value;
        break;
    case DW_AT_specification:
        entry->specification = *value;
        break;
    case DW_AT_name:
    case DW_AT_linkage_name:
    case DW_AT_MIPS_linkage_name:
    case DW_AT_decl_file:
    case DW_AT_decl_line:
        entry->named = true;
        break;
    case DW_AT_call_file:
        entry->call_file = value->number;
        break;
    case DW_AT_call_line:
        entry->call_line = value->number;
        break;
    case DW_AT_call_column:
        entry->call_column = value->number;
        break;
    case DW_AT_GNU_discriminator:
        entry->call_discriminator = value->number;
        break;
    case DW_AT_sibling:
        if (value->class == DW_REFERENCE && value->number < (uint64_t)(walk->end - walk->base))
            entry->sibling = walk->base + value->number;
        break;
    default:
        break;
    }
}

// Moves walk->at past the entry.
static struct error *read_entry(struct walk *walk, const struct dw_abbrev *abbrev,
                                struct function_entry *entry)
{
    const struct dw_context *context = walk->context;
    const struct dw_attribute_row *row = &context->abbrevs->attributes[abbrev->first_attribute];
    struct sym_cursor cursor = {walk->at, walk->end, walk->base, false, walk->swap, NULL};
    *entry = (struct function_entry){.call_file = SYM_NONE};
    for (uint32_t i = 0; i < abbrev->attribute_count; i++, row++) {
        struct dw_value value;
        if (!dw_read_value(context->file, context->header, &cursor, row->form, row->constant,
                           &value))
            return damaged(walk, walk->base + sym_cursor_offset(&cursor),
                           "an attribute that is cut short or of an unknown form");
        take_attribute(walk, entry, row->name, &value);
    }
    walk->at = cursor.at;
    return NULL;
}

static struct error *add_scope(struct walk *walk, const struct function_entry *entry,
                               uint64_t offset, uint32_t parent, bool inlined, uint32_t *scope)
{
    struct sym_unit_storage *storage = walk->storage;
    *scope = SYM_NONE;
    size_t first = storage->scope_range_count;
    struct error *error = dw_ranges_add(walk->context, &entry->low, &entry->high, &entry->ranges,
                                        &storage->scope_ranges, &storage->scope_range_count,
                                        &storage->scope_range_capacity);
    if (error || storage->scope_range_count == first)
        return error;
    if (storage->scope_range_count >= SYM_NONE ||
        !DW_GROW(storage->scopes, storage->scope_capacity, storage->scope_count))
        return dw_no_memory(walk->context->file);

    // An entry that says nothing of itself is a copy: all copies share the origin's record.
    uint64_t naming = offset;
    if (!entry->named && entry->origin.class == DW_REFERENCE)
        naming = entry->origin.number;
    struct sym_scope *row = &storage->scopes[storage->scope_count];
    *row = (struct sym_scope){
        .parent = inlined ? parent : SYM_NONE,
        .first_range = (uint32_t)first,
        .range_count = (uint32_t)(storage->scope_range_count - first),
        .call_file = number_or(entry->call_file, SYM_NONE),
        .call_line = number_or(entry->call_line, 0),
        .call_column = number_or(entry->call_column, 0),
        .call_discriminator = number_or(entry->call_discriminator, 0),
        .die = offset,
    };
    error = dw_function_find(storage, walk->context, naming, &row->function);
    *scope = (uint32_t)storage->scope_count++;
    return error;
}

static struct error *go_deeper(struct walk *walk, uint32_t scope)
{
    struct sym_unit_storage *storage = walk->storage;
    walk->depth++;
    if (walk->depth >= DW_DEPTH_MOST)
        return damaged(walk, walk->at, "entries nested too deeply");
    if (!DW_GROW(storage->parents, storage->parent_capacity, walk->depth))
        return dw_no_memory(walk->context->file);
    storage->parents[walk->depth] = scope;
    return NULL;
}

// Past the children of an entry whose sibling is known.
static bool pass_children(struct walk *walk, const uint8_t *sibling)
{
    if (!sibling || sibling < walk->at || sibling > walk->end)
        return false;
    walk->at = sibling;
    return true;
}

static const uint8_t *sibling_of(const struct walk *walk, const struct dw_abbrev *abbrev,
                                 const uint8_t *values)
{
    if (!abbrev->sibling_bytes)
        return NULL;
    struct sym_cursor cursor = {values, walk->end, values, false, walk->swap, NULL};
    sym_cursor_skip(&cursor, abbrev->sibling_at);
    uint64_t offset = sym_read_unsigned(&cursor, abbrev->sibling_bytes);
    const struct dw_header *header = walk->context->header;
    if (cursor.failed || offset >= header->end - header->offset)
        return NULL;
    return walk->base + header->offset + offset;
}

static struct error *take_function(struct walk *walk, const struct dw_abbrev *abbrev,
                                   const uint8_t *start)
{
    struct function_entry entry;
    uint32_t scope = SYM_NONE;
    bool inlined = abbrev->action == DW_INLINED;
    struct error *error = read_entry(walk, abbrev, &entry);
    if (!error)
        error = add_scope(walk, &entry, (uint64_t)(start - walk->base),
                          walk->storage->parents[walk->depth], inlined, &scope);
    if (error || !abbrev->children)
        return error;
    // A declaration or a pattern for inlining: in C no code is described in it.
    if (scope == SYM_NONE && !inlined && !walk->types && pass_children(walk, entry.sibling))
        return NULL;
    if (scope == SYM_NONE)
        scope = walk->storage->parents[walk->depth];
    return go_deeper(walk, scope);
}

static struct error *take_other(struct walk *walk, const struct dw_abbrev *abbrev)
{
    const uint8_t *values = walk->at;
    const uint8_t *after =
        dw_abbrev_skip(walk->context->abbrevs, abbrev, values, walk->end, walk->swap);
    if (!after)
        return damaged(walk, values, "an entry that is cut short or has an unknown form");
    walk->at = after;
    if (!abbrev->children)
        return NULL;
    bool pass = abbrev->action == DW_PASS || (abbrev->action == DW_TYPE && !walk->types);
    if (pass && pass_children(walk, sibling_of(walk, abbrev, values)))
        return NULL;
    return go_deeper(walk, walk->storage->parents[walk->depth]);
}

static struct error *walk_entries(struct walk *walk)
{
    const struct dw_abbrevs *abbrevs = walk->context->abbrevs;
    struct error *error = NULL;
    while (!error && walk->at < walk->end) {
        const uint8_t *start = walk->at;
        uint64_t code = *start;
        if (__builtin_expect(code < 0x80, 1)) {
            walk->at++;
        } else {
            struct sym_cursor cursor = {start, walk->end, start, false, false, NULL};
            code = sym_read_uleb(&cursor);
            if (cursor.failed)
                return damaged(walk, start, "an entry's code is cut short");
            walk->at = cursor.at;
        }
        if (code == 0) {
            if (walk->depth <= 1)
                return NULL; // the root's children have ended, and with them the unit
            walk->depth--;
            continue;
        }
        const struct dw_abbrev *abbrev = dw_abbrev_find(abbrevs, code);
        if (!abbrev)
            return damaged(walk, start, "an entry of an abbreviation that is not declared");
        if (abbrev->action == DW_SUBPROGRAM || abbrev->action == DW_INLINED)
            error = take_function(walk, abbrev, start);
        else
            error = take_other(walk, abbrev);
        if (walk->depth == 0)
            return error; // a root without children
    }
    return error;
}

static bool is_c(uint32_t language)
{
    switch (language) {
    case DW_LANG_C89:
    case DW_LANG_C:
    case DW_LANG_C99:
    case DW_LANG_C11:
    case DW_LANG_C17:
    case DW_LANG_C23:
    case DW_LANG_Mips_Assembler:
        return true;
    default:
        return false;
    }
}

struct error *dw_scopes_read(struct sym_unit_storage *storage, const struct dw_root *root)
{
    const struct dw_context *context = &storage->context;
    const uint8_t *base = context->file->sections[DW_INFO].data;
    struct walk walk = {
        .storage = storage,
        .context = context,
        .base = base,
        .at = base + context->header->entries,
        .end = base + context->header->end,
        .types = !is_c(root->language),
        .swap = context->file->elf->swap,
    };
    if (!DW_GROW(storage->parents, storage->parent_capacity, 0))
        return dw_no_memory(context->file);
    storage->parents[0] = SYM_NONE;
    return walk_entries(&walk);
}
