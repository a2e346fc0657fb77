// SPDX-License-Identifier: MIT
// Tables of abbreviations (DWARF 5, section 7.5.3), made ready for walking: how many bytes an entry
// has is worked out once per declaration, so that most entries are passed with one addition.
#include <stdlib.h>
#include <string.h>

#include "symbolizer/dwarf_private.h"

enum {
    // Compilers stay below a few thousand; what a table may cost stays bounded.
    ATTRIBUTES_MOST = 1 << 20,
    DECLARATIONS_MOST = 1 << 18,
    // Of one declaration. Attributes may have no bytes in an entry, so that this bounds what an
    // entry of one byte costs; compilers write about twenty.
    ENTRY_ATTRIBUTES_MOST = 128,
};

static enum dw_action action_of(uint32_t tag)
{
    switch (tag) {
    case DW_TAG_subprogram:
        return DW_SUBPROGRAM;
    case DW_TAG_inlined_subroutine:
        return DW_INLINED;
    case DW_TAG_array_type:
    case DW_TAG_enumeration_type:
    case DW_TAG_subroutine_type:
    case DW_TAG_call_site:
    case DW_TAG_GNU_call_site:
    case DW_TAG_variable:
    case DW_TAG_formal_parameter:
        return DW_PASS;
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
    case DW_TAG_interface_type:
        return DW_TYPE;
    default:
        return DW_ENTER;
    }
}

static unsigned reference_bytes(unsigned form)
{
    switch (form) {
    case DW_FORM_ref1:
        return 1;
    case DW_FORM_ref2:
        return 2;
    case DW_FORM_ref4:
        return 4;
    case DW_FORM_ref8:
        return 8;
    default:
        return 0;
    }
}

static bool add_step(struct dw_abbrevs *abbrevs, struct dw_abbrev *abbrev, enum dw_way way)
{
    if (!DW_GROW(abbrevs->steps, abbrevs->step_capacity, abbrevs->step_count))
        return false;
    abbrevs->steps[abbrevs->step_count++] = (struct dw_step){(uint8_t)way, 0};
    abbrev->step_count++;
    return true;
}

static bool add_attribute(struct dw_abbrevs *abbrevs, struct dw_abbrev *abbrev, uint64_t name,
                          uint64_t form, int64_t constant)
{
    if (!DW_GROW(abbrevs->attributes, abbrevs->attribute_capacity, abbrevs->attribute_count))
        return false;
    abbrevs->attributes[abbrevs->attribute_count++] =
        (struct dw_attribute_row){name < UINT16_MAX ? (uint16_t)name : UINT16_MAX,
                                  form < UINT16_MAX ? (uint16_t)form : UINT16_MAX, constant};
    abbrev->attribute_count++;

    unsigned fixed;
    enum dw_way way = dw_form_way(form < UINT16_MAX ? (unsigned)form : UINT16_MAX, abbrevs->version,
                                  abbrevs->address_bytes, abbrevs->offset_bytes, &fixed);
    if (way != DW_WAY_FIXED)
        return add_step(abbrevs, abbrev, way);
    if (name == DW_AT_sibling && abbrev->step_count == 0 && reference_bytes((unsigned)form)) {
        abbrev->sibling_at = abbrev->fixed;
        abbrev->sibling_bytes = (uint8_t)fixed;
    }
    if (abbrev->step_count == 0)
        abbrev->fixed += fixed;
    else
        abbrevs->steps[abbrevs->step_count - 1].fixed += fixed;
    return true;
}

static int by_code(const void *left, const void *right)
{
    uint64_t a = ((const struct dw_abbrev *)left)->code;
    uint64_t b = ((const struct dw_abbrev *)right)->code;
    return a < b ? -1 : a > b;
}

static bool read_declaration(struct dw_abbrevs *abbrevs, struct sym_cursor *cursor, uint64_t code)
{
    if (!DW_GROW(abbrevs->rows, abbrevs->capacity, abbrevs->count))
        return false;
    struct dw_abbrev *abbrev = &abbrevs->rows[abbrevs->count++];
    uint64_t tag = sym_read_uleb(cursor);
    *abbrev = (struct dw_abbrev){
        .code = code,
        .tag = tag < UINT32_MAX ? (uint32_t)tag : UINT32_MAX,
        .children = sym_read_u8(cursor) != 0,
        .first_step = (uint32_t)abbrevs->step_count,
        .first_attribute = (uint32_t)abbrevs->attribute_count,
    };
    abbrev->action = (uint8_t)action_of(abbrev->tag);
    while (!cursor->failed) {
        uint64_t name = sym_read_uleb(cursor), form = sym_read_uleb(cursor);
        if (name == 0 && form == 0)
            break;
        int64_t constant = form == DW_FORM_implicit_const ? sym_read_sleb(cursor) : 0;
        if (abbrevs->attribute_count >= ATTRIBUTES_MOST ||
            abbrev->attribute_count >= ENTRY_ATTRIBUTES_MOST) {
            sym_cursor_fail(cursor);
            break;
        }
        if (!add_attribute(abbrevs, abbrev, name, form, constant))
            return false;
    }
    return true;
}

static void skip_declaration(struct sym_cursor *cursor)
{
    sym_read_uleb(cursor); // tag
    sym_read_u8(cursor);   // whether it has children
    while (!cursor->failed) {
        uint64_t name = sym_read_uleb(cursor), form = sym_read_uleb(cursor);
        if (name == 0 && form == 0)
            break;
        if (form == DW_FORM_implicit_const)
            sym_read_sleb(cursor);
    }
}

