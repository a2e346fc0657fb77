// SPDX-License-Identifier: MIT
// Addresses in an ELF file: which sections and code lie where, linear addresses (elf.h) and places
// in sections as each other, and the bytes at an address.
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/elf_private.h"

static int by_address(const void *left, const void *right, void *elf)
{
    const struct sym_elf_section *sections = ((const struct sym_elf *)elf)->sections;
    uint64_t a = sections[*(const unsigned *)left].address;
    uint64_t b = sections[*(const unsigned *)right].address;
    return a < b ? -1 : a > b;
}

struct error *sym_elf_sort_(struct sym_elf *elf)
{
    struct sym_elf_private *own = elf->private_;
    own->loaded = calloc(elf->section_count + 1, sizeof(*own->loaded));
    own->code = calloc(elf->section_count + 1, sizeof(*own->code));
    if (!own->loaded || !own->code)
        return error_errno("%s: %zu sections", elf->path, elf->section_count);
    for (unsigned i = 1; i < elf->section_count; i++) {
        const struct sym_elf_section *section = &elf->sections[i];
        // Thread-local memory that is not in the file has no address either.
        bool address = !(section->type == SHT_NOBITS && (section->flags & SHF_TLS));
        if ((section->flags & SHF_ALLOC) && section->size > 0 && address &&
            section->size <= UINT64_MAX - section->address)
            own->loaded[own->loaded_count++] = i;
    }
    qsort_r(own->loaded, own->loaded_count, sizeof(*own->loaded), by_address, elf);
    for (size_t i = 0; i < own->loaded_count; i++) {
        const struct sym_elf_section *section = &elf->sections[own->loaded[i]];
        if (!(section->flags & SHF_EXECINSTR))
            continue;
        uint64_t end = section->address + section->size;
        size_t last = own->code_count;
        if (last == 0 || section->address > own->code[last - 1].end)
            own->code[own->code_count++] = (struct sym_elf_stretch){section->address, end};
        else if (end > own->code[last - 1].end)
            own->code[last - 1].end = end;
    }
    return NULL;
}

bool sym_elf_linear(const struct sym_elf *elf, struct sym_place place, uint64_t *address)
{
    if (!elf->relocatable) {
        *address = place.address;
        return true;
    }
    if (place.section == 0 || place.section >= elf->section_count)
        return false;
    const struct sym_elf_section *section = &elf->sections[place.section];
    if (!(section->flags & SHF_ALLOC) || place.address > section->size)
        return false;
    *address = section->address + place.address;
    return true;
}

// The last of the sections that start at or before an address; NULL: none.
static const struct sym_elf_section *section_before(const struct sym_elf *elf, uint64_t address,
                                                    unsigned *number)
{
    const struct sym_elf_private *own = elf->private_;
    size_t low = 0, high = own->loaded_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (elf->sections[own->loaded[middle]].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return NULL;
    *number = own->loaded[low - 1];
    return &elf->sections[*number];
}

struct sym_place sym_elf_place(const struct sym_elf *elf, uint64_t address)
{
    struct sym_place place = {0, address};
    unsigned number;
    if (!elf->relocatable)
        return place;
    const struct sym_elf_section *section = section_before(elf, address, &number);
    if (section && address - section->address <= section->size)
        place = (struct sym_place){number, address - section->address};
    return place;
}

bool sym_elf_is_code(const struct sym_elf *elf, uint64_t address)
{
    const struct sym_elf_private *own = elf->private_;
    if (own->code_count == 0)
        return true;
    size_t low = 0, high = own->code_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (own->code[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && address < own->code[low - 1].end;
}

static size_t read_from_file(const struct sym_elf *elf, uint64_t offset, uint64_t bytes, void *to,
                             size_t length)
{
    if (bytes < length)
        length = bytes;
    if (!sym_elf_in_file_(elf, offset, length))
        return 0;
    memcpy(to, elf->file.data + offset, length);
    return length;
}

size_t sym_elf_read(const struct sym_elf *elf, uint64_t address, void *to, size_t length)
{
    unsigned number;
    const struct sym_elf_section *section = section_before(elf, address, &number);
    if (section) {
        uint64_t into = address - section->address;
        if (into >= section->size || section->type == SHT_NOBITS ||
            (section->flags & SHF_COMPRESSED))
            return 0;
        return read_from_file(elf, section->offset + into, section->size - into, to, length);
    }
    // Without sections, as in a core file, the segments tell.
    for (size_t i = 0; elf->private_->loaded_count == 0 && i < elf->segment_count; i++) {
        const struct sym_elf_segment *segment = &elf->segments[i];
        uint64_t into = address - segment->address;
        if (address >= segment->address && into < segment->file_bytes)
            return read_from_file(elf, segment->offset + into, segment->file_bytes - into, to,
                                  length);
    }
    return 0;
}
