// SPDX-License-Identifier: MIT
// See elf.h. Opening checks the tables of sections and segments; contents are checked when they are
// asked for, so that a file damaged in one place still answers from the others.
#include "symbolizer/elf.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbolizer/elf_private.h"

enum {
    BUILD_ID_MOST = 64,
    // Where made-up addresses start, and what is left free between two sections: the end of one is
    // an address of its own, and 0 and 1 stay what linkers write for code they dropped.
    LINEAR_FIRST = 0x10000,
    LINEAR_GAP = 64,
    LINEAR_ALIGN_MOST = 0x10000,
};

static struct error *damaged(const struct sym_elf *elf, uint64_t offset, const char *what)
{
    return error_make(EXIT_FAILED, "%s: offset 0x%llx: %s", elf->path, (unsigned long long)offset,
                      what);
}

static struct sym_cursor cursor_at(const struct sym_elf *elf, uint64_t offset)
{
    struct sym_cursor cursor = sym_cursor_over(elf->file, elf->swap);
    sym_cursor_seek(&cursor, offset);
    return cursor;
}

static uint64_t read_word(const struct sym_elf *elf, struct sym_cursor *cursor)
{
    return elf->wide ? sym_read_u64(cursor) : sym_read_u32(cursor);
}

struct header {
    uint64_t section_offset, segment_offset;
    size_t section_count, segment_count;
    unsigned section_bytes, segment_bytes; // of one row
    unsigned names;
};

static struct error *read_header(struct sym_elf *elf, struct header *header)
{
    const uint8_t *ident = elf->file.data;
    if (elf->file.size < EI_NIDENT || memcmp(ident, ELFMAG, SELFMAG) != 0)
        return error_make(EXIT_FAILED, "%s: is not an ELF file", elf->path);
    if (ident[EI_CLASS] != ELFCLASS32 && ident[EI_CLASS] != ELFCLASS64)
        return damaged(elf, EI_CLASS, "an ELF class that is neither 32 nor 64 bits");
    if (ident[EI_DATA] != ELFDATA2LSB && ident[EI_DATA] != ELFDATA2MSB)
        return damaged(elf, EI_DATA, "an unknown byte order");
    elf->wide = ident[EI_CLASS] == ELFCLASS64;
    elf->big_endian = ident[EI_DATA] == ELFDATA2MSB;
    elf->swap = elf->big_endian != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);

    struct sym_cursor cursor = cursor_at(elf, EI_NIDENT);
    elf->type = sym_read_u16(&cursor);
    elf->machine = sym_read_u16(&cursor);
    elf->relocatable = elf->type == ET_REL;
    sym_read_u32(&cursor);   // version
    read_word(elf, &cursor); // entry
    header->segment_offset = read_word(elf, &cursor);
    header->section_offset = read_word(elf, &cursor);
    sym_read_u32(&cursor); // flags
    sym_read_u16(&cursor); // size of this header
    header->segment_bytes = sym_read_u16(&cursor);
    header->segment_count = sym_read_u16(&cursor);
    header->section_bytes = sym_read_u16(&cursor);
    header->section_count = sym_read_u16(&cursor);
    header->names = sym_read_u16(&cursor);
    return cursor.failed ? damaged(elf, 0, "the ELF header is cut short") : NULL;
}

static void read_section(const struct sym_elf *elf, struct sym_cursor *cursor,
                         struct sym_elf_section *section, uint32_t *name, uint64_t *alignment)
{
    *name = sym_read_u32(cursor);
    section->type = sym_read_u32(cursor);
    section->flags = read_word(elf, cursor);
    section->address = read_word(elf, cursor);
    section->offset = read_word(elf, cursor);
    section->size = read_word(elf, cursor);
    section->link = sym_read_u32(cursor);
    section->info = sym_read_u32(cursor);
    *alignment = read_word(elf, cursor);
    section->entry_bytes = read_word(elf, cursor);
}

