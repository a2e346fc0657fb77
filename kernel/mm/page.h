// SPDX-License-Identifier: MIT
// Physical pages: a buddy allocator over all of RAM.
#pragma once

#include "kernel/arch/mmu.h"
#include "kernel/lib/base.h"

#define PAGE_ORDER_MAX 10 // 4 MiB blocks

// Before page_init(): takes memory from boot_info's RAM that the boot mappings cover, never freed.
// Zeroed. Panics when there is none.
void *boot_alloc(size_t bytes, size_t align);

void page_init(void); // boot CPU, after mapping_init(): it links free pages through the direct map

// 2^order pages, naturally aligned, contents undefined (poisoned in debug builds); -1 when there
// are none. Interrupt-safe, not NMI.
#define PADDR_NONE UINT64_MAX
paddr_t page_alloc(unsigned order);
void page_free(paddr_t page, unsigned order); // panics on a double free or a wrong order
void *page_alloc_mapped(unsigned order);      // its direct-map address, or NULL; zeroed
void page_free_mapped(void *address, unsigned order);

struct page_stats {
    uint64_t total_bytes; // RAM the kernel was given
    uint64_t free_bytes;
    uint64_t kernel_image_bytes;
    uint64_t boot_bytes; // taken by boot_alloc()
    uint64_t free_blocks[PAGE_ORDER_MAX + 1];
};
void page_stats(struct page_stats *out);
bool paddr_is_ram(paddr_t paddr);
