// SPDX-License-Identifier: MIT
// The page allocator: a buddy system over every range of RAM, for the whole kernel. Interrupt-safe,
// not for NMI; the debugger only reads its figures.
//
// Each range of RAM has an array of 8-byte records (struct page). A block is 2^order pages, aligned
// to its size in physical memory; the record of its first page says what it is, the others are
// tails. Invariants, under the lock:
//   - a page belongs to exactly one block, or is PAGE_RESERVED;
//   - a free block is on the list of its order, linked through its own first bytes;
//   - two free buddies (blocks that differ in the one address bit 2^order pages) never coexist
//     within a range: freeing merges them.
// So freeing can tell every mistake from the record alone: a tail, a free or a reserved page, or
// another order than the allocation's is a bug in the caller and ends in a panic.
//
// A freed block is filled with PAGE_POISON, and its `poisoned` bits say so page by page; whoever
// gets the page next checks that nothing has written there since. RAM that was never used is not
// filled: that would cost boot time and, on an emulator, host memory.
#include <string.h>

#include "kdebug/text.h"
#include "kernel/boot/param.h"
#include "kernel/lib/base.h"
#include "kernel/mm/kasan.h"
#include "kernel/mm/page_internal.h"
#include "kernel/mm/report.h"
#include "kernel/panic.h"
#include "kernel/sync/lock.h"

extern char __kernel_start[], __kernel_end[];

// The links of a free block, in its first bytes.
struct free_block {
    struct free_block *next, *prev;
};

struct page_range {
    paddr_t start, end;
    struct page *pages;
};

#define PAGE_RANGES_MAX 32

static struct page_range ranges[PAGE_RANGES_MAX];
static unsigned range_count;

static SPINLOCK(RANK_PAGE) page_lock = LOCK_INIT("page");
static struct free_block free_lists[PAGE_ORDER_MAX + 1];
static uint64_t free_blocks[PAGE_ORDER_MAX + 1];
static uint64_t total_bytes, free_pages;

static bool poison = true;
PARAM_FLAG(poison, "poison", &poison, "fill freed pages and check them when they are used again");

static inline size_t block_bytes(unsigned order)
{
    return PAGE_SIZE << order;
}

static struct page_range *range_of(paddr_t paddr)
{
    for (unsigned i = 0; i < range_count; i++)
        if (paddr >= ranges[i].start && paddr < ranges[i].end)
            return &ranges[i];
    return NULL;
}

struct page *page_of(paddr_t paddr)
{
    struct page_range *range = range_of(paddr);
    return range != NULL ? &range->pages[(paddr - range->start) >> PAGE_SHIFT] : NULL;
}

// -- lists of free blocks. Their links lie in memory that the sanitizer considers freed.

__no_kasan static void block_push(paddr_t head, struct page *page, unsigned order)
{
    struct free_block *block = phys_to_virt(head);
    struct free_block *list = &free_lists[order];
    page->state = PAGE_FREE;
    page->order = order & 0x7f;
    block->prev = list;
    block->next = list->next;
    list->next->prev = block;
    list->next = block;
    free_blocks[order]++;
}

__no_kasan static void block_unlink(paddr_t head, struct page *page, unsigned order)
{
    struct free_block *block = phys_to_virt(head);
    if (block->next->prev != block || block->prev->next != block) {
        panic("page: the links of free block 0x%llx (order %u) were overwritten",
              (unsigned long long)head, order);
    }
    block->next->prev = block->prev;
    block->prev->next = block->next;
    if (page->poisoned) {
        *(uint64_t *)&block->next = PAGE_POISON;
        *(uint64_t *)&block->prev = PAGE_POISON;
    }
    free_blocks[order]--;
}

__no_kasan static struct free_block *list_first(unsigned order)
{
    struct free_block *first = free_lists[order].next;
    return first != &free_lists[order] ? first : NULL;
}

// -- poison

__no_kasan static void poison_fill(paddr_t head, unsigned order)
{
    uint64_t *word = phys_to_virt(head);
    for (size_t i = 0; i < block_bytes(order) / sizeof(*word); i++)
        word[i] = PAGE_POISON;
}

