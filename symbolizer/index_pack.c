// SPDX-License-Identifier: MIT
// Packs an index block by block with LZ4, and unpacks it into memory: for sending an index to where
// it is used. See index_format.h for the form.
#include "symbolizer/index_pack.h"

#include <lz4.h>
#include <lz4hc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <zlib.h>

#include "symbolizer/file_write.h"
#include "symbolizer/index.h"
#include "symbolizer/index_build.h"
#include "symbolizer/index_format.h"

bool index_is_packed(struct sym_bytes file)
{
    return file.size >= sizeof(struct index_packed_header) &&
           !memcmp(file.data, INDEX_MAGIC_PACKED, INDEX_MAGIC_BYTES);
}

static uint32_t crc_of(const uint8_t *data, size_t bytes)
{
    return (uint32_t)crc32_z(crc32_z(0, NULL, 0), data, bytes);
}

static uint64_t block_bytes(uint64_t file_bytes, uint64_t block)
{
    uint64_t left = file_bytes - block * INDEX_PACK_BLOCK;
    return left < INDEX_PACK_BLOCK ? left : INDEX_PACK_BLOCK;
}

static struct error *unpack_blocks(const char *path, struct sym_bytes packed, uint32_t blocks,
                                   struct sym_bytes to)
{
    size_t at = sizeof(struct index_packed_header) + blocks * sizeof(struct index_packed_block);
    for (uint32_t i = 0; i < blocks; i++) {
        struct index_packed_block block;
        memcpy(&block, packed.data + sizeof(struct index_packed_header) + i * sizeof(block),
               sizeof(block));
        size_t bytes = le32toh(block.packed_bytes);
        uint64_t wanted = block_bytes(to.size, i);
        uint8_t *into = (uint8_t *)to.data + (uint64_t)i * INDEX_PACK_BLOCK;
        if (bytes > packed.size - at || bytes > LZ4_MAX_INPUT_SIZE ||
            LZ4_decompress_safe((const char *)packed.data + at, (char *)into, (int)bytes,
                                (int)wanted) != (int)wanted ||
            crc_of(into, wanted) != le32toh(block.crc))
            return error_make(EXIT_FAILED,
                              "%s: block %u of the packed index, at offset %zu, is "
                              "damaged",
                              path, i, at);
        at += bytes;
    }
    return NULL;
}

struct error *index_unpack(const char *path, struct sym_bytes packed, struct sym_bytes *out)
{
    struct index_packed_header header;
    memcpy(&header, packed.data, sizeof(header));
    uint64_t file_bytes = le64toh(header.file_bytes);
    uint32_t blocks = le32toh(header.blocks);
    if (le32toh(header.version) != INDEX_VERSION)
        return error_make(EXIT_FAILED,
                          "%s: a packed index of version %u, and this fathom reads "
                          "version %u",
                          path, le32toh(header.version), INDEX_VERSION);
    // LZ4 cannot grow more than 255 times, so a small file cannot ask for much memory.
    size_t rows = (packed.size - sizeof(header)) / sizeof(struct index_packed_block);
    if (!file_bytes || blocks > rows || file_bytes / 255 > packed.size ||
        (file_bytes + INDEX_PACK_BLOCK - 1) / INDEX_PACK_BLOCK != blocks)
        return error_make(EXIT_FAILED, "%s: the packed index's header is damaged", path);
    void *at = mmap(NULL, file_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return error_errno("%s: no memory for the unpacked index", path);
    struct sym_bytes to = {at, file_bytes};
    struct error *error = unpack_blocks(path, packed, blocks, to);
    if (error)
        munmap(at, file_bytes);
    else
        *out = to;
    return error;
}

struct error *index_pack(struct sym_bytes index, const char *to)
{
    uint32_t blocks = (uint32_t)((index.size + INDEX_PACK_BLOCK - 1) / INDEX_PACK_BLOCK);
    struct index_packed_header header = {.magic = INDEX_MAGIC_PACKED,
                                         .version = htole32(INDEX_VERSION),
                                         .blocks = htole32(blocks),
                                         .file_bytes = htole64(index.size)};
    struct index_buffer rows = {0}, packed = {0};
    for (uint32_t i = 0; i < blocks; i++) {
        const uint8_t *from = index.data + (size_t)i * INDEX_PACK_BLOCK;
        int bytes = (int)block_bytes(index.size, i), bound = LZ4_compressBound(bytes);
        char *into = index_put(&packed, (size_t)bound);
        if (!into)
            break;
        int made = LZ4_compress_HC((const char *)from, into, bytes, bound, LZ4HC_CLEVEL_DEFAULT);
        packed.size -= (size_t)(bound - made);
        struct index_packed_block row = {htole32((uint32_t)made),
                                         htole32(crc_of(from, (size_t)bytes))};
        index_put_bytes(&rows, &row, sizeof(row));
    }
    struct error *error =
        packed.failed || rows.failed
            ? error_make(EXIT_FAILED, "%s: no memory to pack the index", to)
            : sym_file_write(to,
                             (struct sym_bytes[]){{(const uint8_t *)&header, sizeof(header)},
                                                  {rows.data, rows.size},
                                                  {packed.data, packed.size}},
                             3);
    index_buffer_deinit(&rows);
    index_buffer_deinit(&packed);
    return error;
}
