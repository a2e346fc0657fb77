// SPDX-License-Identifier: MIT
// Single entries of .debug_info, wherever they are: the root of a unit, what a function is called
// (which may be said by other entries, in other units and other files).
#include <stdlib.h>
#include <string.h>

#include "symbolizer/dwarf_private.h"

const struct dw_header *dw_header_at(const struct dw_file *file, uint64_t offset)
{
    size_t low = 0, high = file->header_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (file->headers[middle].offset <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || offset >= file->headers[low - 1].end || offset < file->headers[low - 1].entries)
        return NULL;
    return &file->headers[low - 1];
}

bool dw_entry_begin(const struct dw_context *context, uint64_t offset, struct sym_cursor *cursor,
                    const struct dw_abbrev **abbrev)
{
    const struct dw_header *header = context->header;
    if (offset < header->entries || offset >= header->end)
        return false;
    *cursor = sym_cursor_over(context->file->sections[DW_INFO], context->file->elf->swap);
    cursor->end = cursor->base + header->end;
    sym_cursor_seek(cursor, offset);
    uint64_t code = sym_read_uleb(cursor);
    *abbrev = code ? dw_abbrev_find(context->abbrevs, code) : NULL;
    return *abbrev != NULL;
}

// -- roots
// -----------------------------------------------------------------------------------------

// Strings and addresses by index are looked up last: the bases they need are in the same entry.
struct root_values {
    struct dw_value name, comp_dir, dwo_name;
};

static void root_attribute(struct dw_context *context, struct dw_root *root,
                           struct root_values *values, unsigned name, const struct dw_value *value)
{
    switch (name) {
    case DW_AT_name:
        values->name = *value;
        break;
    case DW_AT_comp_dir:
        values->comp_dir = *value;
        break;
    case DW_AT_dwo_name:
    case DW_AT_GNU_dwo_name:
        values->dwo_name = *value;
        break;
    case DW_AT_GNU_dwo_id:
        root->id = value->number;
        break;
    case DW_AT_stmt_list:
        root->line_offset = value->number;
        root->has_lines = value->class == DW_SECTION_OFFSET || value->class == DW_CONSTANT;
        break;
    case DW_AT_low_pc:
        root->low = *value;
        break;
    case DW_AT_high_pc:
        root->high = *value;
        break;
    case DW_AT_ranges:
        root->ranges = *value;
        break;
    case DW_AT_language:
        root->language = (uint32_t)value->number;
        break;
    case DW_AT_str_offsets_base:
        context->string_base = value->number;
        break;
    case DW_AT_addr_base:
    case DW_AT_GNU_addr_base:
        context->address_base = value->number;
        break;
    case DW_AT_rnglists_base:
        context->rnglists_base = value->number;
        break;
    case DW_AT_loclists_base:
        context->loclists_base = value->number;
        break;
    case DW_AT_GNU_ranges_base:
        context->ranges_base = value->number;
        break;
    default:
        break;
    }
}

// A unit without the attribute starts behind the table's header (DWARF 5, section 7.3.2.2); before
// DWARF 5 the tables had none.
static void default_bases(struct dw_context *context)
{
    const struct dw_header *header = context->header;
    if (header->version >= 5) {
        context->string_base = header->offset_bytes == 8 ? 16 : 8;
        context->rnglists_base = header->offset_bytes == 8 ? 20 : 12;
        context->loclists_base = context->rnglists_base;
        context->address_base = header->offset_bytes == 8 ? 16 : 8;
    }
}

struct error *dw_root_read(struct sym_dwarf *dwarf, const struct dw_file *file,
                           const struct dw_header *header, struct dw_abbrevs *abbrevs,
                           const struct dw_context *skeleton, struct dw_context *context,
                           struct dw_root *root)
{
    uint64_t *budget = context->budget;
    *context = (struct dw_context){.dwarf = dwarf,
                                   .file = file,
                                   .header = header,
                                   .abbrevs = abbrevs,
                                   .address_file = file,
                                   .budget = budget};
    *root = (struct dw_root){.id = header->id};
    default_bases(context);
    if (skeleton) {
        context->address_file = skeleton->address_file;
        context->address_base = skeleton->address_base;
        context->ranges_base = skeleton->ranges_base;
        context->low = skeleton->low;
    }
    struct error *error = dw_abbrevs_read(file, header, abbrevs);
    if (error)
        return error;
    struct sym_cursor cursor;
    const struct dw_abbrev *abbrev;
    if (header->entries >= header->end)
        return NULL; // a unit of nothing
    if (!dw_entry_begin(context, header->entries, &cursor, &abbrev))
        return dw_damaged(file, DW_INFO, header->entries, "a unit without a first entry");
    root->tag = abbrev->tag;
    struct root_values values = {0};
    for (uint32_t i = 0; i < abbrev->attribute_count; i++) {
        const struct dw_attribute_row *row = &abbrevs->attributes[abbrev->first_attribute + i];
        struct dw_value value;
        if (!dw_read_value(file, header, &cursor, row->form, row->constant, &value))
            return dw_damaged(file, DW_INFO, sym_cursor_offset(&cursor),
                              "an attribute that is cut short or of an unknown form");
        root_attribute(context, root, &values, row->name, &value);
    }
    root->name = dw_string(context, &values.name);
    root->comp_dir = dw_string(context, &values.comp_dir);
    root->dwo_name = dw_string(context, &values.dwo_name);
    uint64_t low;
    if (dw_address(context, &root->low, &low))
        context->low = low;
    return NULL;
}

