// SPDX-License-Identifier: MIT
// Reads panic capsules out of the text of a panic: a log as it came over a console, with prefixes,
// CR, noise, lost lines and copies (kdebug/format/capsule.h is the format). Called by the server
// for gdb, the writer of core files and the decoder of panics. It knows no ELF file and prints
// nothing.
//
// The text is not trusted. Whatever it holds, the answer is what could be read and a list of what
// could not; memory is bounded by SYM_CAPSULE_BYTES_MOST, time by the text's size.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "kdebug/format/capsule.h"

// Unpacked, of all capsules in one text: far above what a kernel's budget gives.
#define SYM_CAPSULE_BYTES_MOST (64u << 20)

// One thing that is missing or wrong. `line` is the line of the text, from 1, where it was noticed;
// 0: of no one line.
struct sym_capsule_loss {
    size_t line;
    char text[120];
};

struct sym_capsule_losses {
    struct sym_capsule_loss *at;
    size_t count;
    size_t untold; // further ones that are not in the list
};

// Strings of the kd_capsule_ structs below are made printable and end with NUL, if need be in place
// of their last character.

struct sym_capsule_registers {
    int64_t thread;
    uint32_t cpu; // or KD_CAPSULE_NO_CPU
    const uint8_t *known;
    const uint8_t *values; // at least the register set's value_bytes
    size_t value_bytes;
};

// A thread of the kernel, or what a CPU without one executes.
struct sym_capsule_thread {
    int64_t id;
    bool recorded; // else `record` is made up, from a CPU
    struct kd_capsule_thread record;
    const struct sym_capsule_registers *registers; // NULL: there are none
    const struct kd_capsule_cpu *running_on;       // NULL: it did not run
    uint32_t order_;
};

struct sym_capsule_memory {
    uint64_t address;
    uint64_t bytes; // never 0, and never past the end of the address space
    enum kd_capsule_memory_kind kind;
    const uint8_t *data;
};

// A text the kernel said of itself: "log", "locks", "irq". A part that was lost is marked in
// it. Ends with a NUL that is not counted.
struct sym_capsule_text {
    char name[17];
    char *text;
    size_t bytes;
};

struct sym_capsule {
    uint32_t id;
    bool whole; // all blocks are there
    bool has_machine;
    struct kd_capsule_machine machine;
    struct kd_capsule_summary summary; // all 0: it was cut off

    // The register table; `row_count` is 0 when a part of it is lost.
    bool has_register_set;
    struct kd_capsule_register_set register_set;
    const struct kd_capsule_register_row *rows; // by number
    size_t row_count;
    const char *register_types; // NULL: none, or a part is lost

    const struct kd_capsule_cpu *cpus; // by index
    size_t cpu_count;
    // The thread that panicked first, then those of the other CPUs, then the rest in the kernel's
    // order.
    const struct sym_capsule_thread *threads;
    size_t thread_count;
    const struct sym_capsule_memory *memory; // by address, none overlaps another
    size_t memory_count;
    const struct kd_capsule_withheld *withheld; // by address
    size_t withheld_count;
    const struct sym_capsule_text *texts;
    size_t text_count;

    struct sym_capsule_private *private_;
};

struct sym_capsule_blocks;

struct sym_capsules {
    struct sym_capsule *at; // in the order of the text
    size_t count;
    struct sym_capsule_losses losses; // of lines first, then of records
    struct sym_capsule_blocks *blocks_;
};

// Finds all capsules in a text. None is no error: count is 0. `out` starts as {0}.
struct error *sym_capsules_read(const char *text, size_t bytes, struct sym_capsules *out);
void sym_capsules_deinit(struct sym_capsules *capsules);

// NULL: there is no such thread.
const struct sym_capsule_thread *sym_capsule_thread_find(const struct sym_capsule *capsule,
                                                         int64_t id);

// NULL: there is no such text.
const struct sym_capsule_text *sym_capsule_text_find(const struct sym_capsule *capsule,
                                                     const char *name);

// The value of a register of gdb's number, of row bits / 8 bytes. NULL: it is not known.
const uint8_t *sym_capsule_register(const struct sym_capsule *capsule,
                                    const struct sym_capsule_thread *thread, unsigned number);

// Memory as it was: how many bytes from `address` on are there, at most `length`.
size_t sym_capsule_memory_read(const struct sym_capsule *capsule, uint64_t address, void *to,
                               size_t length);

// What was withheld at an address; NULL: nothing.
const struct kd_capsule_withheld *sym_capsule_withheld_at(const struct sym_capsule *capsule,
                                                          uint64_t address);

const char *sym_capsule_thread_state_name(uint8_t state);
