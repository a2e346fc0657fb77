// SPDX-License-Identifier: MIT
// An ELF file, mapped and checked: its sections by name and number with their contents as the
// program meant them, that is decompressed and, in a relocatable file, relocated. For the readers
// of symbols and DWARF. Both classes and byte orders; no other library reads the file.
//
// Linear addresses: everything in this room computes with one 64-bit address space. In a file that
// is not relocatable these are the addresses it was linked for. The sections of a relocatable file
// all start at 0, so that each gets a made-up range of its own, with gaps between them; relocations
// are applied with those, and sym_elf_place() and sym_elf_linear() convert.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "symbolizer/cursor.h"
#include "symbolizer/symbolizer.h"

struct sym_elf_section {
    const char *name;
    uint32_t type;    // SHT_
    uint64_t flags;   // SHF_
    uint64_t address; // linear
    uint64_t offset;  // in the file
    uint64_t size;    // in memory, or for a compressed section its bytes in the file
    uint32_t link, info;
    uint64_t entry_bytes;
};

struct sym_elf_segment { // one PT_LOAD
    uint64_t address, offset, file_bytes, memory_bytes;
    bool executable;
};

struct sym_elf {
    const char *path;
    struct sym_bytes file; // the whole of it, mapped read-only
    uint16_t machine;      // e_machine
    uint16_t type;         // e_type
    bool wide;             // ELFCLASS64
    bool swap;             // the byte order is not this machine's: for cursors
    bool big_endian;
    bool relocatable; // ET_REL
    const uint8_t *build_id;
    size_t build_id_bytes;            // 0: none
    struct sym_elf_section *sections; // [0] is the null section; there may be none at all
    size_t section_count;
    struct sym_elf_segment *segments;
    size_t segment_count;
    struct sym_elf_private *private_;
};

// The file stays mapped, so whoever cuts it short meanwhile kills the program, as with any mapping.
struct error *sym_elf_open(const char *path, struct sym_elf **out);
// The same over bytes that the caller keeps alive; `path` is for messages.
struct error *sym_elf_over(const char *path, struct sym_bytes file, struct sym_elf **out);
void sym_elf_close(struct sym_elf *elf);

// The number of the first section of that name; 0: there is none.
unsigned sym_elf_section_named(const struct sym_elf *elf, const char *name);

// The contents of a section, decompressed and relocated, valid until the file is closed. A section
// without contents (SHT_NOBITS, number 0) gives no bytes. The first call for a section changes
// `elf`: not from two threads at once.
struct error *sym_elf_contents(struct sym_elf *elf, unsigned section, struct sym_bytes *out);
// By name; also finds a debug section under its old compressed name (.zdebug_info for .debug_info).
// No such section gives no bytes and no error.
struct error *sym_elf_contents_named(struct sym_elf *elf, const char *name, struct sym_bytes *out);

// A place of symbolizer.h as a linear address; false: there is no such section.
bool sym_elf_linear(const struct sym_elf *elf, struct sym_place place, uint64_t *address);
// A linear address as a place; an address of no section of a relocatable file is section 0.
struct sym_place sym_elf_place(const struct sym_elf *elf, uint64_t address);

// Whether code may lie at a linear address. Functions and rows that the linker dropped have
// addresses (0, 1, ~0) that no executable section covers.
bool sym_elf_is_code(const struct sym_elf *elf, uint64_t address);

// As sym_read(), at a linear address.
size_t sym_elf_read(const struct sym_elf *elf, uint64_t address, void *to, size_t length);
