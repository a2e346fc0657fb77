// SPDX-License-Identifier: MIT
// Reading and writing memory whatever the address: what the page tables say is asked first, and
// what they get wrong is caught by the copy. Called by front ends while the machine stands still;
// the copy and kd_fixup(), which the kernel's exception entry calls first, at any time.
#include "kdebug/core.h"

#include <errno.h>

#define TEXT_CHUNK 16
#define WORD_BYTES 8

bool kd_fixup(struct kd_frame *frame)
{
    uintptr_t pc = kd_frame_pc(frame);
    if (pc < (uintptr_t)kd_copy_word || pc >= (uintptr_t)kd_copy_fault ||
        !kd_is_memory_fault(frame))
        return false;
    kd_frame_set_pc(frame, (uintptr_t)kd_copy_fault);
    return true;
}

size_t kd_mem_copy(void *to, const void *from, size_t length)
{
    uint8_t *target = to;
    const uint8_t *source = from;
    size_t done = 0;
    while (done < length) {
        uintptr_t either = (uintptr_t)(target + done) | (uintptr_t)(source + done);
        size_t width = WORD_BYTES;
        while (width > length - done || either % width != 0)
            width /= 2;
        if (!kd_copy_word(target + done, source + done, width))
            break;
        done += width;
    }
    return done;
}

static int refuse(enum kd_memory memory, uint64_t address, const char *what,
                  struct gdb_error *error)
{
    kd_error(error, "cannot %s 0x%llx: %s", what, (unsigned long long)address,
             memory == KD_MEMORY_DEVICE ? "device memory, where an access has side effects"
                                        : "no memory there");
    return -EFAULT;
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

int kd_memory_read(uint64_t address, void *to, size_t *length, struct gdb_error *error)
{
    size_t wish = *length, done = 0;
    while (done < wish) {
        uint64_t at = address + done;
        size_t extent = wish - done;
        enum kd_memory memory =
            at < address ? KD_MEMORY_NONE : kd.kernel->memory_probe(at, &extent);
        bool readable = memory == KD_MEMORY_READ_ONLY || memory == KD_MEMORY_READ_WRITE;
        size_t part = min_size(extent, wish - done);
        size_t copied =
            readable ? kd_mem_copy((uint8_t *)to + done, (const void *)(uintptr_t)at, part) : 0;
        done += copied;
        if (copied < part || part == 0) {
            *length = done;
            return done > 0 ? 0 : refuse(memory, at, "read", error);
        }
    }
    *length = done;
    return 0;
}

static int text_write(uint64_t address, const uint8_t *from, size_t length)
{
    for (size_t done = 0; done < length;) {
        uint64_t at = address + done;
        // Within 16 aligned bytes it is within a page, too.
        size_t part = min_size(TEXT_CHUNK - at % TEXT_CHUNK, length - done);
        if (kd.kernel->text_write(at, from + done, part) != 0)
            return -EFAULT;
        done += part;
    }
    return 0;
}

int kd_memory_write(uint64_t address, const void *from, size_t length, struct gdb_error *error)
{
    for (size_t done = 0; done < length;) {
        uint64_t at = address + done;
        const uint8_t *bytes = (const uint8_t *)from + done;
        size_t extent = length - done;
        enum kd_memory memory =
            at < address ? KD_MEMORY_NONE : kd.kernel->memory_probe(at, &extent);
        size_t part = min_size(extent, length - done);
        bool written = false;
        if (memory == KD_MEMORY_READ_WRITE)
            written = kd_mem_copy((void *)(uintptr_t)at, bytes, part) == part;
        else if (memory == KD_MEMORY_READ_ONLY)
            written = text_write(at, bytes, part) == 0;
        if (!written || part == 0)
            return refuse(memory, at, "write", error);
        kd_icache_sync(at, part);
        done += part;
    }
    return 0;
}
