// SPDX-License-Identifier: MIT
// The sections of a file that the scanner reads, and the headers of its units (DWARF 5, section
// 7.5.1). The same for the file itself, for a .dwo and for the file dwz moved common entries to.
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/dwarf_private.h"

static const char *const section_names[DW_SECTIONS] = {
    [DW_INFO] = ".debug_info",         [DW_ABBREV] = ".debug_abbrev",
    [DW_LINE] = ".debug_line",         [DW_STR] = ".debug_str",
    [DW_LINE_STR] = ".debug_line_str", [DW_STR_OFFSETS] = ".debug_str_offsets",
    [DW_ADDR] = ".debug_addr",         [DW_RANGES] = ".debug_ranges",
    [DW_RNGLISTS] = ".debug_rnglists", [DW_ARANGES] = ".debug_aranges",
    [DW_LOC] = ".debug_loc",           [DW_LOCLISTS] = ".debug_loclists",
    [DW_TYPES] = ".debug_types",
};

const char *dw_section_name(enum dw_section section)
{
    return section_names[section];
}

struct error *dw_damaged(const struct dw_file *file, enum dw_section section, uint64_t offset,
                         const char *what)
{
    return error_make(EXIT_FAILED, "%s: %s%s: offset 0x%llx: %s", file->elf->path,
                      section_names[section], file->split ? ".dwo" : "", (unsigned long long)offset,
                      what);
}

struct error *dw_no_memory(const struct dw_file *file)
{
    return error_make(EXIT_FAILED, "%s: not enough memory for its debug information",
                      file->elf->path);
}

bool dw_grow(void **rows, size_t *capacity, size_t count, size_t row_bytes)
{
    size_t wanted = *capacity ? *capacity * 2 : 64;
    if (wanted <= count)
        wanted = count + 1;
    void *grown = wanted < SIZE_MAX / row_bytes ? realloc(*rows, wanted * row_bytes) : NULL;
    if (!grown)
        return false;
    *rows = grown;
    *capacity = wanted;
    return true;
}

// A section of strings is cut behind its last terminator, so that whatever offset lies in it begins
// a string that ends in it.
static void cut_strings(struct sym_bytes *strings)
{
    const uint8_t *last = strings->size ? memrchr(strings->data, 0, strings->size) : NULL;
    strings->size = last ? (size_t)(last - strings->data) + 1 : 0;
}

// Puts all sections of one name behind each other, as a linker would: a .dwo has one for each type
// that is shared. Those of groups go last, since others refer to the first by offsets.
static struct error *join_sections(struct dw_file *file, const char *name, struct sym_bytes *all)
{
    struct sym_elf *elf = file->elf;
    uint64_t most = 16 * (uint64_t)elf->file.size, size = 0;
    unsigned count = 0;
    for (size_t i = 1; i < elf->section_count; i++)
        if (strcmp(elf->sections[i].name, name) == 0 && elf->sections[i].size > 0)
            count++;
    if (count < 2)
        return NULL;
    for (int in_groups = 0; in_groups < 2; in_groups++) {
        for (size_t i = 1; i < elf->section_count; i++) {
            struct sym_bytes one;
            if (strcmp(elf->sections[i].name, name) != 0 ||
                in_groups != ((elf->sections[i].flags & SHF_GROUP) != 0))
                continue;
            struct error *error = sym_elf_contents(elf, (unsigned)i, &one);
            if (error)
                return error;
            if (one.size > most - size) // they overlap in the file
                return error_make(EXIT_FAILED, "%s: too many sections %s", elf->path, name);
            uint8_t *grown = realloc(file->joined, size + one.size + 1);
            if (!grown)
                return dw_no_memory(file);
            file->joined = grown;
            if (one.size)
                memcpy(grown + size, one.data, one.size);
            size += one.size;
        }
    }
    *all = (struct sym_bytes){file->joined, size};
    return NULL;
}

static struct error *read_section(struct dw_file *file, enum dw_section section,
                                  struct sym_bytes *contents)
{
    char name[64];
    snprintf(name, sizeof(name), "%s%s", section_names[section], file->split ? ".dwo" : "");
    struct error *error = sym_elf_contents_named(file->elf, name, contents);
    bool may_be_many = file->elf->relocatable && (section == DW_INFO || section == DW_TYPES);
    return error || !may_be_many ? error : join_sections(file, name, contents);
}

// .debug_types as a file of its own, whose entries are in the place of .debug_info's.
static struct error *open_types(struct dw_file *file)
{
    struct dw_file *types = calloc(1, sizeof(*types));
    if (!types)
        return dw_no_memory(file);
    memcpy(types->sections, file->sections, sizeof(types->sections));
    types->elf = file->elf;
    types->alternate = file->alternate;
    types->split = file->split;
    types->whole = types->is_types = true;
    file->types = types;
    struct error *error = read_section(types, DW_TYPES, &types->sections[DW_INFO]);
    return error ? error : dw_headers_read(types);
}

