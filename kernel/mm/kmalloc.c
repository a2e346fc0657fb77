// SPDX-License-Identifier: MIT
// Kernel memory by size: small objects from slab caches, large ones as whole blocks of pages, and
// the injection of allocation failures. Any context but NMI.
#include "kernel/mm/kmalloc.h"

#include <string.h>

#include "kdebug/text.h"
#include "kernel/boot/param.h"
#include "kernel/mm/kasan.h"
#include "kernel/mm/page_internal.h"
#include "kernel/mm/report.h"
#include "kernel/mm/slab_internal.h"
#include "kernel/panic.h"

static const struct {
    uint16_t bytes;
    const char *name;
} size_classes[] = {
    {16, "kmalloc-16"},     {32, "kmalloc-32"},     {64, "kmalloc-64"},     {96, "kmalloc-96"},
    {128, "kmalloc-128"},   {192, "kmalloc-192"},   {256, "kmalloc-256"},   {384, "kmalloc-384"},
    {512, "kmalloc-512"},   {768, "kmalloc-768"},   {1024, "kmalloc-1024"}, {1536, "kmalloc-1536"},
    {2048, "kmalloc-2048"}, {3072, "kmalloc-3072"}, {4096, "kmalloc-4096"},
};

#define LARGE_ZONE 0xbb

static struct slab_cache *class_caches[ARRAY_SIZE(size_classes)];

static uint64_t large_objects, large_bytes, allocations, failures_injected;

static uint64_t fail_after; // counts down to the allocation that fails; 0: none will
PARAM_NUMBER(failnth, "failnth", &fail_after, "make the N-th kernel allocation fail");

void kmalloc_fail_after(uint64_t n)
{
    __atomic_store_n(&fail_after, n, __ATOMIC_RELAXED);
}

bool kmalloc_count(void)
{
    __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
    uint64_t left = __atomic_load_n(&fail_after, __ATOMIC_RELAXED);
    while (left != 0) {
        if (__atomic_compare_exchange_n(&fail_after, &left, left - 1, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED)) {
            if (left == 1)
                __atomic_fetch_add(&failures_injected, 1, __ATOMIC_RELAXED);
            return left == 1;
        }
    }
    return false;
}

// -- large objects: a block of at least two pages, whose first tail keeps the size asked for. What
// of its last page is not the object's is a red zone.

static unsigned large_order(size_t bytes)
{
    unsigned order = 1;
    while (order <= PAGE_ORDER_MAX && PAGE_SIZE << order < bytes)
        order++;
    return order;
}

static void *large_alloc(size_t bytes, uint32_t owner)
{
    if (kmalloc_count())
        return NULL;
    unsigned order = large_order(bytes);
    paddr_t head = page_alloc_for(order, owner);
    if (head == PADDR_NONE)
        return NULL;
    struct page *page = page_of(head);
    page[1].owner = (uint32_t)bytes;
    page->state = PAGE_LARGE;
    uint8_t *object = phys_to_virt(head);
    size_t block = PAGE_SIZE << order;
    memset(object, 0, bytes);
    memset(object + bytes, LARGE_ZONE, block - bytes);
    size_t accessible = ALIGN_UP(bytes, 8);
    kasan_poison(object + accessible, block - accessible, KASAN_RED_ZONE);
    kasan_unpoison(object, bytes);
    __atomic_fetch_add(&large_objects, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&large_bytes, bytes, __ATOMIC_RELAXED);
    return object;
}

__no_kasan static void large_check(const uint8_t *object, const struct page *page)
{
    size_t bytes = page[1].owner;
    size_t block = PAGE_SIZE << page->order;
    for (size_t i = bytes; i < block; i++) {
        if (object[i] != LARGE_ZONE) {
            char owner[MM_SYMBOL_MAX];
            panic("kmalloc: written outside an object: 0x%lx, %zu bytes allocated by %s, at +%zu",
                  (uintptr_t)object, bytes, mm_symbol(owner, owner_address(page->owner)), i);
        }
    }
}

static void large_free(void *object, struct page *page, uint32_t owner)
{
    uint8_t expected = PAGE_LARGE;
    if (!__atomic_compare_exchange_n(&page->state, &expected, PAGE_USED, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED))
        panic("kfree: 0x%lx is being freed by two at once", (uintptr_t)object);
    large_check(object, page);
    size_t bytes = page[1].owner;
    __atomic_fetch_sub(&large_objects, 1, __ATOMIC_RELAXED);
    __atomic_fetch_sub(&large_bytes, bytes, __ATOMIC_RELAXED);
    page_free_for(direct_to_phys(object), page->order, owner);
}

// -- any size

static void *alloc_for(size_t bytes, uint32_t owner)
{
    for (unsigned i = 0; i < ARRAY_SIZE(size_classes); i++)
        if (bytes <= size_classes[i].bytes)
            return slab_alloc_for(class_caches[i], MAX(bytes, (size_t)1), owner);
    if (bytes > PAGE_SIZE << PAGE_ORDER_MAX)
        return NULL;
    return large_alloc(bytes, owner);
}

void *kmalloc(size_t bytes)
{
    return alloc_for(bytes, owner_pack(__builtin_return_address(0)));
}

void *kmalloc_array(size_t count, size_t bytes)
{
    size_t all;
    if (__builtin_mul_overflow(count, bytes, &all))
        return NULL;
    return alloc_for(all, owner_pack(__builtin_return_address(0)));
}

void kfree(void *object)
{
    if (object == NULL)
        return;
    uint32_t owner = owner_pack(__builtin_return_address(0));
    struct slab_cache *cache = slab_cache_of(object);
    if (cache != NULL) {
        slab_free_for(cache, object, owner);
        return;
    }
    struct page *page = page_of(direct_to_phys(object));
    if (page == NULL || page->state != PAGE_LARGE || (uintptr_t)object % PAGE_SIZE != 0) {
        char text_buffer[200] = "";
        struct kd_text text;
        kd_text_init(&text, text_buffer, sizeof(text_buffer));
        page_describe(&text, (uintptr_t)object);
        panic("kfree: 0x%lx is not an object (freed twice?) %s", (uintptr_t)object, text_buffer);
    }
    large_free(object, page, owner);
}

void kmalloc_init(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(size_classes); i++) {
        class_caches[i] = slab_cache_create(size_classes[i].name, size_classes[i].bytes, 16);
        ASSERT(class_caches[i] != NULL);
    }
}

void kmalloc_check(void)
{
    slab_check();
}

void kmalloc_stats(struct kmalloc_stats *out)
{
    slab_count(&out->objects, &out->bytes);
    out->objects += __atomic_load_n(&large_objects, __ATOMIC_RELAXED);
    out->bytes += __atomic_load_n(&large_bytes, __ATOMIC_RELAXED);
    out->allocations = __atomic_load_n(&allocations, __ATOMIC_RELAXED);
    out->failures_injected = __atomic_load_n(&failures_injected, __ATOMIC_RELAXED);
}
