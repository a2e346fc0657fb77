// SPDX-License-Identifier: MIT
// Puts the parts of an index behind a header into a temporary file beside its place and renames it:
// whoever builds the same index at the same time does the same, and a reader sees one of them
// whole.
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "symbolizer/file_write.h"
#include "symbolizer/index_build.h"

static void describe_elf(const struct index_build *build, struct index_header *header,
                         uint32_t path)
{
    const struct sym_elf *elf = build->elf;
    header->machine = htole16(elf->machine);
    header->address_bytes = elf->wide ? 8 : 4;
    header->flags =
        (uint8_t)((elf->relocatable ? INDEX_RELOCATABLE : 0) |
                  (elf->big_endian ? INDEX_BIG_ENDIAN : 0) |
                  (build->has_debug ? INDEX_HAS_DEBUG : 0) | (build->mangled ? INDEX_MANGLED : 0));
    struct stat status;
    if (!stat(elf->path, &status))
        header->elf_changed_ns = (int64_t)htole64((uint64_t)status.st_mtim.tv_sec * 1000000000 +
                                                  (uint64_t)status.st_mtim.tv_nsec);
    header->elf_bytes = htole64(elf->file.size);
    header->elf_path = htole32(path);
    if (elf->build_id_bytes <= INDEX_BUILD_ID_MAX) {
        header->build_id_bytes = (uint8_t)elf->build_id_bytes;
        memcpy(header->build_id, elf->build_id, elf->build_id_bytes);
    }
}

struct error *index_write(struct index_build *build, const char *to)
{
    char *path = realpath(build->debug->path, NULL);
    struct index_header header = {.magic = INDEX_MAGIC,
                                  .version = htole32(INDEX_VERSION),
                                  .header_bytes = htole32(sizeof(header))};
    describe_elf(build, &header, index_string(&build->strings, path ? path : build->debug->path));
    free(path);

    struct sym_bytes pieces[2 * INDEX_PARTS + 1];
    static const uint8_t padding[INDEX_PART_ALIGN];
    size_t used = 0;
    uint64_t offset = sizeof(header);
    pieces[used++] = (struct sym_bytes){(const uint8_t *)&header, sizeof(header)};
    for (size_t i = 0; i < INDEX_PARTS; i++) {
        const struct index_buffer *part =
            i == INDEX_STRINGS ? &build->strings.bytes : &build->parts[i];
        size_t pad = -part->size % INDEX_PART_ALIGN;
        header.parts[i] = (struct index_part){
            htole64(offset), htole64(part->size), htole32(build->counts[i]),
            htole32((uint32_t)crc32_z(crc32_z(0, NULL, 0), part->data, part->size))};
        pieces[used++] = (struct sym_bytes){part->data, part->size};
        pieces[used++] = (struct sym_bytes){padding, pad};
        offset += part->size + pad;
    }
    header.file_bytes = htole64(offset);
    header.header_crc =
        htole32((uint32_t)crc32_z(crc32_z(0, NULL, 0), (const uint8_t *)&header, sizeof(header)));
    return sym_file_write(to, pieces, used);
}
