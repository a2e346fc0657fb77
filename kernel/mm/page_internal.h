// SPDX-License-Identifier: MIT
// What the files of kernel/mm share about pages: the map of RAM, the record of each page, and
// which allocation owns it. Nobody outside kernel/mm includes this.
#pragma once

#include "kernel/arch/boot.h"
#include "kernel/lib/base.h"
#include "kernel/mm/page.h"

// One record a page of RAM, in one array for each range. Only the record of a block's first page
// (its head) says what the block is; the others are tails.
enum page_state {
    PAGE_RESERVED, // never the allocator's: firmware, the image, boot allocations
    PAGE_TAIL,
    PAGE_FREE,  // head of a free block of `order`, on that order's list
    PAGE_USED,  // head of an allocated block
    PAGE_SLAB,  // the same, used by a slab: its tails know their distance to the head
    PAGE_LARGE, // the same, one kmalloc() object; the first tail's `owner` holds its size
};

struct page {
    uint8_t state; // enum page_state
    uint8_t order : 7;
    uint8_t poisoned : 1; // free and filled with PAGE_POISON, but for a head's links
    uint16_t distance;    // tails in a slab: pages back to the head
    uint32_t owner;       // head: who allocated or freed it (owner_pack)
};
_Static_assert(sizeof(struct page) == 8, "the page records are a fixed part of memory in use");

// Addresses that are no address on any of the machines, so that following a stale pointer faults.
#define PAGE_POISON UINT64_C(0xa5a5a5a5a5a5a5a5)

// The record of the page that holds `paddr`, or NULL when the allocator has none.
struct page *page_of(paddr_t paddr);

// page_alloc() and page_free() on behalf of `owner`. Freeing wants PAGE_USED.
paddr_t page_alloc_for(unsigned order, uint32_t owner);
void page_free_for(paddr_t head, unsigned order, uint32_t owner);

// Says which block an address of the direct map lies in and who has it; false: none. Takes no lock.
struct kd_text;
bool page_describe(struct kd_text *out, uintptr_t address);

// -- kernel/mm/boot_alloc.c
// The next stretch of RAM that nobody uses, at or after *cursor, in whole pages and ascending;
// moves *cursor behind it. ram_next_range() tells the RAM itself, used or not.
bool ram_next_free(paddr_t *cursor, struct memory_range *out);
bool ram_next_range(paddr_t *cursor, struct memory_range *out);
// Ends boot_alloc(); what it has taken stays out of ram_next_free().
void boot_alloc_close(void);
bool boot_alloc_open(void);
uint64_t boot_alloc_bytes(void);

// Code addresses in 32 bits: the distance from the start of the image, 0 for unknown.
static inline uint32_t owner_pack(const void *return_address)
{
    extern char __kernel_start[];
    return (uint32_t)((uintptr_t)return_address - (uintptr_t)__kernel_start);
}
static inline uintptr_t owner_address(uint32_t owner)
{
    extern char __kernel_start[];
    return owner == 0 ? 0 : (uintptr_t)__kernel_start + owner;
}
