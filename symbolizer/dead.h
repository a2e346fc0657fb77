// SPDX-License-Identifier: MIT
// The dead machine: a capsule out of a panic text together with the kernel's ELF file. What the
// server for gdb, the core file, the unwinder and the printer of locals ask for registers and
// memory. Nothing in it ever changes.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "symbolizer/capsule.h"
#include "symbolizer/elf.h"

struct sym_dead {
    struct sym_capsules capsules;      // of the text
    const struct sym_capsule *capsule; // the one this is about
    struct sym_elf *elf;               // NULL: none was given
    int64_t load_offset;               // run-time address - address in the ELF
    char *warning;                     // why the ELF may be the wrong one; NULL: it fits
    struct sym_dead_fixed *fixed;      // read-only contents of the ELF, by run-time address
    size_t fixed_count;
};

// A stretch of memory that the ELF file knows, because the kernel could not write there.
struct sym_dead_fixed {
    uint64_t address;
    uint64_t bytes;
    bool executable;
};

// Takes the last capsule of a text that says what machine it is of. `name` is the text's, for
// errors; `elf` the path of the kernel, or NULL. A kernel for another machine is an error, one with
// another build-id a warning.
struct error *sym_dead_open(const char *name, const char *text, size_t bytes, const char *elf,
                            struct sym_dead **out);
void sym_dead_close(struct sym_dead *dead);

// Memory as it was, from the capsule or from the ELF's read-only sections. Returns how many bytes
// from `address` on are known, at most `length`.
size_t sym_dead_read(const struct sym_dead *dead, uint64_t address, void *to, size_t length);

// The same for a number of 1 to 8 bytes; false: it is not known.
bool sym_dead_read_number(const struct sym_dead *dead, uint64_t address, unsigned bytes,
                          uint64_t *value);

// A register of at most 64 bits, by gdb's number.
bool sym_dead_register(const struct sym_dead *dead, const struct sym_capsule_thread *thread,
                       unsigned number, uint64_t *value);

// The path of the ELF as it was given; NULL: none was.
const char *sym_dead_elf_path(const struct sym_dead *dead);

// The ELF's number for a machine that gdb calls so; 0: it is not one we know.
uint16_t sym_dead_elf_machine(const char *architecture);
