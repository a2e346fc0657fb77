// SPDX-License-Identifier: MIT
// The map of RAM, and memory before the page allocator: the final page tables, the page records and
// sanitizer shadow come from here. One stretch of RAM that the boot mappings cover is chosen at the
// first call and used from its low end up. Boot CPU only. Runs before the sanitizer's shadow
// exists, so it is compiled plain.
#include <string.h>

#include "kernel/arch/boot.h"
#include "kernel/mm/mapping.h"
#include "kernel/mm/page_internal.h"
#include "kernel/panic.h"

extern char __kernel_start[], __kernel_end[];

// [start, next) is taken; [next, limit) can be. limit == 0: not chosen yet.
static struct {
    paddr_t start, next, limit;
    bool closed;
} boot;

// What the firmware lists need be neither sorted nor apart: each call looks for the lowest page at
// or after the cursor, so that no page is seen twice.
bool ram_next_range(paddr_t *cursor, struct memory_range *out)
{
    paddr_t best = PADDR_NONE, best_end = 0;
    for (unsigned i = 0; i < boot_info.ram_count; i++) {
        const struct memory_range *ram = &boot_info.ram[i];
        paddr_t start = MAX(ALIGN_UP(ram->start, PAGE_SIZE), *cursor);
        paddr_t end =
            MIN(ALIGN_DOWN(ram->start + ram->bytes, PAGE_SIZE), (paddr_t)DIRECT_MAP_BYTES);
        if (start < end && start < best) {
            best = start;
            best_end = end;
        }
    }
    if (best == PADDR_NONE)
        return false;
    *out = (struct memory_range){best, best_end - best};
    *cursor = best_end;
    return true;
}

// What of RAM is in use: hole number i, until there are no more. Physical page 0 is never given
// out: too much code takes a 0 for "none".
static bool ram_hole(unsigned i, paddr_t *start, paddr_t *end)
{
    if (i < boot_info.reserved_count) {
        *start = ALIGN_DOWN(boot_info.reserved[i].start, PAGE_SIZE);
        *end = ALIGN_UP(boot_info.reserved[i].start + boot_info.reserved[i].bytes, PAGE_SIZE);
        return true;
    }
    switch (i - boot_info.reserved_count) {
    case 0:
        *start = arch_kernel_paddr();
        *end = *start + (paddr_t)(__kernel_end - __kernel_start);
        return true;
    case 1:
        *start = boot.start;
        *end = ALIGN_UP(boot.next, PAGE_SIZE);
        return true;
    case 2:
        *start = 0;
        *end = PAGE_SIZE;
        return true;
    }
    return false;
}

// The end of the hole that `paddr` lies in, or `paddr` itself.
static paddr_t skip_hole(paddr_t paddr)
{
    paddr_t start, end;
    for (unsigned i = 0; ram_hole(i, &start, &end); i++)
        if (start <= paddr && paddr < end)
            return end;
    return paddr;
}

bool ram_next_free(paddr_t *cursor, struct memory_range *out)
{
    paddr_t from = *cursor;
    struct memory_range ram;
    for (;;) {
        paddr_t ram_cursor = from;
        if (!ram_next_range(&ram_cursor, &ram))
            return false;
        paddr_t after = skip_hole(ram.start);
        if (after == ram.start)
            break;
        from = after;
    }
    paddr_t end = ram.start + ram.bytes, hole_start, hole_end;
    for (unsigned i = 0; ram_hole(i, &hole_start, &hole_end); i++)
        if (hole_start > ram.start && hole_start < end && hole_start < hole_end)
            end = hole_start;
    *out = (struct memory_range){ram.start, end - ram.start};
    *cursor = end;
    return true;
}

__debugger_text bool paddr_is_ram(paddr_t paddr)
{
    for (unsigned i = 0; i < boot_info.ram_count; i++)
        if (paddr - boot_info.ram[i].start < boot_info.ram[i].bytes)
            return paddr < DIRECT_MAP_BYTES;
    return false;
}

// The boot mappings use large pages; a hole in them is skipped in these steps.
#define PROBE_STEP MIB(2)

// Finds the longest writable stretch within [start, end) of the direct map.
static void probe_mapped(paddr_t start, paddr_t end, struct memory_range *longest)
{
    paddr_t run = start;
    for (paddr_t at = start; at < end;) {
        paddr_t paddr;
        unsigned access;
        size_t bytes;
        if (mapping_walk((uintptr_t)phys_to_virt(at), &paddr, &access, &bytes) &&
            (access & PAGE_WRITE)) {
            at += MIN((paddr_t)bytes, end - at);
        } else {
            at = ALIGN_UP(at + 1, PROBE_STEP);
            run = at;
        }
        if (at > run && at - run > longest->bytes)
            *longest = (struct memory_range){run, at - run};
    }
}

static void boot_choose(void)
{
    struct memory_range longest = {0}, range;
    for (paddr_t cursor = 0; ram_next_free(&cursor, &range);)
        probe_mapped(range.start, range.start + range.bytes, &longest);
    if (longest.bytes == 0)
        panic("boot_alloc: none of the machine's RAM is mapped at boot");
    boot.start = boot.next = longest.start;
    boot.limit = longest.start + longest.bytes;
}

void *boot_alloc(size_t bytes, size_t align)
{
    ASSERT(!boot.closed);
    if (boot.limit == 0)
        boot_choose();
    paddr_t start = ALIGN_UP(boot.next, align);
    if (start > boot.limit || bytes > boot.limit - start) {
        panic("boot_alloc: no room for %zu bytes, %llu are left of the boot mappings", bytes,
              (unsigned long long)(boot.limit - boot.next));
    }
    boot.next = start + bytes;
    return memset(phys_to_virt(start), 0, bytes);
}

void boot_alloc_close(void)
{
    boot.closed = true;
}

bool boot_alloc_open(void)
{
    return !boot.closed;
}

uint64_t boot_alloc_bytes(void)
{
    return ALIGN_UP(boot.next, PAGE_SIZE) - boot.start;
}