// Numbers too large for their 16 bits in the header are kept in section 0 (gABI, "Section Header").
static struct error *read_large_counts(const struct sym_elf *elf, struct header *header)
{
    if (header->section_offset == 0)
        return NULL;
    struct sym_elf_section first;
    uint32_t name;
    uint64_t alignment;
    struct sym_cursor cursor = cursor_at(elf, header->section_offset);
    read_section(elf, &cursor, &first, &name, &alignment);
    if (cursor.failed)
        return damaged(elf, header->section_offset, "the section table lies outside of the file");
    if (header->section_count == 0)
        header->section_count = first.size;
    if (header->names == SHN_XINDEX)
        header->names = first.link;
    if (header->segment_count == PN_XNUM)
        header->segment_count = first.info;
    return NULL;
}

// A row must have the bytes it is known to have, and all rows must lie in the file, so that what is
// allocated for them is bounded by the file's size.
static struct error *check_table(const struct sym_elf *elf, uint64_t offset, size_t count,
                                 unsigned row, unsigned known, const char *what)
{
    if (count == 0)
        return NULL;
    if (row < known)
        return error_make(EXIT_FAILED, "%s: the rows of the %s table have %u bytes, not %u",
                          elf->path, what, row, known);
    if (offset > elf->file.size || count > (elf->file.size - offset) / row)
        return error_make(EXIT_FAILED,
                          "%s: the %s table (offset 0x%llx, %zu rows) lies outside of "
                          "the file",
                          elf->path, what, (unsigned long long)offset, count);
    return NULL;
}

static const char *name_in(struct sym_bytes names, uint32_t offset)
{
    if (offset >= names.size || !memchr(names.data + offset, 0, names.size - offset))
        return "";
    return (const char *)names.data + offset;
}

static struct error *read_sections(struct sym_elf *elf, const struct header *header)
{
    unsigned known = elf->wide ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
    struct error *error = check_table(elf, header->section_offset, header->section_count,
                                      header->section_bytes, known, "section");
    if (error || header->section_count == 0)
        return error;
    size_t count = header->section_count;
    elf->sections = calloc(count, sizeof(*elf->sections));
    elf->private_->contents = calloc(count, sizeof(*elf->private_->contents));
    uint32_t *names = calloc(count, sizeof(*names));
    uint64_t linear = LINEAR_FIRST;
    if (!elf->sections || !elf->private_->contents || !names) {
        free(names);
        return error_errno("%s: %zu sections", elf->path, count);
    }
    elf->section_count = count;
    for (size_t i = 0; i < count && !error; i++) {
        struct sym_elf_section *section = &elf->sections[i];
        struct sym_cursor cursor =
            cursor_at(elf, header->section_offset + i * header->section_bytes);
        uint64_t alignment;
        read_section(elf, &cursor, section, &names[i], &alignment);
        if (!elf->relocatable || !(section->flags & SHF_ALLOC))
            continue;
        if (alignment < 16 || alignment > LINEAR_ALIGN_MOST || (alignment & (alignment - 1)))
            alignment = 16;
        linear = (linear + alignment - 1) & ~(alignment - 1);
        section->address = linear;
        uint64_t most = elf->wide ? UINT64_C(1) << 62 : UINT32_MAX - LINEAR_ALIGN_MOST - LINEAR_GAP;
        if (section->size > most || linear > most - section->size)
            error = error_make(EXIT_FAILED, "%s: section %zu: a size of 0x%llx cannot be",
                               elf->path, i, (unsigned long long)section->size);
        linear += section->size + LINEAR_GAP;
    }
    struct sym_bytes strings = {NULL, 0};
    if (header->names < count) {
        const struct sym_elf_section *section = &elf->sections[header->names];
        if (section->type == SHT_STRTAB && sym_elf_in_file_(elf, section->offset, section->size))
            strings = (struct sym_bytes){elf->file.data + section->offset, section->size};
    }
    for (size_t i = 0; i < count; i++)
        elf->sections[i].name = name_in(strings, names[i]);
    free(names);
    return error;
}

