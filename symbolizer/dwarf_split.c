// SPDX-License-Identifier: MIT
// Finds the other half of a split unit: in FILE.dwp beside the file (DWARF 5, section 7.3.5, and
// the format it grew from), else in the .dwo that the skeleton names, where it was compiled or
// beside the file. A half whose identity differs is of another compilation and is not used.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/dwarf_private.h"

static void close_split(struct dw_split *split)
{
    if (split->file) {
        dw_file_deinit(split->file);
        free(split->file);
    }
    sym_elf_close(split->elf);
    *split = (struct dw_split){.searched = true};
}

// The unit of that identity. DWARF 4 keeps it in the root entry.
static struct error *find_header(struct sym_dwarf *dwarf, const struct dw_file *file, uint64_t id,
                                 const struct dw_header **out)
{
    struct dw_abbrevs abbrevs = {.root_only = true};
    struct error *error = NULL;
    *out = NULL;
    for (size_t i = 0; i < file->header_count && !*out && !error; i++) {
        const struct dw_header *header = &file->headers[i];
        if (header->version >= 5) {
            if (header->type == DW_UT_split_compile && header->id == id)
                *out = header;
            continue;
        }
        uint64_t budget = 0;
        struct dw_context context = {.budget = &budget};
        struct dw_root root;
        error = dw_root_read(dwarf, file, header, &abbrevs, NULL, &context, &root);
        if (!error && root.id == id)
            *out = header;
    }
    dw_abbrevs_deinit(&abbrevs);
    return error;
}

// -- .dwp
// ------------------------------------------------------------------------------------------

static enum dw_section section_of_column(uint32_t column)
{
    switch (column) {
    case DW_SECT_INFO:
        return DW_INFO;
    case DW_SECT_ABBREV:
        return DW_ABBREV;
    case DW_SECT_LINE:
        return DW_LINE;
    case DW_SECT_STR_OFFSETS:
        return DW_STR_OFFSETS;
    case DW_SECT_RNGLISTS:
        return DW_RNGLISTS;
    default:
        return DW_SECTIONS;
    }
}

static struct error *open_package(struct sym_dwarf *dwarf)
{
    char *path;
    dwarf->package_searched = true;
    if (asprintf(&path, "%s.dwp", dwarf->elf->path) < 0)
        return dw_no_memory(&dwarf->file);
    struct error *error = NULL;
    struct sym_elf *elf = NULL;
    struct dw_package *package = NULL;
    if (access(path, R_OK) == 0) {
        error = sym_elf_open(path, &elf);
        package = calloc(1, sizeof(*package));
    }
    free(path);
    if (!elf || !package) {
        free(package);
        return error;
    }
    error = dw_file_open(elf, true, &package->file);
    if (!error)
        error = sym_elf_contents_named(elf, ".debug_cu_index", &package->index);
    if (error) {
        sym_elf_close(elf);
        free(package);
        return error;
    }
    dwarf->package = package;
    return NULL;
}

struct package_index {
    uint32_t columns, units, slots;
    uint64_t ids, rows, names, offsets, sizes; // where the tables begin
};

static bool read_package_index(const struct dw_package *package, struct package_index *index)
{
    struct sym_cursor cursor = sym_cursor_over(package->index, package->file.elf->swap);
    // Version 2 has 32 bits for its version, version 5 has 16 and as many of padding.
    uint16_t first = sym_read_u16(&cursor), second = sym_read_u16(&cursor);
    index->columns = sym_read_u32(&cursor);
    index->units = sym_read_u32(&cursor);
    index->slots = sym_read_u32(&cursor);
    bool known = first == 5 || first == 2 || (first == 0 && second == 2);
    if (cursor.failed || !known || index->columns > 64)
        return false;
    index->ids = 16;
    index->rows = index->ids + 8 * (uint64_t)index->slots;
    index->names = index->rows + 4 * (uint64_t)index->slots;
    index->offsets = index->names + 4 * (uint64_t)index->columns;
    uint64_t table = 4 * (uint64_t)index->columns * index->units;
    index->sizes = index->offsets + table;
    return index->sizes + table <= package->index.size;
}

static uint32_t index_u32(const struct dw_package *package, uint64_t offset)
{
    return sym_load_u32(package->index.data + offset, package->file.elf->swap);
}

// The row of a unit in the tables of offsets and sizes, from 1; 0: it is not there. The table of
// identities is hashed with a second hash as its step.
static uint32_t find_row(const struct dw_package *package, const struct package_index *index,
                         uint64_t id)
{
    if (index->slots == 0 || (index->slots & (index->slots - 1)))
        return 0;
    uint64_t mask = index->slots - 1, slot = id & mask, step = (id >> 32 & mask) | 1;
    for (uint32_t i = 0; i < index->slots; i++) {
        uint32_t row = index_u32(package, index->rows + 4 * slot);
        uint64_t its =
            sym_load_u64(package->index.data + index->ids + 8 * slot, package->file.elf->swap);
        if (row == 0 || its == id)
            return row;
        slot = (slot + step) & mask;
    }
    return 0;
}

