// SPDX-License-Identifier: MIT
// The contract of kernel/mm/page.h on a whole machine: blocks are aligned, apart, and all come
// back, also with four CPUs at it. What ends in a panic is tested on the host
// (tests/unit/kernel_page_test.c).
#include <string.h>

#include "kernel/mm/page.h"
#include "kernel/mm/stress.h"
#include "kernel/test/ktest.h"

static uint64_t free_now(void)
{
    struct page_stats stats;
    page_stats(&stats);
    return stats.free_bytes;
}

KTEST(page, aligned, "every order is aligned to its size and in RAM")
{
    for (unsigned order = 0; order <= PAGE_ORDER_MAX; order++) {
        uint64_t before = free_now();
        paddr_t block = page_alloc(order);
        EXPECT(block != PADDR_NONE);
        EXPECT_EQ(block % (PAGE_SIZE << order), 0);
        EXPECT(paddr_is_ram(block));
        EXPECT(paddr_is_ram(block + (PAGE_SIZE << order) - 1));
        EXPECT_EQ(before - free_now(), PAGE_SIZE << order);
        page_free(block, order);
        EXPECT_EQ(free_now(), before);
    }
}

KTEST(page, too_large, "there is no block beyond the largest order")
{
    EXPECT(page_alloc(PAGE_ORDER_MAX + 1) == PADDR_NONE);
    EXPECT(page_alloc(64) == PADDR_NONE);
}

KTEST(page, merges, "what was split is merged again")
{
    struct page_stats before, after;
    page_stats(&before);
    paddr_t pages[64]; // more than one block of any order below 6
    for (unsigned i = 0; i < ARRAY_SIZE(pages); i++)
        pages[i] = page_alloc(0);
    // Evens first, so that no page finds its buddy free until the second pass.
    for (unsigned i = 0; i < ARRAY_SIZE(pages); i += 2)
        page_free(pages[i], 0);
    for (unsigned i = 1; i < ARRAY_SIZE(pages); i += 2)
        page_free(pages[i], 0);
    page_stats(&after);
    EXPECT_EQ(memcmp(before.free_blocks, after.free_blocks, sizeof(before.free_blocks)), 0);
}

KTEST(page, zeroed, "mapped pages are zeroed even when they were used before")
{
    for (unsigned round = 0; round < 2; round++) {
        uint8_t *pages = page_alloc_mapped(1);
        EXPECT(pages != NULL);
        bool zero = true;
        for (size_t i = 0; i < 2 * PAGE_SIZE; i++)
            zero = zero && pages[i] == 0;
        memset(pages, 0xff, 2 * PAGE_SIZE);
        page_free_mapped(pages, 1);
        EXPECT(zero);
    }
}

KTEST(page, honest, "image, boot allocations and free pages fit into RAM")
{
    struct page_stats stats;
    page_stats(&stats);
    EXPECT(stats.kernel_image_bytes > 0);
    EXPECT(stats.boot_bytes > 0);
    EXPECT(stats.free_bytes + stats.kernel_image_bytes + stats.boot_bytes <= stats.total_bytes);
    uint64_t in_blocks = 0;
    for (unsigned order = 0; order <= PAGE_ORDER_MAX; order++)
        in_blocks += stats.free_blocks[order] * (PAGE_SIZE << order);
    EXPECT_EQ(in_blocks, stats.free_bytes);
}

// -- stress: each thread holds up to 16 blocks, marks the ends of each with its own number, and
// finds the marks when it gives the block back. An overlap of two blocks would show.

#define STRESS_HELD   16
#define STRESS_ORDERS 5

static void mark(paddr_t block, unsigned order, uint64_t value)
{
    uint64_t *first = phys_to_virt(block);
    first[0] = value;
    first[(PAGE_SIZE << order) / sizeof(*first) - 1] = value;
}

static bool marked(paddr_t block, unsigned order, uint64_t value)
{
    const uint64_t *first = phys_to_virt(block);
    return first[0] == value && first[(PAGE_SIZE << order) / sizeof(*first) - 1] == value;
}

struct held_block {
    paddr_t block; // 0: none
    unsigned order;
};

static bool give_back(struct held_block *held, uint64_t value)
{
    bool good = marked(held->block, held->order, value);
    page_free(held->block, held->order);
    held->block = 0;
    return good;
}

static bool page_stress(unsigned thread)
{
    struct held_block held[STRESS_HELD] = {0};
    uint64_t random = thread + 1;
    bool good = true;
    for (unsigned round = 0; stress_goes_on(round); round++) {
        unsigned i = stress_random(&random) % STRESS_HELD;
        uint64_t value = (uint64_t)thread << 32 | i;
        if (held[i].block != 0) {
            good = give_back(&held[i], value) && good;
            continue;
        }
        unsigned order = stress_random(&random) % STRESS_ORDERS;
        paddr_t block = page_alloc(order);
        if (block != PADDR_NONE) {
            mark(block, order, value);
            held[i] = (struct held_block){block, order};
        }
    }
    for (unsigned i = 0; i < STRESS_HELD; i++)
        if (held[i].block != 0)
            good = give_back(&held[i], (uint64_t)thread << 32 | i) && good;
    return good;
}

KTEST(page, stress, "four CPUs take and give back pages without meeting")
{
    struct page_stats before, after;
    page_stats(&before);
    EXPECT(stress_run(page_stress));
    page_stats(&after);
    EXPECT_EQ(after.free_bytes, before.free_bytes);
}