static struct error *read_segments(struct sym_elf *elf, const struct header *header)
{
    unsigned known = elf->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
    struct error *error = check_table(elf, header->segment_offset, header->segment_count,
                                      header->segment_bytes, known, "segment");
    if (error || header->segment_count == 0)
        return error;
    elf->segments = calloc(header->segment_count, sizeof(*elf->segments));
    if (!elf->segments)
        return error_errno("%s: %zu segments", elf->path, header->segment_count);
    for (size_t i = 0; i < header->segment_count; i++) {
        struct sym_cursor cursor =
            cursor_at(elf, header->segment_offset + i * header->segment_bytes);
        struct sym_elf_segment *segment = &elf->segments[elf->segment_count];
        uint32_t type = sym_read_u32(&cursor), flags = 0;
        if (elf->wide)
            flags = sym_read_u32(&cursor);
        segment->offset = read_word(elf, &cursor);
        segment->address = read_word(elf, &cursor);
        read_word(elf, &cursor); // physical address
        segment->file_bytes = read_word(elf, &cursor);
        segment->memory_bytes = read_word(elf, &cursor);
        if (!elf->wide)
            flags = sym_read_u32(&cursor);
        segment->executable = flags & PF_X;
        if (type == PT_LOAD)
            elf->segment_count++;
        else if (type == PT_NOTE && !elf->build_id_bytes)
            sym_elf_note_(elf, segment->offset, segment->file_bytes);
    }
    return NULL;
}

// Keeps the build-id if it is among the notes there. Damaged notes are passed over: they name
// nothing that is needed.
void sym_elf_note_(struct sym_elf *elf, uint64_t offset, uint64_t bytes)
{
    if (!sym_elf_in_file_(elf, offset, bytes))
        return;
    struct sym_cursor cursor =
        sym_cursor_over((struct sym_bytes){elf->file.data + offset, bytes}, elf->swap);
    while (sym_cursor_left(&cursor) >= 12) {
        uint64_t name_bytes = sym_read_u32(&cursor), id_bytes = sym_read_u32(&cursor);
        uint32_t type = sym_read_u32(&cursor);
        const uint8_t *name = cursor.at;
        sym_cursor_skip(&cursor, (name_bytes + 3) & ~UINT64_C(3));
        const uint8_t *id = cursor.at;
        if (cursor.failed || !sym_cursor_has(&cursor, id_bytes))
            return;
        if (type == NT_GNU_BUILD_ID && name_bytes == 4 && memcmp(name, "GNU", 4) == 0 &&
            id_bytes > 0 && id_bytes <= BUILD_ID_MOST) {
            elf->build_id = id;
            elf->build_id_bytes = id_bytes;
            return;
        }
        id_bytes = (id_bytes + 3) & ~UINT64_C(3);
        sym_cursor_skip(&cursor, id_bytes);
    }
}

static struct error *read_file(struct sym_elf *elf)
{
    struct header header = {0};
    struct error *error = read_header(elf, &header);
    if (!error)
        error = read_large_counts(elf, &header);
    if (!error)
        error = read_sections(elf, &header);
    if (error)
        return error;
    for (size_t i = 1; i < elf->section_count && !elf->build_id_bytes; i++)
        if (elf->sections[i].type == SHT_NOTE)
            sym_elf_note_(elf, elf->sections[i].offset, elf->sections[i].size);
    error = read_segments(elf, &header);
    return error ? error : sym_elf_sort_(elf);
}

struct error *sym_elf_over(const char *path, struct sym_bytes file, struct sym_elf **out)
{
    struct sym_elf *elf = calloc(1, sizeof(*elf));
    struct sym_elf_private *own = calloc(1, sizeof(*own));
    char *copy = strdup(path);
    if (!elf || !own || !copy) {
        free(elf);
        free(own);
        free(copy);
        return error_errno("%s", path);
    }
    elf->path = copy;
    elf->file = file;
    elf->private_ = own;
    struct error *error = read_file(elf);
    if (error) {
        sym_elf_close(elf);
        return error;
    }
    *out = elf;
    return NULL;
}