// A unit's share of the package as a file of its own.
static struct error *find_in_package(struct sym_dwarf *dwarf, uint64_t id, struct dw_split *split)
{
    const struct dw_package *package = dwarf->package;
    struct package_index index;
    if (!read_package_index(package, &index))
        return error_make(EXIT_FAILED,
                          "%s: .debug_cu_index: offset 0x0: an index that is cut "
                          "short or of an unknown version",
                          package->file.elf->path);
    uint32_t row = find_row(package, &index, id);
    if (row == 0 || row > index.units)
        return NULL;
    split->file = calloc(1, sizeof(*split->file));
    if (!split->file)
        return dw_no_memory(&package->file);
    *split->file = package->file;
    for (uint32_t i = 0; i < index.columns; i++) {
        enum dw_section section = section_of_column(index_u32(package, index.names + 4 * i));
        if (section == DW_SECTIONS)
            continue;
        uint64_t cell = 4 * ((uint64_t)(row - 1) * index.columns + i);
        uint64_t offset = index_u32(package, index.offsets + cell);
        uint64_t bytes = index_u32(package, index.sizes + cell);
        struct sym_bytes *share = &split->file->sections[section];
        if (offset > share->size || bytes > share->size - offset)
            return dw_damaged(&package->file, section, offset,
                              "a unit's share of the package lies outside of it");
        *share = (struct sym_bytes){share->data + offset, bytes};
    }
    struct error *error = dw_headers_read(split->file);
    return error ? error : find_header(dwarf, split->file, id, &split->header);
}

// -- .dwo
// ------------------------------------------------------------------------------------------

static struct error *open_dwo(struct sym_dwarf *dwarf, const char *path, uint64_t id,
                              struct dw_split *split)
{
    // A name that leads to no ELF file leads to none; what is wrong inside of one is an error.
    struct error *error = sym_elf_open(path, &split->elf);
    if (error) {
        error_free(error);
        return NULL;
    }
    split->file = calloc(1, sizeof(*split->file));
    if (!split->file)
        return dw_no_memory(&dwarf->file);
    error = dw_file_open(split->elf, true, split->file);
    if (!error)
        error = dw_headers_read(split->file);
    if (!error)
        error = find_header(dwarf, split->file, id, &split->header);
    return error;
}

static struct error *find_dwo(struct sym_dwarf *dwarf, const struct dw_root *root,
                              struct dw_split *split)
{
    const char *slash = strrchr(dwarf->elf->path, '/'), *name = root->dwo_name;
    const char *last = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
    int folder = slash ? (int)(slash + 1 - dwarf->elf->path) : 0;
    struct error *error = NULL;
    for (int i = 0; i < 3 && !split->header && !error; i++) {
        char *path;
        int made;
        close_split(split); // what was found there was another's
        if (i == 0 && name[0] != '/' && root->comp_dir)
            made = asprintf(&path, "%s/%s", root->comp_dir, name);
        else if (i == 0)
            made = asprintf(&path, "%s", name);
        else
            made = asprintf(&path, "%.*s%s", folder, dwarf->elf->path, i == 1 ? name : last);
        if (made < 0)
            return dw_no_memory(&dwarf->file);
        error = open_dwo(dwarf, path, root->id, split);
        free(path);
    }
    return error;
}

static struct error *search(struct sym_dwarf *dwarf, const struct dw_root *root,
                            struct dw_split *split)
{
    struct error *error = NULL;
    split->searched = true;
    if (!dwarf->package_searched)
        error = open_package(dwarf);
    if (!error && dwarf->package)
        error = find_in_package(dwarf, root->id, split);
    if (!error && !split->header)
        error = find_dwo(dwarf, root, split);
    if (error || !split->header)
        close_split(split);
    return error;
}

struct error *dw_split_find(struct sym_dwarf *dwarf, size_t unit, const struct dw_root *root,
                            const struct dw_file **file, const struct dw_header **header)
{
    struct error *error = NULL;
    *file = NULL;
    pthread_mutex_lock(&dwarf->lock);
    if (!dwarf->splits)
        dwarf->splits = calloc(dwarf->unit_count, sizeof(*dwarf->splits));
    if (!dwarf->splits) {
        error = dw_no_memory(&dwarf->file);
    } else {
        struct dw_split *split = &dwarf->splits[unit];
        if (!split->searched)
            error = search(dwarf, root, split);
        *file = split->header ? split->file : NULL;
        *header = split->header;
    }
    pthread_mutex_unlock(&dwarf->lock);
    return error;
}

void dw_splits_close(struct sym_dwarf *dwarf)
{
    for (size_t i = 0; dwarf->splits && i < dwarf->unit_count; i++)
        close_split(&dwarf->splits[i]);
    free(dwarf->splits);
    if (dwarf->package) {
        struct sym_elf *elf = dwarf->package->file.elf;
        dw_file_deinit(&dwarf->package->file);
        sym_elf_close(elf);
        free(dwarf->package);
    }
}
