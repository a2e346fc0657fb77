// SPDX-License-Identifier: MIT
// Units of types by their signatures (DWARF 5, sections 3.1.4 and 7.32; before DWARF 5 they stand
// in .debug_types). A type unit holds one type that many compilations share, and that a linker
// keeps once. For readers of types: functions and lines do without.
#include <stdlib.h>

#include "symbolizer/dwarf_private.h"

static int by_signature(const void *left, const void *right, void *argument)
{
    const struct dw_file *file = argument;
    uint64_t a = file->headers[*(const uint32_t *)left].id;
    uint64_t b = file->headers[*(const uint32_t *)right].id;
    return a < b ? -1 : a > b;
}

struct error *dw_types_sort(struct dw_file *file)
{
    size_t capacity = 0;
    for (size_t i = 0; i < file->header_count; i++) {
        uint8_t type = file->headers[i].type;
        if (type != DW_UT_type && type != DW_UT_split_type)
            continue;
        if (!DW_GROW(file->by_signature, capacity, file->signature_count))
            return dw_no_memory(file);
        file->by_signature[file->signature_count++] = (uint32_t)i;
    }
    if (file->signature_count)
        qsort_r(file->by_signature, file->signature_count, sizeof(*file->by_signature),
                by_signature, file);
    return NULL;
}

const struct dw_header *dw_type_in(const struct dw_file *file, uint64_t signature)
{
    size_t low = 0, high = file->signature_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (file->headers[file->by_signature[middle]].id < signature)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == file->signature_count)
        return NULL;
    const struct dw_header *header = &file->headers[file->by_signature[low]];
    return header->id == signature ? header : NULL;
}

struct error *dw_type_find(struct sym_dwarf *dwarf, const struct dw_file *file, uint64_t signature,
                           const struct dw_file **in, const struct dw_header **header)
{
    *in = file;
    *header = dw_type_in(file, signature);
    if (!*header && file->types) {
        *in = file->types;
        *header = dw_type_in(file->types, signature);
    }
    return *header ? NULL : dw_package_type(dwarf, file, signature, in, header);
}
