// SPDX-License-Identifier: MIT
// See dwarf.h. Opens a file's debug information and puts the parts of a unit together; the work is
// done by the parts that dwarf_private.h lists.
#include "symbolizer/dwarf.h"

#include <stdlib.h>
#include <string.h>

#include "symbolizer/dwarf_private.h"

// -- strings made here, each kept once
// -------------------------------------------------------------

struct dw_strings {
    char **rows; // open addressing; NULL: free
    size_t size, count;
    char *block; // where the next ones go
    size_t left;
    char **blocks;
    size_t block_count, block_capacity;
};

enum {
    BLOCK_BYTES = 1 << 16,
};

static size_t hash_of(const char *string, size_t length)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (uint8_t)string[i]) * UINT64_C(0x100000001b3);
    return (size_t)(hash ^ hash >> 32);
}

static char **slot_of(char **rows, size_t size, const char *string, size_t length)
{
    size_t slot = hash_of(string, length) & (size - 1);
    while (rows[slot] && (strncmp(rows[slot], string, length) != 0 || rows[slot][length]))
        slot = (slot + 1) & (size - 1);
    return &rows[slot];
}

static bool grow_strings(struct dw_strings *strings)
{
    if (strings->count * 2 < strings->size)
        return true;
    size_t size = strings->size ? strings->size * 2 : 1024;
    char **rows = calloc(size, sizeof(*rows));
    if (!rows)
        return false;
    for (size_t i = 0; i < strings->size; i++) {
        char *string = strings->rows[i];
        if (string)
            *slot_of(rows, size, string, strlen(string)) = string;
    }
    free(strings->rows);
    strings->rows = rows;
    strings->size = size;
    return true;
}

static char *place_for(struct dw_strings *strings, size_t bytes)
{
    if (bytes > strings->left) {
        size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
        char *block = malloc(size);
        if (!block || !DW_GROW(strings->blocks, strings->block_capacity, strings->block_count)) {
            free(block);
            return NULL;
        }
        strings->blocks[strings->block_count++] = block;
        strings->block = block;
        strings->left = size;
    }
    char *place = strings->block;
    strings->block += bytes;
    strings->left -= bytes;
    return place;
}

const char *dw_intern(struct sym_dwarf *dwarf, const char *string, size_t length)
{
    struct dw_strings *strings = dwarf->strings;
    char *kept = NULL;
    pthread_mutex_lock(&dwarf->lock);
    if (grow_strings(strings)) {
        char **slot = slot_of(strings->rows, strings->size, string, length);
        kept = *slot;
        if (!kept && (kept = place_for(strings, length + 1))) {
            memcpy(kept, string, length);
            kept[length] = 0;
            *slot = kept;
            strings->count++;
        }
    }
    pthread_mutex_unlock(&dwarf->lock);
    return kept;
}

static void close_strings(struct dw_strings *strings)
{
    if (!strings)
        return;
    for (size_t i = 0; i < strings->block_count; i++)
        free(strings->blocks[i]);
    free(strings->blocks);
    free(strings->rows);
    free(strings);
}

// -- files
// -----------------------------------------------------------------------------------------

static struct error *open_file(struct sym_dwarf *dwarf)
{
    struct error *error = dw_file_open(dwarf->elf, false, dwarf->whole, &dwarf->file);
    if (!error)
        error = dw_headers_read(&dwarf->file);
    if (!error)
        error = dw_alternate_open(&dwarf->file);
    if (error || dwarf->file.header_count == 0)
        return error;
    dwarf->units = calloc(dwarf->file.header_count, sizeof(*dwarf->units));
    if (!dwarf->units)
        return dw_no_memory(&dwarf->file);
    for (size_t i = 0; i < dwarf->file.header_count; i++) {
        uint8_t type = dwarf->file.headers[i].type;
        if (type == DW_UT_compile || type == DW_UT_skeleton)
            dwarf->units[dwarf->unit_count++] = (uint32_t)i;
    }
    return NULL;
}

