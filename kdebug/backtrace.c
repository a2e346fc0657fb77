// SPDX-License-Identifier: MIT
// Walking the chain of frame pointers and printing addresses as symbols. Any context; memory is
// read through the copy that survives faults.
#include "kdebug/core.h"

#define FRAME_BYTES_MAX (1 << 20) // a frame pointer that jumps farther up is not one

// What a function saves on entry, and where it is found from its frame pointer.
struct record {
    uintptr_t fp, pc; // the caller's
};

static bool record_read(uintptr_t fp, struct record *record)
{
    uintptr_t at = fp + (uintptr_t)(intptr_t)kd_machine.frame_record_offset;
    return fp != 0 && at % sizeof(uintptr_t) == 0 &&
           kd_mem_copy(record, (const void *)at, sizeof(*record)) == sizeof(*record);
}

unsigned kd_backtrace(uintptr_t pc, uintptr_t fp, uintptr_t low, uintptr_t high,
                      uintptr_t *addresses, unsigned max)
{
    unsigned count = 0;
    if (max > 0)
        addresses[count++] = pc;
    bool bounded = high > low;
    struct record record;
    while (count < max && (!bounded || (fp >= low && fp <= high)) && record_read(fp, &record) &&
           record.pc != 0) {
        addresses[count++] = record.pc;
        // Stacks grow down, so callers lie above; anything else is damage or the end.
        if (record.fp <= fp || (!bounded && record.fp - fp > FRAME_BYTES_MAX))
            break;
        fp = record.fp;
    }
    return count;
}

static bool same_function(uintptr_t a, uintptr_t b)
{
    struct kd_symbol x, y;
    return kd.kernel->symbol(a, &x) && kd.kernel->symbol(b, &y) && x.start == y.start;
}

// The return address of the innermost function where the chain does not have it: after a jump into
// nowhere, in a prologue, and in functions that call nothing and so save nothing.
static uintptr_t unsaved_return(const struct kd_frame *frame, const struct record *record)
{
    uintptr_t pc = kd_frame_pc(frame);
    struct kd_symbol symbol;
    uintptr_t start = kd.kernel->symbol(pc, &symbol) ? symbol.start : 0;
    uintptr_t link = kd_frame_link(frame, start);
    // The register of a function that has made calls points into the function itself.
    bool left_over = link == record->pc || same_function(link, pc);
    return kd.kernel->is_text(link) && !left_over ? link : 0;
}

unsigned kd_backtrace_frame(const struct kd_frame *frame, uintptr_t *addresses, unsigned max)
{
    uintptr_t fp = kd_frame_fp(frame);
    struct record record = {0};
    record_read(fp, &record);
    // A RISC-V function that calls nothing saves only the frame pointer, in the upper slot.
    if (record.pc > fp && !kd.kernel->is_text(record.pc))
        fp = record.pc;
    uintptr_t pc = unsaved_return(frame, &record);
    if (pc == 0 || max == 0)
        return kd_backtrace(kd_frame_pc(frame), fp, 0, 0, addresses, max);
    addresses[0] = kd_frame_pc(frame);
    return 1 + kd_backtrace(pc, fp, 0, 0, addresses + 1, max - 1);
}

void kd_text_symbol(struct kd_text *text, uintptr_t address)
{
    struct kd_symbol symbol;
    if (kd.kernel == NULL || !kd.kernel->symbol(address, &symbol)) {
        kd_text_printf(text, "0x%016llx", (unsigned long long)address);
        return;
    }
    kd_text_printf(text, "%s+0x%llx", symbol.name, (unsigned long long)(address - symbol.start));
    if (symbol.size != 0)
        kd_text_printf(text, "/0x%llx", (unsigned long long)symbol.size);
}
