// SPDX-License-Identifier: MIT
// Lists of ranges and of places (DWARF 5, sections 2.17.3, 2.6.2, 7.25 and 7.29). Both exist in an
// old and a new form that differ in how a row's bounds are written; in a list of places each row
// goes on with an expression. One reader goes through all of them.
#include <stdlib.h>
#include <string.h>

#include "symbolizer/dwarf_private.h"

enum row { ROW_END, ROW_RANGE, ROW_BASE, ROW_ANYWHERE, ROW_DAMAGED };

struct list {
    const struct dw_context *context;
    const struct dw_file *file;
    enum dw_section section;
    struct sym_cursor cursor;
    uint64_t base;
    bool places; // rows have expressions
};

uint64_t dw_list_budget(const struct dw_file *file, const struct dw_header *header)
{
    return 1024 + 4 * (file->sections[DW_RANGES].size + file->sections[DW_RNGLISTS].size +
                       file->sections[DW_LOC].size + file->sections[DW_LOCLISTS].size +
                       header->end - header->offset);
}

static uint64_t address_at(struct list *list, uint64_t index, bool *known)
{
    uint64_t address = 0;
    *known &= dw_address_at(list->context, index, &address);
    return address;
}

// -- bounds ---------------------------------------------------------------------------------------

// .debug_ranges and .debug_loc.
static enum row read_old(struct list *list, uint64_t *low, uint64_t *high)
{
    unsigned bytes = list->context->header->address_bytes;
    uint64_t mask = bytes >= 8 ? UINT64_MAX : (UINT64_C(1) << 8 * bytes) - 1;
    *low = sym_read_unsigned(&list->cursor, bytes);
    *high = sym_read_unsigned(&list->cursor, bytes);
    if (*low == 0 && *high == 0)
        return ROW_END;
    if (*low == mask) {
        list->base = *high;
        return ROW_BASE;
    }
    *low = (list->base + *low) & mask;
    *high = (list->base + *high) & mask;
    return ROW_RANGE;
}

// .debug_rnglists and .debug_loclists.
static enum row read_new(struct list *list, uint64_t *low, uint64_t *high)
{
    struct sym_cursor *cursor = &list->cursor;
    unsigned bytes = list->context->header->address_bytes;
    bool known = true;
    uint8_t kind = sym_read_u8(cursor);
    if (list->places && kind == DW_LLE_default_location)
        return ROW_ANYWHERE;
    if (list->places && kind > DW_LLE_default_location)
        kind--; // from here on the numbers of places are one ahead
    switch (kind) {
    case DW_RLE_end_of_list:
        return ROW_END;
    case DW_RLE_base_addressx:
        list->base = address_at(list, sym_read_uleb(cursor), &known);
        return known ? ROW_BASE : ROW_DAMAGED;
    case DW_RLE_base_address:
        list->base = sym_read_unsigned(cursor, bytes);
        return ROW_BASE;
    case DW_RLE_startx_endx:
        *low = address_at(list, sym_read_uleb(cursor), &known);
        *high = address_at(list, sym_read_uleb(cursor), &known);
        break;
    case DW_RLE_startx_length:
        *low = address_at(list, sym_read_uleb(cursor), &known);
        *high = *low + sym_read_uleb(cursor);
        break;
    case DW_RLE_offset_pair:
        *low = list->base + sym_read_uleb(cursor);
        *high = list->base + sym_read_uleb(cursor);
        break;
    case DW_RLE_start_end:
        *low = sym_read_unsigned(cursor, bytes);
        *high = sym_read_unsigned(cursor, bytes);
        break;
    case DW_RLE_start_length:
        *low = sym_read_unsigned(cursor, bytes);
        *high = *low + sym_read_uleb(cursor);
        break;
    default:
        return ROW_DAMAGED;
    }
    return known ? ROW_RANGE : ROW_DAMAGED;
}

// .debug_loc.dwo, GNU's form of DWARF 4: the new kinds, with lengths and offsets of 32 bits.
static enum row read_split_places(struct list *list, uint64_t *low, uint64_t *high)
{
    struct sym_cursor *cursor = &list->cursor;
    bool known = true;
    switch (sym_read_u8(cursor)) {
    case DW_LLE_end_of_list:
        return ROW_END;
    case DW_LLE_base_addressx:
        list->base = address_at(list, sym_read_uleb(cursor), &known);
        return known ? ROW_BASE : ROW_DAMAGED;
    case DW_LLE_startx_endx:
        *low = address_at(list, sym_read_uleb(cursor), &known);
        *high = address_at(list, sym_read_uleb(cursor), &known);
        break;
    case DW_LLE_startx_length:
        *low = address_at(list, sym_read_uleb(cursor), &known);
        *high = *low + sym_read_u32(cursor);
        break;
    case DW_LLE_offset_pair:
        *low = list->base + sym_read_u32(cursor);
        *high = list->base + sym_read_u32(cursor);
        break;
    default:
        return ROW_DAMAGED;
    }
    return known ? ROW_RANGE : ROW_DAMAGED;
}

// -- rows -----------------------------------------------------------------------------------------

static struct error *damaged(const struct list *list, const char *what)
{
    return dw_damaged(list->file, list->section, sym_cursor_offset(&list->cursor), what);
}