static struct error *open_dwarf(struct sym_elf *elf, bool whole, struct sym_dwarf **out)
{
    struct sym_dwarf *dwarf = calloc(1, sizeof(*dwarf));
    struct dw_strings *strings = calloc(1, sizeof(*strings));
    if (!dwarf || !strings) {
        free(dwarf);
        free(strings);
        return error_errno("%s", elf->path);
    }
    dwarf->elf = elf;
    dwarf->whole = whole;
    dwarf->strings = strings;
    pthread_mutex_init(&dwarf->lock, NULL);
    struct error *error = open_file(dwarf);
    if (error) {
        sym_dwarf_close(dwarf);
        return error;
    }
    *out = dwarf;
    return NULL;
}

struct error *sym_dwarf_open(struct sym_elf *elf, struct sym_dwarf **out)
{
    return open_dwarf(elf, false, out);
}

struct error *dw_open_whole(struct sym_elf *elf, struct sym_dwarf **out)
{
    return open_dwarf(elf, true, out);
}

void sym_dwarf_close(struct sym_dwarf *dwarf)
{
    if (!dwarf)
        return;
    dw_splits_close(dwarf);
    dw_file_deinit(&dwarf->file);
    dw_places_deinit(&dwarf->aranges);
    dw_places_deinit(&dwarf->roots);
    error_free(dwarf->roots_error);
    close_strings(dwarf->strings);
    pthread_mutex_destroy(&dwarf->lock);
    free(dwarf->units);
    free(dwarf->named);
    free(dwarf);
}

size_t sym_dwarf_unit_count(const struct sym_dwarf *dwarf)
{
    return dwarf->unit_count;
}

uint64_t sym_dwarf_unit_bytes(const struct sym_dwarf *dwarf, size_t number)
{
    const struct dw_header *header = &dwarf->file.headers[dwarf->units[number]];
    return header->end - header->offset;
}

// -- units
// -----------------------------------------------------------------------------------------

static void clear(struct sym_unit_storage *storage)
{
    storage->range_count = storage->function_count = storage->scope_count = 0;
    storage->scope_range_count = storage->row_count = storage->sequence_count = 0;
    storage->foreign_file_count = 0;
    if (++storage->turn == 0) { // once in four thousand million units
        free(storage->by_entry);
        storage->by_entry = NULL;
        storage->by_entry_size = 0;
        storage->turn = 1;
    }
}

// Sets storage->context to the entries to be walked: the unit's own, or those of its other half.
static struct error *find_entries(struct sym_dwarf *dwarf, struct sym_unit *unit,
                                  struct dw_root *entries)
{
    struct sym_unit_storage *storage = unit->storage_;
    storage->context = storage->line_context;
    *entries = storage->root;
    if (!storage->root.dwo_name)
        return NULL;
    const struct dw_file *file;
    const struct dw_header *header;
    struct error *error = dw_split_find(dwarf, unit->number, &storage->root, &file, &header);
    if (error || !file)
        return error;
    struct dw_context context = {.budget = &storage->budget};
    error = dw_root_read(dwarf, file, header, &storage->split_abbrevs, &storage->line_context,
                         &context, entries);
    storage->context = context;
    unit->split = true;
    return error;
}

