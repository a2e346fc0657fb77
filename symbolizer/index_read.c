// SPDX-License-Identifier: MIT
// Opens an index, and says what it is of. What is checked when is in index_private.h.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "symbolizer/index_pack.h"
#include "symbolizer/index_private.h"

bool sym_index_is_one(const char *path)
{
    char magic[INDEX_MAGIC_BYTES];
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return false;
    bool whole = read(file, magic, sizeof(magic)) == sizeof(magic);
    close(file);
    return whole && (!memcmp(magic, INDEX_MAGIC, sizeof(magic)) ||
                     !memcmp(magic, INDEX_MAGIC_PACKED, sizeof(magic)));
}

static struct error *map_file(const char *path, struct sym_bytes *map)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    struct error *error = NULL;
    if (file < 0)
        return error_errno("cannot open %s", path);
    if (fstat(file, &status)) {
        error = error_errno("cannot read %s", path);
    } else if (!S_ISREG(status.st_mode) || !status.st_size) {
        error = error_make(EXIT_FAILED, "%s: not an index", path);
    } else {
        void *at = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
        if (at == MAP_FAILED)
            error = error_errno("cannot map %s", path);
        else
            *map = (struct sym_bytes){at, (size_t)status.st_size};
    }
    close(file);
    return error;
}

static size_t entry_bytes(enum index_part_kind kind)
{
    switch (kind) {
    case INDEX_SECTIONS:
        return sizeof(struct index_section);
    case INDEX_FILES:
    case INDEX_SYMBOL_NAMES:
        return sizeof(uint32_t);
    case INDEX_SEGMENT_BLOCKS:
    case INDEX_LINE_BLOCKS:
    case INDEX_SYMBOL_BLOCKS:
        return sizeof(struct index_block);
    default:
        return 0;
    }
}

static struct error *check_parts(struct sym_index *index, const struct index_header *header)
{
    for (size_t i = 0; i < INDEX_PARTS; i++) {
        const struct index_part *part = &header->parts[i];
        uint64_t offset = le64toh(part->offset), bytes = le64toh(part->bytes);
        size_t each = entry_bytes((enum index_part_kind)i);
        if (offset > index->map.size || bytes > index->map.size - offset ||
            offset % INDEX_PART_ALIGN || bytes > UINT32_MAX ||
            (each && bytes != each * (uint64_t)le32toh(part->count)))
            return error_make(EXIT_FAILED, "%s: part %zu of the index lies outside of it",
                              index->path, i);
        index->parts[i] = (struct sym_bytes){index->map.data + offset, bytes};
    }
    // So that every string that begins in the part ends there.
    struct sym_bytes strings = index->parts[INDEX_STRINGS];
    if (!strings.size || strings.data[strings.size - 1])
        return error_make(EXIT_FAILED, "%s: the index's strings do not end", index->path);
    return NULL;
}

static struct error *check_header(struct sym_index *index)
{
    const struct index_header *header = (const void *)index->map.data;
    if (index->map.size < sizeof(*header) ||
        memcmp(header->magic, INDEX_MAGIC, INDEX_MAGIC_BYTES) != 0)
        return error_make(EXIT_FAILED, "%s: not an index", index->path);
    if (le32toh(header->version) != INDEX_VERSION)
        return error_make(EXIT_FAILED,
                          "%s: an index of version %u, and this fathom reads version %u: build it "
                          "again with 'fathom index'",
                          index->path, le32toh(header->version), INDEX_VERSION);
    if (le32toh(header->header_bytes) != sizeof(*header) ||
        le64toh(header->file_bytes) != index->map.size)
        return error_make(EXIT_FAILED, "%s: the index is cut off: %zu bytes of %llu", index->path,
                          index->map.size, (unsigned long long)le64toh(header->file_bytes));
    struct index_header zeroed = *header;
    zeroed.header_crc = 0;
    uint32_t crc = (uint32_t)crc32_z(crc32_z(0, NULL, 0), (const uint8_t *)&zeroed, sizeof(zeroed));
    if (crc != le32toh(header->header_crc) || header->build_id_bytes > INDEX_BUILD_ID_MAX ||
        (header->address_bytes != 4 && header->address_bytes != 8))
        return error_make(EXIT_FAILED, "%s: the index's header is damaged", index->path);
    index->header = header;
    return check_parts(index, header);
}

struct error *sym_index_open(const char *path, struct sym_index **out)
{
    struct sym_index *index = calloc(1, sizeof(*index));
    if (!index || !(index->path = strdup(path)))
        abort();
    struct error *error = map_file(path, &index->map);
    if (!error && index_is_packed(index->map)) {
        struct sym_bytes packed = index->map;
        index->map = (struct sym_bytes){0};
        error = index_unpack(path, packed, &index->map);
        munmap((void *)packed.data, packed.size);
    }
    if (!error)
        error = check_header(index);
    if (error) {
        sym_index_close(index);
        index = NULL;
    }
    *out = index;
    return error;
}

void sym_index_close(struct sym_index *index)
{
    if (!index)
        return;
    if (index->map.data)
        munmap((void *)index->map.data, index->map.size);
    free(index->path);
    free(index);
}

struct error *sym_index_verify(const struct sym_index *index)
{
    for (size_t i = 0; i < INDEX_PARTS; i++) {
        struct sym_bytes part = index->parts[i];
        uint32_t crc = (uint32_t)crc32_z(crc32_z(0, NULL, 0), part.data, part.size);
        if (crc != le32toh(index->header->parts[i].crc))
            return error_make(EXIT_FAILED, "%s: part %zu of the index is damaged", index->path, i);
    }
    return NULL;
}

struct error *sym_index_pack(const struct sym_index *index, const char *to)
{
    struct error *error = sym_index_verify(index);
    return error ? error : index_pack(index->map, to);
}

struct error *sym_index_match(const struct sym_index *index, const struct sym_elf *elf)
{
    const struct index_header *header = index->header;
    if (header->build_id_bytes || elf->build_id_bytes) {
        if (header->build_id_bytes == elf->build_id_bytes &&
            !memcmp(header->build_id, elf->build_id, elf->build_id_bytes))
            return NULL;
        return error_make(EXIT_FAILED, "%s: the index is of a file with another build-id than %s",
                          index->path, elf->path);
    }
    struct stat status;
    if (stat(elf->path, &status))
        return error_errno("cannot look at %s", elf->path);
    uint64_t changed =
        (uint64_t)status.st_mtim.tv_sec * 1000000000 + (uint64_t)status.st_mtim.tv_nsec;
    if (le64toh(header->elf_bytes) == elf->file.size &&
        le64toh((uint64_t)header->elf_changed_ns) == changed)
        return NULL;
    return error_make(EXIT_FAILED, "%s: the index is of an older %s, or of another file",
                      index->path, elf->path);
}
void sym_index_info(const struct sym_index *index, struct sym_module_info *out)
{
    const struct index_header *header = index->header;
    const char *path = index_string(index, le32toh(header->elf_path));
    *out = (struct sym_module_info){
        .path = path ? path : index->path,
        .machine = le16toh(header->machine),
        .relocatable = header->flags & INDEX_RELOCATABLE,
        .big_endian = header->flags & INDEX_BIG_ENDIAN,
        .address_bytes = header->address_bytes,
        .build_id = header->build_id,
        .build_id_bytes = header->build_id_bytes,
        .has_debug = header->flags & INDEX_HAS_DEBUG,
        .indexed = true,
        .mangled = header->flags & INDEX_MANGLED,
    };
}