static struct error *map_file(int file, const char *path, struct sym_bytes *out)
{
    struct stat status;
    if (fstat(file, &status) < 0)
        return error_errno("%s", path);
    if (!S_ISREG(status.st_mode))
        return error_make(EXIT_FAILED, "%s: is not a file", path);
    if (status.st_size == 0)
        return error_make(EXIT_FAILED, "%s: is empty", path);
    void *at = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    if (at == MAP_FAILED)
        return error_errno("%s", path);
    *out = (struct sym_bytes){at, (size_t)status.st_size};
    return NULL;
}

struct error *sym_elf_open(const char *path, struct sym_elf **out)
{
    // Names come from other files too: opening a pipe would wait for its writer.
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return error_errno("%s", path);
    struct sym_bytes bytes = {NULL, 0};
    struct error *error = map_file(file, path, &bytes);
    close(file);
    if (error)
        return error;
    error = sym_elf_over(path, bytes, out);
    if (error)
        munmap((void *)bytes.data, bytes.size);
    else
        (*out)->private_->mapped = true;
    return error;
}

void sym_elf_close(struct sym_elf *elf)
{
    if (!elf)
        return;
    struct sym_elf_private *own = elf->private_;
    for (size_t i = 0; own->contents && i < elf->section_count; i++)
        free(own->contents[i].owned);
    if (own->mapped)
        munmap((void *)elf->file.data, elf->file.size);
    free(own->contents);
    free(own->loaded);
    free(own->code);
    free(own);
    free(elf->sections);
    free(elf->segments);
    free((char *)elf->path);
    free(elf);
}

unsigned sym_elf_section_named(const struct sym_elf *elf, const char *name)
{
    for (size_t i = 1; i < elf->section_count; i++)
        if (strcmp(elf->sections[i].name, name) == 0)
            return (unsigned)i;
    return 0;
}

struct error *sym_elf_contents(struct sym_elf *elf, unsigned number, struct sym_bytes *out)
{
    *out = (struct sym_bytes){elf->file.data, 0};
    if (number >= elf->section_count || elf->sections[number].type == SHT_NOBITS ||
        elf->sections[number].type == SHT_NULL)
        return NULL;
    struct sym_elf_contents *contents = &elf->private_->contents[number];
    if (!contents->known) {
        const struct sym_elf_section *section = &elf->sections[number];
        if (!sym_elf_in_file_(elf, section->offset, section->size))
            return error_make(
                EXIT_FAILED,
                "%s: section %s (offset 0x%llx, 0x%llx bytes) lies outside of the file", elf->path,
                section->name, (unsigned long long)section->offset,
                (unsigned long long)section->size);
        contents->bytes = (struct sym_bytes){elf->file.data + section->offset, section->size};
        struct error *error = sym_elf_decompress_(elf, section, contents);
        // Symbol tables and relocations are no PROGBITS, so that this comes back here once at most.
        if (!error && elf->relocatable && section->type == SHT_PROGBITS &&
            !(section->flags & SHF_ALLOC))
            error = sym_elf_relocate_(elf, number, contents);
        if (error) {
            free(contents->owned);
            *contents = (struct sym_elf_contents){0};
            return error;
        }
        contents->known = true;
    }
    *out = contents->bytes;
    return NULL;
}

struct error *sym_elf_contents_named(struct sym_elf *elf, const char *name, struct sym_bytes *out)
{
    unsigned number = sym_elf_section_named(elf, name);
    if (!number && strncmp(name, ".debug_", 7) == 0) {
        char old[64];
        if (snprintf(old, sizeof(old), ".z%s", name + 1) < (int)sizeof(old))
            number = sym_elf_section_named(elf, old);
    }
    return sym_elf_contents(elf, number, out);
}