// The next row that is no base; `expression` is filled in a list of places.
static struct error *next_row(struct list *list, enum row *row, struct sym_range *range,
                              struct sym_bytes *expression)
{
    unsigned version = list->context->header->version;
    do {
        if (*list->context->budget == 0)
            return damaged(list, "lists are shared without end");
        --*list->context->budget;
        *row = version >= 5 ? read_new(list, &range->low, &range->high)
               : list->places && list->file->split
                   ? read_split_places(list, &range->low, &range->high)
                   : read_old(list, &range->low, &range->high);
    } while (*row == ROW_BASE && !list->cursor.failed);
    if (list->places && (*row == ROW_RANGE || *row == ROW_ANYWHERE)) {
        uint64_t bytes = version >= 5 ? sym_read_uleb(&list->cursor) : sym_read_u16(&list->cursor);
        *expression = (struct sym_bytes){list->cursor.at, bytes};
        sym_cursor_skip(&list->cursor, bytes);
    }
    return list->cursor.failed || *row == ROW_DAMAGED
               ? damaged(list, "a list that cannot be read or has no end")
               : NULL;
}

// The list that a value leads to, by its place or by a number in the unit's table of places.
static struct error *begin_list(const struct dw_context *context, const struct dw_value *value,
                                bool places, struct list *list)
{
    bool old = context->header->version < 5;
    uint64_t base = places ? context->loclists_base : context->rnglists_base;
    uint64_t offset = value->number;
    *list = (struct list){.context = context, .base = context->low, .places = places};
    list->section = places ? old ? DW_LOC : DW_LOCLISTS : old ? DW_RANGES : DW_RNGLISTS;
    // Up to DWARF 4 a .dwo leaves its ranges to the main file.
    bool elsewhere = old && !places;
    list->file = elsewhere ? context->address_file : context->file;
    if (elsewhere && context->file->split)
        offset += context->ranges_base;
    struct sym_bytes section = list->file->sections[list->section];
    list->cursor = sym_cursor_over(section, list->file->elf->swap);
    if (value->class == DW_LIST_INDEX) {
        if (!dw_table_entry(list->file, list->section, base, value->number,
                            context->header->offset_bytes, &offset))
            return dw_damaged(list->file, list->section, base,
                              "an index behind the end of its table");
        offset += base;
    }
    sym_cursor_seek(&list->cursor, offset);
    return NULL;
}

static bool is_list(const struct dw_value *value)
{
    return value->class == DW_LIST_INDEX || value->class == DW_SECTION_OFFSET ||
           value->class == DW_CONSTANT;
}

// -- ranges ---------------------------------------------------------------------------------------

struct ranges {
    const struct dw_context *context;
    struct sym_range **array;
    size_t *count, *capacity;
    bool full; // no memory
};

static void add_range(struct ranges *ranges, uint64_t low, uint64_t high)
{
    if (low >= high || !sym_elf_is_code(ranges->context->dwarf->elf, low))
        return;
    if (!DW_GROW(*ranges->array, *ranges->capacity, *ranges->count)) {
        ranges->full = true;
        return;
    }
    (*ranges->array)[(*ranges->count)++] = (struct sym_range){low, high};
}

static struct error *add_list(struct ranges *ranges, const struct dw_value *value)
{
    struct list list;
    enum row row = ROW_RANGE;
    struct sym_range range;
    struct error *error = begin_list(ranges->context, value, false, &list);
    while (!error && row != ROW_END) {
        error = next_row(&list, &row, &range, NULL);
        if (!error && row == ROW_RANGE)
            add_range(ranges, range.low, range.high);
    }
    return error;
}

struct error *dw_ranges_add(const struct dw_context *context, const struct dw_value *low,
                            const struct dw_value *high, const struct dw_value *ranges,
                            struct sym_range **array, size_t *count, size_t *capacity)
{
    struct ranges to = {context, array, count, capacity, false};
    struct error *error = NULL;
    uint64_t from, end;
    if (is_list(ranges)) {
        error = add_list(&to, ranges);
    } else if (dw_address(context, low, &from)) {
        if (high->class == DW_CONSTANT)
            add_range(&to, from, from + high->number);
        else if (dw_address(context, high, &end))
            add_range(&to, from, end);
    }
    return !error && to.full ? dw_no_memory(context->file) : error;
}

// -- places ---------------------------------------------------------------------------------------

bool dw_location_find(const struct dw_context *context, const struct dw_value *value,
                      uint64_t address, struct sym_bytes *expression)
{
    struct list list;
    enum row row = ROW_RANGE;
    struct sym_range range = {0};
    struct sym_bytes one;
    *expression = (struct sym_bytes){(const uint8_t *)value->string, value->number};
    if (value->class == DW_BLOCK)
        return true;
    if (!is_list(value))
        return false;
    struct error *error = begin_list(context, value, true, &list);
    bool found = false, here = false;
    while (!error && row != ROW_END && !here) {
        error = next_row(&list, &row, &range, &one);
        if (error)
            break;
        here = row == ROW_RANGE && address >= range.low && address < range.high;
        // One that holds where no other row does stands anywhere in the list.
        if (here || (row == ROW_ANYWHERE && !found))
            *expression = one;
        found |= here || row == ROW_ANYWHERE;
    }
    error_free(error); // a place that cannot be read is not known
    return found;
}