// -- what functions are called
// ---------------------------------------------------------------------

uint64_t dw_foreign_budget(const struct dw_file *file)
{
    uint64_t bytes = file->sections[DW_INFO].size + file->sections[DW_ABBREV].size +
                     file->sections[DW_LINE].size;
    return (1 << 20) + 16 * bytes;
}

void dw_foreign_deinit(struct sym_unit_storage *storage)
{
    for (int i = 0; storage->foreign && i < DW_FOREIGN_CACHE; i++) {
        dw_abbrevs_deinit(&storage->foreign[i].abbrevs);
        dw_line_tables_deinit(&storage->foreign[i].lines);
    }
    free(storage->foreign);
    storage->foreign = NULL;
}

static struct error *spend_foreign(struct sym_unit_storage *storage, const struct dw_file *file,
                                   uint64_t offset, size_t rows)
{
    if (rows > storage->foreign_budget)
        return dw_damaged(file, DW_INFO, offset, "references between units without end");
    storage->foreign_budget -= rows;
    return NULL;
}

// The context of another unit, kept for the next entry of it.
static struct error *foreign_context(struct sym_unit_storage *storage, const struct dw_file *file,
                                     const struct dw_header *header, struct dw_foreign **out)
{
    if (!storage->foreign)
        storage->foreign = calloc(DW_FOREIGN_CACHE, sizeof(*storage->foreign));
    if (!storage->foreign)
        return dw_no_memory(file);
    size_t slot = (size_t)(header - file->headers) % DW_FOREIGN_CACHE;
    struct dw_foreign *foreign = &storage->foreign[slot];
    *out = foreign;
    if (foreign->filled && foreign->context.file == file && foreign->context.header == header)
        return NULL;
    const struct dw_context *own = &storage->context;
    foreign->context.budget = own->budget;
    struct error *error = dw_root_read(own->dwarf, file, header, &foreign->abbrevs,
                                       file->split ? own : NULL, &foreign->context, &foreign->root);
    foreign->filled = !error;
    foreign->lines.filled = false;
    return error ? error
                 : spend_foreign(storage, file, header->offset, foreign->abbrevs.attribute_count);
}

// A file of another unit's table as a number of this unit's.
static struct error *foreign_file(struct sym_unit_storage *storage, struct dw_foreign *unit,
                                  uint64_t number, uint32_t *file)
{
    *file = SYM_NONE;
    if (!unit->root.has_lines || number >= DW_FOREIGN_FILE)
        return NULL;
    bool there = unit->lines.filled;
    struct error *error = dw_line_tables_read(&unit->context, &unit->root, &unit->lines);
    if (!error && !there)
        error = spend_foreign(storage, unit->context.file, unit->context.header->offset,
                              unit->lines.file_count + unit->lines.folder_count);
    if (error)
        return error;
    const char *path =
        dw_line_path(&unit->context, unit->root.comp_dir, &unit->lines, (uint32_t)number);
    if (!path)
        return NULL;
    for (size_t i = storage->foreign_file_count; i > 0 && i + 8 > storage->foreign_file_count;
         i--) {
        if (storage->foreign_files[i - 1] == path) {
            *file = DW_FOREIGN_FILE + (uint32_t)(i - 1);
            return NULL;
        }
    }
    if (!DW_GROW(storage->foreign_files, storage->foreign_file_capacity,
                 storage->foreign_file_count))
        return dw_no_memory(unit->context.file);
    *file = DW_FOREIGN_FILE + (uint32_t)storage->foreign_file_count;
    storage->foreign_files[storage->foreign_file_count++] = path;
    return NULL;
}

