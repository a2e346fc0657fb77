// SPDX-License-Identifier: MIT
// Writes panic capsules as text, for tests of their reader: from kdebug/format/capsule.h alone, and
// without a line of the kernel's writer, so that the two sides are checked against the format and
// not against each other.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kdebug/format/capsule.h"

struct capsule_writer {
    char *text; // NUL-terminated; freed by capsule_deinit()
    size_t length, capacity;
    const char *prefix; // before each line; NULL: none
    const char *newline;
    bool stored; // blocks are not packed
    uint32_t id;
    uint32_t block_number;
    unsigned line_number;
    uint8_t raw[KD_CAPSULE_BLOCK_BYTES];
    size_t raw_bytes;
};

void capsule_init(struct capsule_writer *writer, uint32_t id);
void capsule_deinit(struct capsule_writer *writer);

void capsule_text(struct capsule_writer *writer, const char *line); // any line of text
void capsule_begin(struct capsule_writer *writer);                  // the begin line
// A record of a head and what follows it; `tail` may be NULL.
void capsule_record(struct capsule_writer *writer, uint16_t type, const void *head,
                    size_t head_bytes, const void *tail, size_t tail_bytes);
void capsule_flush(struct capsule_writer *writer); // ends the block
void capsule_end(struct capsule_writer *writer);   // SUMMARY, and the end line

// -- a small machine: two CPUs, four registers ----------------------------------------------------

// Registers r0, sp, fp, pc of 64 bits and a flags register of 32 that no thread has a value of.
enum { CAPSULE_R0, CAPSULE_SP, CAPSULE_FP, CAPSULE_PC, CAPSULE_FLAGS, CAPSULE_REGISTERS };

void capsule_machine(struct capsule_writer *writer);
void capsule_register_table(struct capsule_writer *writer);
void capsule_cpu(struct capsule_writer *writer, uint32_t index, int64_t thread, uint32_t flags);
void capsule_registers(struct capsule_writer *writer, int64_t thread, const uint64_t values[4]);
void capsule_thread(struct capsule_writer *writer, int64_t id, const char *name, uint8_t state);
void capsule_memory(struct capsule_writer *writer, uint64_t address, const void *bytes,
                    size_t count);
void capsule_words(struct capsule_writer *writer, const char *name, uint32_t offset,
                   const char *text);
// All of the above, in several blocks: threads 1 (panicked, on CPU 0), 2 (on CPU 1), 3 (blocked,
// "reader"), 8 KiB of memory at CAPSULE_STACK, a log, the essentials once more.
#define CAPSULE_STACK UINT64_C(0xffff800000010000)
void capsule_whole(struct capsule_writer *writer);
