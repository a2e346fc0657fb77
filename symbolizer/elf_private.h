// SPDX-License-Identifier: MIT
// What elf.c shares with the parts that make a section's contents and find addresses; nobody else
// includes it.
#pragma once

#include "symbolizer/elf.h"

struct sym_elf_contents {
    struct sym_bytes bytes;
    uint8_t *owned; // what `bytes` lies in when it is not the file
    bool known;
};

struct sym_elf_stretch {
    uint64_t start, end;
};

struct sym_elf_private {
    struct sym_elf_contents *contents; // one a section
    unsigned *loaded;                  // numbers of the sections with addresses, by address
    size_t loaded_count;
    struct sym_elf_stretch *code; // by address, none touches the next
    size_t code_count;
    bool mapped;           // `file` is to be unmapped
    uint64_t decompressed; // bytes so far, of all sections
};

static inline bool sym_elf_in_file_(const struct sym_elf *elf, uint64_t offset, uint64_t bytes)
{
    return offset <= elf->file.size && bytes <= elf->file.size - offset;
}

// The sections that take up memory by address, and the stretches of code among them.
struct error *sym_elf_sort_(struct sym_elf *elf);

void sym_elf_note_(struct sym_elf *elf, uint64_t offset, uint64_t bytes);

// Replaces compressed contents by what was compressed; leaves others alone.
struct error *sym_elf_decompress_(const struct sym_elf *elf, const struct sym_elf_section *section,
                                  struct sym_elf_contents *contents);
// Applies the relocations of a section, on a copy if it has any.
struct error *sym_elf_relocate_(struct sym_elf *elf, unsigned number,
                                struct sym_elf_contents *contents);
