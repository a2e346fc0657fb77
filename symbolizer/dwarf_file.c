// SPDX-License-Identifier: MIT
// The sections of a file that the scanner reads, and the headers of its units (DWARF 5, section
// 7.5.1). The same for the file itself, for a .dwo and for the file dwz moved common entries to.
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

struct error *dw_file_open(struct sym_elf *elf, bool split, struct dw_file *file)
{
    *file = (struct dw_file){.elf = elf, .split = split};
    for (int i = 0; i < DW_SECTIONS; i++) {
        char name[64];
        snprintf(name, sizeof(name), "%s%s", section_names[i], split ? ".dwo" : "");
        struct error *error = sym_elf_contents_named(elf, name, &file->sections[i]);
        if (error)
            return error;
    }
    cut_strings(&file->sections[DW_STR]);
    cut_strings(&file->sections[DW_LINE_STR]);
    return NULL;
}

static const char *read_header(struct sym_cursor *cursor, struct dw_header *header)
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
            sym_read_unsigned(&rest, header->offset_bytes); // where the type is
    } else {
        header->type = DW_UT_compile;
        header->abbrev_offset = sym_read_unsigned(&rest, header->offset_bytes);
        header->address_bytes = sym_read_u8(&rest);
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
        const char *wrong = read_header(&cursor, &header);
        if (wrong)
            return dw_damaged(file, DW_INFO, header.offset, wrong);
        sym_cursor_seek(&cursor, header.end);
        if (header.version == 0)
            continue; // padding between units
        if (!DW_GROW(file->headers, capacity, file->header_count))
            return dw_no_memory(file);
        file->headers[file->header_count++] = header;
    }
    return NULL;
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
    error = dw_file_open(elf, false, file->alternate);
    return error ? error : dw_headers_read(file->alternate);
}

void dw_file_deinit(struct dw_file *file)
{
    free(file->headers);
    if (file->alternate) {
        struct sym_elf *elf = file->alternate->elf;
        dw_file_deinit(file->alternate); // which has no alternate itself
        sym_elf_close(elf);
        free(file->alternate);
    }
    *file = (struct dw_file){0};
}