__no_kasan static void poison_check_page(paddr_t paddr, uint32_t last_owner)
{
    const uint64_t *word = phys_to_virt(paddr);
    uint64_t difference = 0;
    size_t i = 0;
    for (; i < PAGE_SIZE / sizeof(*word) && difference == 0; i += 4) {
        difference = (word[i] ^ PAGE_POISON) | (word[i + 1] ^ PAGE_POISON) |
                     (word[i + 2] ^ PAGE_POISON) | (word[i + 3] ^ PAGE_POISON);
    }
    if (difference == 0)
        return;
    for (i -= 4; word[i] == PAGE_POISON; i++) {
    }
    char owner[MM_SYMBOL_MAX];
    panic("page: 0x%llx was written to after it was freed (0x%llx at +0x%zx); the last to hold its "
          "block was %s",
          (unsigned long long)paddr, (unsigned long long)word[i], i * sizeof(*word),
          mm_symbol(owner, owner_address(last_owner)));
}

static void poison_check(paddr_t head, struct page *page, unsigned order)
{
    for (size_t i = 0; i < (size_t)1 << order; i++) {
        if (page[i].poisoned) {
            poison_check_page(head + i * PAGE_SIZE, page->owner);
            page[i].poisoned = 0;
        }
    }
}

// -- the buddy system

// Takes the smallest free block of at least 2^order pages and gives back its upper halves.
static struct page *block_take(unsigned order, paddr_t *head)
{
    for (unsigned have = order; have <= PAGE_ORDER_MAX; have++) {
        struct free_block *block = list_first(have);
        if (block == NULL)
            continue;
        *head = direct_to_phys(block);
        struct page *page = page_of(*head);
        block_unlink(*head, page, have);
        while (have > order) {
            have--;
            size_t half = (size_t)1 << have;
            page[half].owner = page->owner;
            block_push(*head + half * PAGE_SIZE, &page[half], have);
        }
        page->state = PAGE_USED;
        page->order = order & 0x7f;
        free_pages -= (size_t)1 << order;
        return page;
    }
    return NULL;
}

// Merges the block with its buddy for as long as that is free too, and puts it on its list.
static void block_give(struct page_range *range, paddr_t head, unsigned order)
{
    free_pages += (size_t)1 << order;
    struct page *page = &range->pages[(head - range->start) >> PAGE_SHIFT];
    for (; order < PAGE_ORDER_MAX; order++) {
        paddr_t buddy_head = head ^ block_bytes(order);
        if (buddy_head < range->start || buddy_head >= range->end)
            break;
        struct page *buddy = &range->pages[(buddy_head - range->start) >> PAGE_SHIFT];
        if (buddy->state != PAGE_FREE || buddy->order != order)
            break;
        block_unlink(buddy_head, buddy, order);
        struct page *upper = buddy_head > head ? buddy : page;
        upper->state = PAGE_TAIL;
        if (buddy_head < head) {
            head = buddy_head;
            buddy->owner = page->owner;
            page = buddy;
        }
    }
    block_push(head, page, order);
}

paddr_t page_alloc_for(unsigned order, uint32_t owner)
{
    if (order > PAGE_ORDER_MAX)
        return PADDR_NONE;
    struct page *page = NULL;
    paddr_t head = PADDR_NONE;
    WITH (&page_lock)
        page = block_take(order, &head);
    if (page == NULL)
        return PADDR_NONE;
    poison_check(head, page, order);
    page->owner = owner;
    kasan_unpoison(phys_to_virt(head), block_bytes(order));
    return head;
}

static _Noreturn void bad_free(paddr_t head, unsigned order, const struct page *page)
{
    char owner[MM_SYMBOL_MAX];
    unsigned long long address = head;
    if (page == NULL || page->state == PAGE_RESERVED || (head & (PAGE_SIZE - 1)) != 0)
        panic("page_free: 0x%llx is not a page of the allocator", address);
    mm_symbol(owner, owner_address(page->owner));
    switch (page->state) {
    case PAGE_FREE:
        panic("page_free: 0x%llx is free already (double free); first freed by %s", address, owner);
    case PAGE_TAIL:
        panic("page_free: 0x%llx is not the first page of an allocation", address);
    case PAGE_USED:
        panic("page_free: 0x%llx has order %u, not %u; allocated by %s", address,
              (unsigned)page->order, order, owner);
    default:
        panic("page_free: 0x%llx belongs to kmalloc", address);
    }
}

