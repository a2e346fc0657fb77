// SPDX-License-Identifier: MIT
// Finds the other half of a split unit: in FILE.dwp beside the file (DWARF 5, section 7.3.5, and
// the format it grew from), else in the .dwo that the skeleton names, where it was compiled or
// beside the file. A half whose identity differs is of another compilation and is not used.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/dwarf_private.h"

static void close_share(struct dw_file *file)
{
    if (file)
        dw_file_deinit(file);
    free(file);
}

static void close_split(struct dw_split *split)
{
    close_share(split->file);
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

static enum dw_section section_of_column(const struct dw_file *package, uint32_t column)
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
    case DW_SECT_LOCLISTS:
        return package->sections[DW_LOCLISTS].size ? DW_LOCLISTS : DW_LOC;
    case DW_SECT_TYPES:
        return DW_TYPES;
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
    error = dw_file_open(elf, true, dwarf->whole, &package->file);
    if (!error)
        error = sym_elf_contents_named(elf, ".debug_cu_index", &package->index);
    if (!error)
        error = sym_elf_contents_named(elf, ".debug_tu_index", &package->type_index);
    if (error) {
        dw_file_deinit(&package->file);
        sym_elf_close(elf);
        free(package);
        return error;
    }
    dwarf->package = package;
    return NULL;
}

struct package_index {
    struct sym_bytes bytes;
    bool swap;
    uint32_t columns, units, slots;
    uint64_t ids, rows, names, offsets, sizes; // where the tables begin
};

static bool read_package_index(const struct dw_package *package, struct sym_bytes bytes,
                               struct package_index *index)
{
    struct sym_cursor cursor = sym_cursor_over(bytes, package->file.elf->swap);
    // Version 2 has 32 bits for its version, version 5 has 16 and as many of padding.
    uint16_t first = sym_read_u16(&cursor), second = sym_read_u16(&cursor);
    index->bytes = bytes;
    index->swap = cursor.swap;
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
    return index->sizes + table <= bytes.size;
}

static uint32_t index_u32(const struct package_index *index, uint64_t offset)
{
    return sym_load_u32(index->bytes.data + offset, index->swap);
}

// The row of a unit in the tables of offsets and sizes, from 1; 0: it is not there. The table of
// identities is hashed with a second hash as its step.
static uint32_t find_row(const struct package_index *index, uint64_t id)
{
    if (index->slots == 0 || (index->slots & (index->slots - 1)))
        return 0;
    uint64_t mask = index->slots - 1, slot = id & mask, step = (id >> 32 & mask) | 1;
    for (uint32_t i = 0; i < index->slots; i++) {
        uint32_t row = index_u32(index, index->rows + 4 * slot);
        uint64_t its = sym_load_u64(index->bytes.data + index->ids + 8 * slot, index->swap);
        if (row == 0 || its == id)
            return row <= index->units ? row : 0;
        slot = (slot + step) & mask;
    }
    return 0;
}

// What a row says is the unit's of each section; sections it does not name stay whole.
static struct error *cut_share(const struct dw_package *package, const struct package_index *index,
                               uint32_t row, struct dw_file *share)
{
    for (uint32_t i = 0; i < index->columns; i++) {
        enum dw_section section =
            section_of_column(&package->file, index_u32(index, index->names + 4 * i));
        if (section == DW_SECTIONS || (section >= DW_SCANNED && !share->whole))
            continue;
        uint64_t cell = 4 * ((uint64_t)(row - 1) * index->columns + i);
        uint64_t offset = index_u32(index, index->offsets + cell);
        uint64_t bytes = index_u32(index, index->sizes + cell);
        share->is_types |= section == DW_TYPES;
        struct sym_bytes *part = &share->sections[section == DW_TYPES ? DW_INFO : section];
        if (section == DW_TYPES && package->file.types)
            *part = package->file.types->sections[DW_INFO];
        if (offset > part->size || bytes > part->size - offset)
            return dw_damaged(&package->file, section, offset,
                              "a unit's share of the package lies outside of it");
        *part = (struct sym_bytes){part->data + offset, bytes};
    }
    return dw_headers_read(share);
}

// A unit's share of the package as a file of its own; NULL: the package does not have it.
static struct error *find_share(struct dw_package *package, struct sym_bytes table,
                                const char *table_name, uint64_t id, struct dw_file **share)
{
    struct package_index index;
    *share = NULL;
    if (!read_package_index(package, table, &index))
        return error_make(EXIT_FAILED,
                          "%s: %s: offset 0x0: an index that is cut short or of an unknown version",
                          package->file.elf->path, table_name);
    uint32_t row = find_row(&index, id);
    if (row == 0)
        return NULL;
    *share = calloc(1, sizeof(**share));
    if (!*share)
        return dw_no_memory(&package->file);
    **share =
        (struct dw_file){.elf = package->file.elf, .split = true, .whole = package->file.whole};
    memcpy((*share)->sections, package->file.sections, sizeof((*share)->sections));
    return cut_share(package, &index, row, *share);
}

static struct error *find_in_package(struct sym_dwarf *dwarf, uint64_t id, struct dw_split *split)
{
    struct dw_package *package = dwarf->package;
    struct error *error = find_share(package, package->index, ".debug_cu_index", id, &split->file);
    return error || !split->file ? error : find_header(dwarf, split->file, id, &split->header);
}

struct error *dw_package_type(struct sym_dwarf *dwarf, const struct dw_file *file,
                              uint64_t signature, const struct dw_file **in,
                              const struct dw_header **header)
{
    struct dw_package *package = dwarf->package;
    *header = NULL;
    if (!package || file->elf != package->file.elf || package->type_index.size == 0)
        return NULL;
    struct dw_share *share = package->shares;
    while (share && share->id != signature)
        share = share->next;
    if (!share) {
        share = calloc(1, sizeof(*share));
        if (!share)
            return dw_no_memory(file);
        *share = (struct dw_share){.next = package->shares, .id = signature};
        package->shares = share;
        struct error *error =
            find_share(package, package->type_index, ".debug_tu_index", signature, &share->file);
        if (error)
            return error;
        share->header = share->file ? dw_type_in(share->file, signature) : NULL;
    }
    *in = share->file;
    *header = share->header;
    return NULL;
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
    error = dw_file_open(split->elf, true, dwarf->whole, split->file);
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
        for (struct dw_share *share = dwarf->package->shares, *next; share; share = next) {
            next = share->next;
            close_share(share->file);
            free(share);
        }
        dw_file_deinit(&dwarf->package->file);
        sym_elf_close(elf);
        free(dwarf->package);
    }
}