struct error *dw_file_open(struct sym_elf *elf, bool split, bool whole, struct dw_file *file)
{
    *file = (struct dw_file){.elf = elf, .split = split, .whole = whole};
    for (int i = 0; i < (whole ? DW_TYPES : DW_SCANNED); i++) {
        struct error *error = read_section(file, i, &file->sections[i]);
        if (error)
            return error;
    }
    cut_strings(&file->sections[DW_STR]);
    cut_strings(&file->sections[DW_LINE_STR]);
    return whole ? open_types(file) : NULL;
}

static const char *read_header(struct sym_cursor *cursor, bool is_types, struct dw_header *header)
{
    uint64_t bytes = sym_read_u32(cursor);
    header->offset_bytes = 4;
    if (bytes == 0xffffffff) {
        header->offset_bytes = 8;
        bytes = sym_read_u64(cursor);
    }
    if (cursor->failed || bytes > sym_cursor_left(cursor))
        return "a unit is cut short";
    header->end = (uint64_t)(cursor->at - cursor->base) + bytes;
    if (bytes == 0)
        return NULL;
    struct sym_cursor rest = *cursor;
    rest.end = rest.at + bytes;
    header->version = sym_read_u16(&rest);
    if (header->version < 2 || header->version > 5)
        return "a unit of a version of DWARF this program does not know";
    if (header->version >= 5) {
        header->type = sym_read_u8(&rest);
        header->address_bytes = sym_read_u8(&rest);
        header->abbrev_offset = sym_read_unsigned(&rest, header->offset_bytes);
        if (header->type != DW_UT_compile && header->type != DW_UT_partial)
            header->id = sym_read_u64(&rest);
        if (header->type == DW_UT_type || header->type == DW_UT_split_type)
            header->type_offset = sym_read_unsigned(&rest, header->offset_bytes);
    } else {
        header->type = is_types ? DW_UT_type : DW_UT_compile;
        header->abbrev_offset = sym_read_unsigned(&rest, header->offset_bytes);
        header->address_bytes = sym_read_u8(&rest);
        if (is_types) {
            header->id = sym_read_u64(&rest);
            header->type_offset = sym_read_unsigned(&rest, header->offset_bytes);
        }
    }
    header->entries = (uint64_t)(rest.at - rest.base);
    if (rest.failed)
        return "the header of a unit is cut short";
    if (header->address_bytes != 2 && header->address_bytes != 4 && header->address_bytes != 8)
        return "a unit with addresses of an unknown size";
    return NULL;
}

struct error *dw_headers_read(struct dw_file *file)
{
    struct sym_cursor cursor = sym_cursor_over(file->sections[DW_INFO], file->elf->swap);
    size_t capacity = 0;
    while (sym_cursor_left(&cursor) > 0) {
        struct dw_header header = {.offset = sym_cursor_offset(&cursor)};
        const char *wrong = read_header(&cursor, file->is_types, &header);
        if (wrong)
            return dw_damaged(file, DW_INFO, header.offset, wrong);
        sym_cursor_seek(&cursor, header.end);
        if (header.version == 0)
            continue; // padding between units
        if (!DW_GROW(file->headers, capacity, file->header_count))
            return dw_no_memory(file);
        file->headers[file->header_count++] = header;
    }
    return file->whole ? dw_types_sort(file) : NULL;
}

struct error *dw_alternate_open(struct dw_file *file)
{
    struct sym_bytes link;
    struct error *error = sym_elf_contents_named(file->elf, ".gnu_debugaltlink", &link);
    if (error || link.size == 0 || !memchr(link.data, 0, link.size))
        return error;
    const char *name = (const char *)link.data, *slash = strrchr(file->elf->path, '/');
    char *path;
    int folder = name[0] != '/' && slash ? (int)(slash + 1 - file->elf->path) : 0;
    if (asprintf(&path, "%.*s%s", folder, file->elf->path, name) < 0)
        return dw_no_memory(file);
    struct sym_elf *elf;
    error = sym_elf_open(path, &elf);
    free(path);
    if (error) {
        error_free(error); // names that are only there stay unknown
        return NULL;
    }
    file->alternate = calloc(1, sizeof(*file->alternate));
    if (!file->alternate) {
        sym_elf_close(elf);
        return dw_no_memory(file);
    }
    error = dw_file_open(elf, false, file->whole, file->alternate);
    return error ? error : dw_headers_read(file->alternate);
}

void dw_file_deinit(struct dw_file *file)
{
    free(file->headers);
    free(file->by_signature);
    free(file->joined);
    if (file->types) {
        file->types->alternate = NULL; // is ours
        dw_file_deinit(file->types);   // which has no types itself
        free(file->types);
    }
    if (file->alternate) {
        struct sym_elf *elf = file->alternate->elf;
        dw_file_deinit(file->alternate); // which has no alternate itself
        sym_elf_close(elf);
        free(file->alternate);
    }
    *file = (struct dw_file){0};
}
