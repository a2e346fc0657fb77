// SPDX-License-Identifier: MIT
// Which units an address lies in, without reading the units: from .debug_aranges (DWARF 5, section
// 6.1.2), and for units that it leaves out, as clang's and rustc's are, from what their root
// entries say. Both become one table of ranges by address.
#include <stdlib.h>
#include <string.h>

#include "symbolizer/dwarf_private.h"

static bool add_place(struct dw_places *places, uint64_t low, uint64_t high, size_t unit)
{
    if (!DW_GROW(places->rows, places->capacity, places->count))
        return false;
    places->rows[places->count++] = (struct dw_place){{low, high}, (uint32_t)unit};
    return true;
}

static int by_low(const void *left, const void *right)
{
    const struct dw_place *a = left, *b = right;
    if (a->range.low != b->range.low)
        return a->range.low < b->range.low ? -1 : 1;
    return a->unit < b->unit ? -1 : a->unit > b->unit;
}

static bool sort_places(struct dw_places *places)
{
    if (places->count == 0)
        return true;
    places->reach = malloc(places->count * sizeof(*places->reach));
    if (!places->reach)
        return false;
    qsort(places->rows, places->count, sizeof(*places->rows), by_low);
    uint64_t reach = 0;
    for (size_t i = 0; i < places->count; i++) {
        if (places->rows[i].range.high > reach)
            reach = places->rows[i].range.high;
        places->reach[i] = reach;
    }
    return true;
}

void dw_places_deinit(struct dw_places *places)
{
    free(places->rows);
    free(places->reach);
    *places = (struct dw_places){0};
}

// The unit whose header is at an offset of .debug_info.
static bool unit_at(const struct sym_dwarf *dwarf, uint64_t offset, size_t *unit)
{
    size_t low = 0, high = dwarf->unit_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (dwarf->file.headers[dwarf->units[middle]].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    *unit = low;
    return low < dwarf->unit_count && dwarf->file.headers[dwarf->units[low]].offset == offset;
}

// One unit's set. What cannot be understood is passed over: the unit is then asked itself.
static bool read_set(struct sym_dwarf *dwarf, struct sym_cursor *cursor)
{
    const uint8_t *start = cursor->at;
    unsigned offset_bytes = 4;
    uint64_t bytes = sym_read_u32(cursor);
    if (bytes == 0xffffffff) {
        offset_bytes = 8;
        bytes = sym_read_u64(cursor);
    }
    if (!sym_cursor_has(cursor, bytes))
        return true;
    struct sym_cursor set = *cursor;
    set.end = set.at + bytes;
    cursor->at += bytes;
    unsigned version = sym_read_u16(&set);
    uint64_t offset = sym_read_unsigned(&set, offset_bytes);
    unsigned address_bytes = sym_read_u8(&set), segment_bytes = sym_read_u8(&set);
    size_t unit;
    if (set.failed || version != 2 || segment_bytes != 0 ||
        (address_bytes != 4 && address_bytes != 8) || !unit_at(dwarf, offset, &unit))
        return true;
    size_t row_bytes = 2 * address_bytes, past = (size_t)(set.at - start) % row_bytes;
    if (past)
        sym_cursor_skip(&set, row_bytes - past);
    while (sym_cursor_left(&set) >= row_bytes) {
        uint64_t low = sym_read_unsigned(&set, address_bytes);
        uint64_t length = sym_read_unsigned(&set, address_bytes);
        if (low == 0 && length == 0)
            break;
        if (length == 0 || low + length < low || !sym_elf_is_code(dwarf->elf, low))
            continue;
        if (!add_place(&dwarf->aranges, low, low + length, unit))
            return false;
        dwarf->named[unit] = true;
    }
    return true;
}

static struct error *read_aranges(struct sym_dwarf *dwarf)
{
    struct sym_cursor cursor = sym_cursor_over(dwarf->file.sections[DW_ARANGES], dwarf->elf->swap);
    dwarf->aranges_read = true;
    dwarf->named = calloc(dwarf->unit_count + 1, sizeof(*dwarf->named));
    bool room = dwarf->named != NULL;
    while (room && sym_cursor_left(&cursor) > 0)
        room = read_set(dwarf, &cursor);
    return room && sort_places(&dwarf->aranges) ? NULL : dw_no_memory(&dwarf->file);
}

static bool add_unit(struct sym_dwarf *dwarf, size_t number, struct sym_unit *unit)
{
    bool room = true;
    struct error *error = sym_unit_read(dwarf, number, 0, unit);
    if (!error && unit->range_count == 0)
        error = sym_unit_read(dwarf, number, SYM_UNIT_LINES, unit);
    for (size_t i = 0; i < unit->range_count && room; i++)
        room = add_place(&dwarf->roots, unit->ranges[i].low, unit->ranges[i].high, number);
    for (size_t i = 0; i < unit->sequence_count && unit->range_count == 0 && room; i++)
        room = add_place(&dwarf->roots, unit->sequences[i].low, unit->sequences[i].high, number);
    if (error && !dwarf->roots_error)
        dwarf->roots_error = error;
    else
        error_free(error);
    return room;
}

static struct error *read_roots(struct sym_dwarf *dwarf)
{
    struct sym_unit unit = {0};
    bool room = true;
    dwarf->roots_read = true;
    for (size_t i = 0; i < dwarf->unit_count && room; i++)
        if (!dwarf->named[i])
            room = add_unit(dwarf, i, &unit);
    sym_unit_deinit(&unit);
    return room && sort_places(&dwarf->roots) ? NULL : dw_no_memory(&dwarf->file);
}

// Calls fn for the units in whose ranges an address lies, once for each; *any: there are some.
static void find_in(const struct dw_places *places, uint64_t address, sym_unit_fn *fn,
                    void *argument, bool *any)
{
    size_t low = 0, high = places->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (places->rows[middle].range.low <= address)
            low = middle + 1;
        else
            high = middle;
    }
    uint32_t last = SYM_NONE;
    for (size_t i = low; i > 0 && places->reach[i - 1] > address; i--) {
        const struct dw_place *place = &places->rows[i - 1];
        if (place->range.high <= address || place->unit == last)
            continue;
        *any = true;
        last = place->unit;
        if (!fn(place->unit, argument))
            return;
    }
}

struct error *sym_dwarf_units_at(struct sym_dwarf *dwarf, uint64_t address, sym_unit_fn *fn,
                                 void *argument)
{
    struct error *error = NULL;
    bool any = false;
    if (dwarf->unit_count == 0)
        return NULL;
    if (!dwarf->aranges_read)
        error = read_aranges(dwarf);
    if (error)
        return error;
    find_in(&dwarf->aranges, address, fn, argument, &any);
    if (any)
        return NULL;
    if (!dwarf->roots_read)
        error = read_roots(dwarf);
    if (error)
        return error;
    find_in(&dwarf->roots, address, fn, argument, &any);
    if (!any && dwarf->roots_error)
        return error_make(EXIT_FAILED, "%s", error_text(dwarf->roots_error));
    return NULL;
}
