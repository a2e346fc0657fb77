// SPDX-License-Identifier: MIT
// See the header. Where: three quarters up the largest stretch of RAM. Firmware and loaders work at
// both ends of RAM (x86 firmware at its top, device trees near it, images and firmware at the
// bottom), so what lies there does not survive; what lies in the middle does on any machine whose
// reset keeps RAM powered, as QEMU's does.
#include "kernel/boot/keep.h"

#include <errno.h>
#include <string.h>

#include "kdebug/kept.h"
#include "kernel/arch/boot.h"
#include "kernel/arch/mmu.h"
#include "kernel/log/log.h"
#include "kernel/mm/page_internal.h"
#include "kernel/shell/command.h"

#define KEEP_BYTES KIB(256) // a report and a capsule of the default size, and as much again
#define KEEP_STEP  MIB(2)

extern char __kernel_start[], __kernel_end[];

static paddr_t keep_start = PADDR_NONE;

static bool overlaps(paddr_t at, paddr_t start, uint64_t bytes)
{
    return at < start + bytes && start < at + KEEP_BYTES;
}

static bool is_free(paddr_t at)
{
    for (unsigned i = 0; i < boot_info.reserved_count; i++)
        if (overlaps(at, boot_info.reserved[i].start, boot_info.reserved[i].bytes))
            return false;
    return !overlaps(at, arch_kernel_paddr(), (uint64_t)(__kernel_end - __kernel_start));
}

void keep_reserve(void)
{
    struct memory_range largest = {0}, range;
    for (paddr_t cursor = 0; ram_next_range(&cursor, &range);)
        if (range.bytes > largest.bytes)
            largest = range;
    paddr_t at = ALIGN_DOWN(largest.start + largest.bytes / 4 * 3, KEEP_STEP);
    while (at > largest.start + KEEP_STEP && !is_free(at))
        at -= KEEP_STEP;
    if (at <= largest.start + KEEP_STEP || boot_info.reserved_count == BOOT_RANGES_MAX)
        return;
    boot_info.reserved[boot_info.reserved_count++] = (struct memory_range){at, KEEP_BYTES};
    keep_start = at;
}

void *keep_memory(size_t *bytes)
{
    *bytes = KEEP_BYTES;
    return keep_start == PADDR_NONE ? NULL : phys_to_virt(keep_start);
}

static enum kd_kept_state kept_find(struct kd_kept *kept)
{
    size_t bytes;
    const void *memory = keep_memory(&bytes);
    return kd_kept_find(memory, bytes, kept);
}

void keep_tell(void)
{
    struct kd_kept kept;
    enum kd_kept_state state = kept_find(&kept);
    if (state == KD_KEPT_DAMAGED)
        log_warn("an earlier run panicked, but what was kept of that is damaged");
    if (state != KD_KEPT_WHOLE)
        return;
    char reason[100];
    kd_kept_reason(&kept, reason, sizeof(reason));
    log_warn("an earlier run panicked: %s; \"panic\" shows the report", reason);
}

static int panic_clear(void)
{
    size_t bytes;
    void *memory = keep_memory(&bytes);
    kd_kept_clear(memory, bytes);
    return 0;
}

static int panic_show(struct command_call *call, const struct kd_kept *kept)
{
    if (call->argc == 1) {
        kd_kept_print_report(kept, call->out);
    } else if (strcmp(call->argv[1], "capsule") != 0) {
        kd_text_string(call->out, "panic [capsule|clear]\n");
        return -EINVAL;
    } else if (kept->block_bytes == 0) {
        kd_text_string(call->out, "the panic is kept without a capsule\n");
        return -ENOENT;
    } else {
        kd_kept_print_capsule(kept, call->out);
    }
    if (kept->truncated)
        kd_text_string(call->out, "(cut: there was more than the memory that is kept can hold)\n");
    return 0;
}

static int panic_run(struct command_call *call)
{
    struct kd_kept kept;
    if (call->argc > 1 && strcmp(call->argv[1], "clear") == 0)
        return panic_clear();
    switch (kept_find(&kept)) {
    case KD_KEPT_NOTHING:
        kd_text_string(call->out, "no panic is kept\n");
        return -ENOENT;
    case KD_KEPT_DAMAGED:
        kd_text_string(call->out, "a panic was kept, but it is damaged\n");
        return -EIO;
    case KD_KEPT_WHOLE:
        break;
    }
    return panic_show(call, &kept);
}

COMMAND(panic, "panic", "panic [capsule|clear]", "the report of an earlier run's panic", panic_run,
        "Kept in memory over a warm reboot, until `panic clear` or the next panic.\n"
        "capsule: the machine's state at the panic, for `fathom decode`.\n");
