// SPDX-License-Identifier: MIT
// The `mem` command: where physical memory is, and what the slab caches hold. "In use" is all RAM
// the machine gave minus what the page allocator could still hand out, so it includes firmware, the
// image and everything taken at boot.
#include "kernel/mm/kmalloc.h"
#include "kernel/mm/page.h"
#include "kernel/shell/command.h"

static unsigned long long kib(uint64_t bytes)
{
    return bytes / 1024;
}

static int mem_run(struct command_call *call)
{
    struct page_stats pages;
    struct kmalloc_stats objects;
    page_stats(&pages);
    kmalloc_stats(&objects);
    kd_text_printf(call->out, "RAM     %10llu KiB\nfree    %10llu KiB\nin use  %10llu KiB\n",
                   kib(pages.total_bytes), kib(pages.free_bytes),
                   kib(pages.total_bytes - pages.free_bytes));
    kd_text_printf(call->out, "  image %10llu KiB\n  boot  %10llu KiB (tables, page records)\n",
                   kib(pages.kernel_image_bytes), kib(pages.boot_bytes));
    kd_text_printf(call->out,
                   "objects %10llu, %llu bytes (%llu allocations so far, %llu failed "
                   "on purpose)\n",
                   (unsigned long long)objects.objects, (unsigned long long)objects.bytes,
                   (unsigned long long)objects.allocations,
                   (unsigned long long)objects.failures_injected);
    kd_text_printf(call->out, "\nfree blocks:");
    for (unsigned order = 0; order <= PAGE_ORDER_MAX; order++) {
        kd_text_printf(call->out, " %lluK:%llu", 4ULL << order,
                       (unsigned long long)pages.free_blocks[order]);
    }
    kd_text_printf(call->out, "\n\n%-24s %8s %10s %8s\n", "cache", "bytes", "objects", "pages");
    unsigned cursor = 0;
    char name[25];
    size_t bytes;
    uint64_t count, slab_pages;
    while (slab_info(&cursor, name, sizeof(name), &bytes, &count, &slab_pages)) {
        kd_text_printf(call->out, "%-24s %8zu %10llu %8llu\n", name, bytes,
                       (unsigned long long)count, (unsigned long long)slab_pages);
    }
    return 0;
}

COMMAND(mem, "mem", "mem", "physical memory and slab caches", mem_run, NULL);