static struct error *read_parts(struct sym_dwarf *dwarf, unsigned parts, struct sym_unit *unit)
{
    struct sym_unit_storage *storage = unit->storage_;
    const struct dw_header *header = &dwarf->file.headers[dwarf->units[unit->number]];
    struct dw_root *root = &storage->root, entries;
    storage->budget = dw_list_budget(&dwarf->file, header);
    storage->foreign_budget = dw_foreign_budget(&dwarf->file);
    storage->line_context.budget = &storage->budget;
    storage->abbrevs.root_only = !(parts & SYM_UNIT_SCOPES);
    struct error *error = dw_root_read(dwarf, &dwarf->file, header, &storage->abbrevs, NULL,
                                       &storage->line_context, root);
    if (!error)
        error = dw_ranges_add(&storage->line_context, &root->low, &root->high, &root->ranges,
                              &storage->ranges, &storage->range_count, &storage->range_capacity);
    if (!error)
        error = find_entries(dwarf, unit, &entries);
    if (!error && (parts & SYM_UNIT_SCOPES))
        error = dw_scopes_read(storage, &entries);
    if (!error && (parts & SYM_UNIT_LINES) && root->has_lines) {
        error = dw_line_tables_read(&storage->line_context, root, &storage->lines);
        if (!error)
            error = dw_lines_read(storage, &storage->line_context);
    }
    if (error)
        return error;
    unit->name = entries.name ? entries.name : root->name;
    unit->comp_dir = root->comp_dir ? root->comp_dir : entries.comp_dir;
    unit->language = entries.language;
    unit->version = header->version;
    return NULL;
}

struct error *sym_unit_read(struct sym_dwarf *dwarf, size_t number, unsigned parts,
                            struct sym_unit *unit)
{
    struct sym_unit_storage *storage = unit->storage_;
    if (!storage)
        storage = calloc(1, sizeof(*storage));
    if (!storage)
        return dw_no_memory(&dwarf->file);
    clear(storage);
    *unit = (struct sym_unit){.number = number};
    unit->storage_ = storage;
    struct error *error = read_parts(dwarf, parts, unit);
    if (error) {
        *unit = (struct sym_unit){.number = number, .storage_ = storage};
        return error;
    }
    unit->ranges = storage->ranges;
    unit->range_count = storage->range_count;
    unit->functions = storage->functions;
    unit->function_count = storage->function_count;
    unit->scopes = storage->scopes;
    unit->scope_count = storage->scope_count;
    unit->scope_ranges = storage->scope_ranges;
    unit->scope_range_count = storage->scope_range_count;
    unit->rows = storage->rows;
    unit->row_count = storage->row_count;
    unit->sequences = storage->sequences;
    unit->sequence_count = storage->sequence_count;
    return NULL;
}

void sym_unit_deinit(struct sym_unit *unit)
{
    struct sym_unit_storage *storage = unit->storage_;
    if (storage) {
        dw_abbrevs_deinit(&storage->abbrevs);
        dw_abbrevs_deinit(&storage->split_abbrevs);
        dw_line_tables_deinit(&storage->lines);
        dw_foreign_deinit(storage);
        free(storage->ranges);
        free(storage->functions);
        free(storage->scopes);
        free(storage->scope_ranges);
        free(storage->rows);
        free(storage->sequences);
        free(storage->foreign_files);
        free(storage->parents);
        free(storage->by_entry);
        free(storage);
    }
    *unit = (struct sym_unit){0};
}

void sym_unit_trim(struct sym_unit *unit)
{
    struct sym_unit_storage *storage = unit->storage_;
    if (!storage)
        return;
    dw_abbrevs_deinit(&storage->abbrevs);
    dw_abbrevs_deinit(&storage->split_abbrevs);
    dw_foreign_deinit(storage);
    free(storage->parents);
    storage->parents = NULL;
    storage->parent_capacity = 0;
    free(storage->by_entry);
    storage->by_entry = NULL;
    storage->by_entry_size = 0;
}

const char *sym_unit_file(struct sym_unit *unit, uint32_t file)
{
    struct sym_unit_storage *storage = unit->storage_;
    if (!storage || file == SYM_NONE)
        return NULL;
    if (file >= DW_FOREIGN_FILE)
        return file - DW_FOREIGN_FILE < storage->foreign_file_count
                   ? storage->foreign_files[file - DW_FOREIGN_FILE]
                   : NULL;
    if (!storage->root.has_lines)
        return NULL;
    struct error *error =
        dw_line_tables_read(&storage->line_context, &storage->root, &storage->lines);
    if (error) { // it was reported when the lines were read, or nobody asked for lines
        error_free(error);
        return NULL;
    }
    return dw_line_path(&storage->line_context, unit->comp_dir, &storage->lines, file);
}
