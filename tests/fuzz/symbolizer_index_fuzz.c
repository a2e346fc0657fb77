// SPDX-License-Identifier: MIT
// Indexes that somebody made to do harm: whatever the file holds, opening it, asking it and
// checking it end, in a result or an error. The header's checksum is put right, since whoever makes
// such a file would do so too.
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "symbolizer/index.h"
#include "symbolizer/index_format.h"

void sym_result_deinit(struct sym_result *result)
{
    free(result->storage_);
}

static bool look_at(const struct sym_symbol *symbol, void *argument)
{
    volatile size_t *bytes = argument;
    *bytes += strlen(symbol->name) + (symbol->file ? strlen(symbol->file) : 0);
    return true;
}

static void ask(struct sym_index *index)
{
    struct sym_module_info info;
    struct sym_result result = {0};
    size_t bytes = 0;
    sym_index_info(index, &info);
    const struct sym_place places[] = {{0, 0}, {0, 1},    {0, 0x1040}, {0, 0x1139}, {0, 0x401000},
                                       {1, 0}, {1, 0x20}, {2, 0x40},   {0, ~0ULL},  {~0U, ~0ULL}};
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        error_free(sym_index_lookup(index, places[i], &result));
        for (size_t j = 0; j < result.count; j++)
            bytes += result.frames[j].function ? strlen(result.frames[j].function) : 0;
    }
    sym_result_deinit(&result);
    sym_index_find(index, "main", look_at, &bytes);
    sym_index_each_symbol(index, look_at, &bytes);
    sym_index_section(index, ".text");
    error_free(sym_index_verify(index));
}

static void put_right(uint8_t *file, size_t size)
{
    struct index_header header;
    if (size < sizeof(header))
        return;
    memcpy(&header, file, sizeof(header));
    if (memcmp(header.magic, INDEX_MAGIC, INDEX_MAGIC_BYTES) != 0)
        return;
    header.file_bytes = htole64(size);
    header.header_crc = 0;
    header.header_crc =
        htole32((uint32_t)crc32_z(crc32_z(0, NULL, 0), (const uint8_t *)&header, sizeof(header)));
    memcpy(file, &header, sizeof(header));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int file = memfd_create("index", 0);
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    if (file < 0 || ftruncate(file, (off_t)size))
        abort();
    uint8_t *map = size ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : NULL;
    if (map == MAP_FAILED)
        abort();
    if (map) {
        memcpy(map, data, size);
        put_right(map, size);
        munmap(map, size);
    }
    struct sym_index *index;
    struct error *error = sym_index_open(path, &index);
    if (!error)
        ask(index);
    error_free(error);
    sym_index_close(index);
    close(file);
    return 0;
}