// `only`: the one declaration that is wanted; 0: all.
static struct error *read_table(const struct dw_file *file, struct dw_abbrevs *abbrevs,
                                uint64_t only)
{
    struct sym_cursor cursor = sym_cursor_over(file->sections[DW_ABBREV], file->elf->swap);
    sym_cursor_seek(&cursor, abbrevs->offset);
    uint64_t last = 0;
    bool sorted = true;
    abbrevs->direct = true;
    while (!cursor.failed) {
        // The last table may end with its section.
        uint64_t code = cursor.at < cursor.end ? sym_read_uleb(&cursor) : 0;
        if (code == 0)
            break;
        if (only && code != only) {
            skip_declaration(&cursor);
            continue;
        }
        if (abbrevs->count >= DECLARATIONS_MOST)
            sym_cursor_fail(&cursor);
        else if (!read_declaration(abbrevs, &cursor, code))
            return dw_no_memory(file);
        abbrevs->direct &= code == abbrevs->count;
        sorted &= code > last;
        last = code;
        if (only)
            break;
    }
    if (cursor.failed)
        return dw_damaged(file, DW_ABBREV, sym_cursor_offset(&cursor),
                          "a table of abbreviations that is cut short or far too large");
    if (!sorted)
        qsort(abbrevs->rows, abbrevs->count, sizeof(*abbrevs->rows), by_code);
    return NULL;
}

// A table that is there already for the same place and sizes is kept.
struct error *dw_abbrevs_read(const struct dw_file *file, const struct dw_header *header,
                              struct dw_abbrevs *abbrevs)
{
    if (abbrevs->filled && abbrevs->file == file && abbrevs->offset == header->abbrev_offset &&
        abbrevs->version == header->version && abbrevs->address_bytes == header->address_bytes &&
        abbrevs->offset_bytes == header->offset_bytes)
        return NULL;
    abbrevs->filled = false;
    abbrevs->file = file;
    abbrevs->offset = header->abbrev_offset;
    abbrevs->version = header->version;
    abbrevs->address_bytes = header->address_bytes;
    abbrevs->offset_bytes = header->offset_bytes;
    abbrevs->count = abbrevs->attribute_count = abbrevs->step_count = 0;
    uint64_t only = 0;
    if (abbrevs->root_only) {
        struct sym_cursor cursor = sym_cursor_over(file->sections[DW_INFO], file->elf->swap);
        sym_cursor_seek(&cursor, header->entries);
        only = sym_read_uleb(&cursor);
    }
    struct error *error = read_table(file, abbrevs, only);
    abbrevs->filled = !error && !abbrevs->root_only;
    return error;
}

void dw_abbrevs_deinit(struct dw_abbrevs *abbrevs)
{
    free(abbrevs->rows);
    free(abbrevs->attributes);
    free(abbrevs->steps);
    *abbrevs = (struct dw_abbrevs){0};
}

const struct dw_abbrev *dw_abbrev_find(const struct dw_abbrevs *abbrevs, uint64_t code)
{
    if (__builtin_expect(abbrevs->direct, 1))
        return code - 1 < abbrevs->count ? &abbrevs->rows[code - 1] : NULL;
    size_t low = 0, high = abbrevs->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (abbrevs->rows[middle].code < code)
            low = middle + 1;
        else
            high = middle;
    }
    return low < abbrevs->count && abbrevs->rows[low].code == code ? &abbrevs->rows[low] : NULL;
}

static void take_step(const struct dw_abbrevs *abbrevs, struct sym_cursor *cursor, enum dw_way way)
{
    unsigned fixed;
    switch (way) {
    case DW_WAY_LEB:
        sym_read_uleb(cursor);
        break;
    case DW_WAY_STRING:
        sym_read_string(cursor);
        break;
    case DW_WAY_INDIRECT:
        way = dw_form_way((unsigned)sym_read_uleb(cursor), abbrevs->version, abbrevs->address_bytes,
                          abbrevs->offset_bytes, &fixed);
        if (way == DW_WAY_FIXED)
            sym_cursor_skip(cursor, fixed);
        else if (way == DW_WAY_INDIRECT)
            sym_cursor_fail(cursor);
        else
            take_step(abbrevs, cursor, way); // once at most: `way` is not DW_WAY_INDIRECT
        break;
    default:
        sym_cursor_skip(cursor, dw_read_block_size(cursor, way));
        break;
    }
}

const uint8_t *dw_abbrev_skip(const struct dw_abbrevs *abbrevs, const struct dw_abbrev *abbrev,
                              const uint8_t *at, const uint8_t *end, bool swap)
{
    if (abbrev->fixed > (size_t)(end - at))
        return NULL;
    at += abbrev->fixed;
    if (abbrev->step_count == 0)
        return at;
    const struct dw_step *step = &abbrevs->steps[abbrev->first_step];
    for (const struct dw_step *last = step + abbrev->step_count; step < last; step++) {
        // Most are short expressions and numbers of one byte.
        if (__builtin_expect(at < end && *at < 0x80, 1) &&
            (step->way == DW_WAY_LEB || step->way == DW_WAY_BLOCK)) {
            size_t bytes = 1 + (step->way == DW_WAY_BLOCK ? *at : 0) + (size_t)step->fixed;
            if (bytes > (size_t)(end - at))
                return NULL;
            at += bytes;
            continue;
        }
        struct sym_cursor cursor = {at, end, at, false, swap, NULL};
        take_step(abbrevs, &cursor, step->way);
        sym_cursor_skip(&cursor, step->fixed);
        if (cursor.failed)
            return NULL;
        at = cursor.at;
    }
    return at;
}
