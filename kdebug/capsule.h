// SPDX-License-Identifier: MIT
// The panic capsule in the making: what its files and panic.c know of each other. One at a time,
// on the CPU that reports, while the others stand still.
#pragma once

#include "kdebug/capsule_lines.h"
#include "kdebug/core.h"

#define KD_OTHER_REASON_BYTES 96

// What panic.c knows of the panic.
struct kd_panic_facts {
    struct kd_cpu *cpu; // that reports
    const char *reason;
    const struct kd_trap *trap; // or NULL
    uint8_t signal;
    const char (*other_reason)[KD_OTHER_REASON_BYTES]; // by CPU; empty: it did not panic, too
};

// -- capsule.c --------------------------------------------------------------------------------

#define KD_CAPSULE_TEXT_PART 1024 // of a text in one record
#define KD_CAPSULE_POINTED_BYTES                                                                   \
    256 // taken of what a register or a word of the panic's stack points to

// The one that is being written.
struct kd_capsule {
    struct kd_capsule_writer writer;
    struct kd_capsule_lines lines;
    const struct kd_panic_facts *facts;
    struct kd_capsule_summary summary;
};
extern struct kd_capsule kd_capsule;

// Into an array that is zero; it need not end with a NUL.
void kd_capsule_string(char *to, size_t size, const char *from);
// Prints the capsule behind the report and keeps it; nothing when panic.capsule is 0.
// Returns the number of its lines.
uint32_t kd_capsule_write(const struct kd_panic_facts *facts, uint32_t id);

// -- capsule_registers.c ----------------------------------------------------------------------

int kd_capsule_register_set(void *unused);
// `cpu` executes the thread, or KD_CAPSULE_NO_CPU.
void kd_capsule_registers(int64_t thread, uint32_t cpu, const struct kd_frame *frame,
                          uint64_t valid);

// -- capsule_threads.c ------------------------------------------------------------------------

int kd_capsule_cpu_stack(void *cpu);   // a struct kd_cpu that stands still
int kd_capsule_cpu_pointed(void *cpu); // what its registers and its stack point to
int kd_capsule_threads(void *unused);

// -- kept.c: the report and capsule in memory that survives a warm reboot -------------------

// What was kept is gone.
void kd_keep_begin(uint32_t id);
void kd_keep_report(const char *text, size_t length);
void kd_keep_block(const uint8_t *block, size_t length); // after the whole report
// What there is so far will be found; `lines` of the capsule.
void kd_keep_seal(uint32_t lines);

// -- canary.c ---------------------------------------------------------------------------------

void kd_canaries_find(void);
bool kd_canaries_known(void); // all of them
bool kd_is_canary(uint64_t value);

// -- capsule_memory.c: which memory goes in ---------------------------------------------------

// Starts with a budget; without the canaries' being known no memory is taken.
void kd_capsule_memory_init(struct kd_capsule_writer *writer, uint64_t budget_bytes);
uint64_t kd_capsule_memory_left(void);  // of the budget
uint64_t kd_capsule_memory_bytes(void); // taken so far
// Takes what of the range is writable memory, not secret and not taken yet, as far as the budget
// goes.
void kd_capsule_take(uint64_t address, uint64_t bytes, enum kd_capsule_memory_kind kind);
// What a value points to, if it does.
void kd_capsule_take_pointed(uint64_t value, uint64_t bytes);
// What the words of a range point to.
void kd_capsule_take_words(uint64_t start, uint64_t end, uint64_t bytes);
// What the words of everything taken point to, and so on, until the budget is used up.
void kd_capsule_take_rest(uint64_t bytes);