// One entry's share of what is asked for; `next` is the entry that may know more.
static struct error *read_function(struct sym_unit_storage *storage,
                                   const struct dw_context *context, struct dw_foreign *unit,
                                   uint64_t offset, struct sym_function *function,
                                   struct dw_value *next)
{
    struct sym_cursor cursor;
    const struct dw_abbrev *abbrev;
    *next = (struct dw_value){0};
    if (!dw_entry_begin(context, offset, &cursor, &abbrev))
        return dw_damaged(context->file, DW_INFO, offset, "a reference to what is no entry");
    for (uint32_t i = 0; i < abbrev->attribute_count; i++) {
        const struct dw_attribute_row *row =
            &context->abbrevs->attributes[abbrev->first_attribute + i];
        struct dw_value value;
        if (!dw_read_value(context->file, context->header, &cursor, row->form, row->constant,
                           &value))
            return dw_damaged(context->file, DW_INFO, sym_cursor_offset(&cursor),
                              "an attribute that is cut short or of an unknown form");
        switch (row->name) {
        case DW_AT_name:
            if (!function->name)
                function->name = dw_string(context, &value);
            break;
        case DW_AT_linkage_name:
        case DW_AT_MIPS_linkage_name:
            if (!function->linkage)
                function->linkage = dw_string(context, &value);
            break;
        case DW_AT_decl_file:
            if (function->file != SYM_NONE || value.class != DW_CONSTANT)
                break;
            if (unit) {
                struct error *error = foreign_file(storage, unit, value.number, &function->file);
                if (error)
                    return error;
            } else if (value.number < DW_FOREIGN_FILE) {
                function->file = (uint32_t)value.number;
            }
            break;
        case DW_AT_decl_line:
            if (!function->line && value.number < UINT32_MAX)
                function->line = (uint32_t)value.number;
            break;
        case DW_AT_specification:
            if (next->class == DW_NOTHING)
                *next = value;
            break;
        case DW_AT_abstract_origin:
            *next = value;
            break;
        default:
            break;
        }
    }
    return NULL;
}

static struct error *read_function_chain(struct sym_unit_storage *storage,
                                         const struct dw_context *context, uint64_t entry,
                                         struct sym_function *function)
{
    struct dw_value next = {DW_REFERENCE, entry, NULL};
    struct dw_foreign *unit = NULL;
    *function = (struct sym_function){.file = SYM_NONE, .die = entry};
    for (int i = 0; i < DW_ORIGINS_MOST; i++) {
        const struct dw_file *file = context->file;
        if (next.class == DW_REFERENCE_ALTERNATE)
            file = file->alternate;
        else if (next.class != DW_REFERENCE)
            break;
        if (!file)
            break;
        struct error *error = NULL;
        const struct dw_header *header = context->header;
        uint64_t offset = next.number;
        if (file != context->file || offset < header->entries || offset >= header->end) {
            header = dw_header_at(file, offset);
            if (!header)
                return dw_damaged(file, DW_INFO, offset, "a reference to what is no entry");
            error = foreign_context(storage, file, header, &unit);
            if (!unit)
                return error;
            context = &unit->context;
        }
        if (!error)
            error = read_function(storage, context, unit, offset, function, &next);
        if (error)
            return error;
    }
    if (function->linkage && function->name && strcmp(function->linkage, function->name) == 0)
        function->linkage = NULL;
    return NULL;
}

static struct dw_slot *first_slot(const struct sym_unit_storage *storage, uint64_t entry)
{
    size_t slot = (size_t)(entry * UINT64_C(0x9e3779b97f4a7c15) >> 20);
    return &storage->by_entry[slot & (storage->by_entry_size - 1)];
}

static struct dw_slot *next_slot(const struct sym_unit_storage *storage, struct dw_slot *slot)
{
    return slot + 1 < storage->by_entry + storage->by_entry_size ? slot + 1 : storage->by_entry;
}

// Room for one more function, with the table of slots at most half full.
static bool grow_functions(struct sym_unit_storage *storage)
{
    if (!DW_GROW(storage->functions, storage->function_capacity, storage->function_count))
        return false;
    if (storage->function_count * 2 < storage->by_entry_size)
        return true;
    size_t size = storage->by_entry_size ? storage->by_entry_size * 2 : 1024;
    struct dw_slot *table = calloc(size, sizeof(*table));
    if (!table)
        return false;
    free(storage->by_entry);
    storage->by_entry = table;
    storage->by_entry_size = size;
    for (uint32_t i = 0; i < storage->function_count; i++) {
        struct dw_slot *slot = first_slot(storage, storage->functions[i].die);
        while (slot->turn == storage->turn)
            slot = next_slot(storage, slot);
        *slot = (struct dw_slot){storage->turn, i};
    }
    return true;
}

struct error *dw_function_find(struct sym_unit_storage *storage, const struct dw_context *context,
                               uint64_t entry, uint32_t *function)
{
    if (!grow_functions(storage))
        return dw_no_memory(context->file);
    struct dw_slot *slot = first_slot(storage, entry);
    for (; slot->turn == storage->turn; slot = next_slot(storage, slot)) {
        if (storage->functions[slot->function].die == entry) {
            *function = slot->function;
            return NULL;
        }
    }
    struct error *error =
        read_function_chain(storage, context, entry, &storage->functions[storage->function_count]);
    if (error)
        return error;
    *function = (uint32_t)storage->function_count++;
    *slot = (struct dw_slot){storage->turn, *function};
    return NULL;
}
