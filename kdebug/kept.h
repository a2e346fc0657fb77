// SPDX-License-Identifier: MIT
// The panic of an earlier run, found in memory that a warm reboot has left alone. The kernel names
// that memory in struct kdebug_kernel.keep, must not use it for anything else, and asks here at
// the next boot. Takes no lock, reads through the copy that survives faults: any context.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kdebug/text.h"

struct kd_kept {
    const char *report; // not terminated
    size_t report_bytes;
    const uint8_t *blocks; // of the capsule
    size_t block_bytes;    // 0: there is none
    uint32_t id;
    bool truncated; // there was more than the memory can hold
};

enum kd_kept_state {
    KD_KEPT_NOTHING,
    KD_KEPT_DAMAGED, // a panic was kept here, but sizes or sums are wrong, or the version is
                     // another
    KD_KEPT_WHOLE,   // *out is filled in
};
// Is a whole report, perhaps with a capsule, in the memory? Believes nothing that is not under a
// sum.
enum kd_kept_state kd_kept_find(const void *memory, size_t bytes, struct kd_kept *out);
// The reason: the first line of the report without "PANIC: ".
void kd_kept_reason(const struct kd_kept *kept, char *to, size_t size);
void kd_kept_print_report(const struct kd_kept *kept, struct kd_text *out);
// As lines, the way they were printed at the panic.
void kd_kept_print_capsule(const struct kd_kept *kept, struct kd_text *out);
void kd_kept_clear(void *memory, size_t bytes);
