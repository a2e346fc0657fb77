// SPDX-License-Identifier: MIT
// Walking the chain of frame pointers and printing addresses as symbols. Any context; memory is
// read through the copy that survives faults.
#include "kdebug/core.h"

#define FRAME_BYTES_MAX (1 << 20) // a frame pointer that jumps farther up is not one

unsigned kd_backtrace(uintptr_t pc, uintptr_t fp, uintptr_t low, uintptr_t high,
                      uintptr_t *addresses, unsigned max)
{
    unsigned count = 0;
    if (max > 0) {
        addresses[count++] = pc;
    }
    bool bounded = high > low;
    while (count < max) {
        uintptr_t record[2]; // the caller's frame pointer, the return address
        uintptr_t at = fp + (uintptr_t)(intptr_t)kd_machine.frame_record_offset;
        bool inside = !bounded || (at >= low && at + sizeof(record) <= high);
        if (fp == 0 || at % sizeof(uintptr_t) != 0 || !inside ||
            kd_mem_copy(record, (const void *)at, sizeof(record)) != sizeof(record) ||
            record[1] == 0) {
            break;
        }
        addresses[count++] = record[1];
        // Stacks grow down, so callers lie above; anything else is damage or the end.
        if (record[0] <= fp || (!bounded && record[0] - fp > FRAME_BYTES_MAX)) {
            break;
        }
        fp = record[0];
    }
    return count;
}

void kd_text_symbol(struct kd_text *text, uintptr_t address)
{
    struct kd_symbol symbol;
    if (kd.kernel == NULL || !kd.kernel->symbol(address, &symbol)) {
        kd_text_printf(text, "0x%016llx", (unsigned long long)address);
        return;
    }
    kd_text_printf(text, "%s+0x%llx", symbol.name, (unsigned long long)(address - symbol.start));
    if (symbol.size != 0) {
        kd_text_printf(text, "/0x%llx", (unsigned long long)symbol.size);
    }
}