void page_free_for(paddr_t head, unsigned order, uint32_t owner)
{
    struct page_range *range = range_of(head);
    struct page *page = page_of(head);
    // Claimed under the lock before anything is written to it, so that of two CPUs that free the
    // same block only one fills it; the other panics.
    bool ours = false;
    WITH (&page_lock) {
        if (page != NULL && (head & (PAGE_SIZE - 1)) == 0 && page->state == PAGE_USED &&
            page->order == order) {
            ours = true;
            page->state = PAGE_TAIL;
        }
    }
    if (!ours)
        bad_free(head, order, page);
    page->owner = owner;
    if (poison)
        poison_fill(head, order);
    for (size_t i = 0; i < (size_t)1 << order; i++)
        page[i].poisoned = poison;
    kasan_poison(phys_to_virt(head), block_bytes(order), KASAN_PAGE_FREE);
    WITH (&page_lock)
        block_give(range, head, order);
}

paddr_t page_alloc(unsigned order)
{
    return page_alloc_for(order, owner_pack(__builtin_return_address(0)));
}

void page_free(paddr_t page, unsigned order)
{
    page_free_for(page, order, owner_pack(__builtin_return_address(0)));
}

void *page_alloc_mapped(unsigned order)
{
    paddr_t head = page_alloc_for(order, owner_pack(__builtin_return_address(0)));
    if (head == PADDR_NONE)
        return NULL;
    return memset(phys_to_virt(head), 0, block_bytes(order));
}

void page_free_mapped(void *address, unsigned order)
{
    page_free_for(direct_to_phys(address), order, owner_pack(__builtin_return_address(0)));
}

// -- start

static void range_add(const struct memory_range *ram)
{
    if (range_count == PAGE_RANGES_MAX)
        return;
    size_t pages = ram->bytes >> PAGE_SHIFT;
    ranges[range_count++] = (struct page_range){
        .start = ram->start,
        .end = ram->start + ram->bytes,
        .pages = boot_alloc(pages * sizeof(struct page), _Alignof(struct page)),
    };
    total_bytes += ram->bytes;
}

// Cuts a stretch of free RAM into the largest aligned blocks.
static void range_give(const struct memory_range *unused)
{
    paddr_t at = unused->start, end = unused->start + unused->bytes;
    while (at < end) {
        struct page_range *range = range_of(at);
        if (range == NULL)
            return;
        unsigned order = PAGE_ORDER_MAX;
        while ((at & (block_bytes(order) - 1)) != 0 || block_bytes(order) > end - at)
            order--;
        struct page *page = page_of(at);
        for (size_t i = 0; i < (size_t)1 << order; i++)
            page[i].state = PAGE_TAIL;
        kasan_poison(phys_to_virt(at), block_bytes(order), KASAN_PAGE_FREE);
        block_give(range, at, order);
        at += block_bytes(order);
    }
}

void page_init(void)
{
    for (unsigned order = 0; order <= PAGE_ORDER_MAX; order++)
        free_lists[order].next = free_lists[order].prev = &free_lists[order];
    struct memory_range range;
    for (paddr_t cursor = 0; ram_next_range(&cursor, &range);)
        range_add(&range);
    boot_alloc_close();
    for (paddr_t cursor = 0; ram_next_free(&cursor, &range);)
        range_give(&range);
}

bool page_describe(struct kd_text *out, uintptr_t address)
{
    paddr_t paddr = address - DIRECT_MAP_BASE;
    const struct page *page = page_of(paddr);
    if (page == NULL)
        return false;
    // A tail's head is the nearest record before it that is none.
    paddr_t head = ALIGN_DOWN(paddr, PAGE_SIZE);
    for (unsigned i = 0; i < 1U << PAGE_ORDER_MAX && page->state == PAGE_TAIL; i++) {
        head -= PAGE_SIZE;
        page = page_of(head);
        if (page == NULL)
            return false;
    }
    char owner[MM_SYMBOL_MAX];
    kd_text_printf(out, "0x%lx lies in %lu pages that were last %s by %s", address,
                   1UL << page->order, page->state == PAGE_FREE ? "freed" : "allocated",
                   mm_symbol(owner, owner_address(page->owner)));
    return true;
}

void page_stats(struct page_stats *out)
{
    WITH (&page_lock) {
        *out = (struct page_stats){
            .total_bytes = total_bytes,
            .free_bytes = free_pages * PAGE_SIZE,
            .kernel_image_bytes = (uint64_t)(__kernel_end - __kernel_start),
            .boot_bytes = boot_alloc_bytes(),
        };
        memcpy(out->free_blocks, free_blocks, sizeof(free_blocks));
    }
}
