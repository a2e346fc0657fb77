// SPDX-License-Identifier: MIT
// The contract of kernel/mm/kmalloc.h on a whole machine. What ends in a panic (double free, a
// damaged red zone, a write after free) is tested on the host (tests/unit/kernel_slab_test.c).
#include <string.h>

#include "kernel/mm/kmalloc.h"
#include "kernel/mm/page.h"
#include "kernel/mm/stress.h"
#include "kernel/test/ktest.h"

static bool all_bytes(const uint8_t *from, size_t n, uint8_t value)
{
    for (size_t i = 0; i < n; i++)
        if (from[i] != value)
            return false;
    return true;
}

KTEST(slab, sizes, "objects of all sizes are aligned, zeroed, and whole")
{
    // Around each size class and each number of pages, where the allocator changes its ways.
    static const size_t sizes[] = {0,     1,     15,    16,      17,     64,   65,
                                   100,   1000,  2048,  4095,    4096,   4097, 8192,
                                   12345, 65536, 70000, 1048576, 4194304};
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        for (unsigned round = 0; round < 2; round++) {
            uint8_t *object = kmalloc(sizes[i]);
            EXPECT(object != NULL);
            EXPECT_EQ((uintptr_t)object % 16, 0);
            EXPECT(all_bytes(object, sizes[i], 0));
            memset(object, 0xee, sizes[i]);
            kfree(object);
        }
    }
}

KTEST(slab, impossible, "an impossible size is refused")
{
    volatile size_t huge = SIZE_MAX; // where the compiler sees such a size it does not compile
    EXPECT(kmalloc(huge) == NULL);
    EXPECT(kmalloc(MIB(4) + 1) == NULL);
    EXPECT(kmalloc_array(huge / 2, 3) == NULL);
    kfree(NULL);
}

KTEST(slab, counts, "live objects are counted, and what is empty is given back")
{
    struct page_stats pages_before, pages_after;
    struct kmalloc_stats before, during, after;
    page_stats(&pages_before);
    kmalloc_stats(&before);
    void *objects[300]; // several slabs full
    for (unsigned i = 0; i < ARRAY_SIZE(objects); i++) {
        objects[i] = kmalloc(100);
        EXPECT(objects[i] != NULL);
    }
    void *large = kmalloc(10000);
    kmalloc_stats(&during);
    EXPECT_EQ(during.objects - before.objects, 301);
    EXPECT_EQ(during.bytes - before.bytes, 300 * 100 + 10000);
    EXPECT_EQ(during.allocations - before.allocations, 301);
    kmalloc_check();
    for (unsigned i = 0; i < ARRAY_SIZE(objects); i++)
        kfree(objects[(i * 7) % ARRAY_SIZE(objects)]); // 7 and 300 share no divisor: each once
    kfree(large);
    kmalloc_check();
    kmalloc_stats(&after);
    page_stats(&pages_after);
    EXPECT_EQ(after.objects, before.objects);
    EXPECT_EQ(after.bytes, before.bytes);
    EXPECT_EQ(pages_after.free_bytes, pages_before.free_bytes);
}

KTEST(slab, caches, "a cache keeps its alignment and shows in the walk")
{
    struct slab_cache *cache = slab_cache_create("test-aligned", 200, 256);
    EXPECT(cache != NULL);
    void *a = slab_alloc(cache), *b = slab_alloc(cache);
    EXPECT(a != NULL && b != NULL && a != b);
    EXPECT_EQ((uintptr_t)a % 256 + (uintptr_t)b % 256, 0);
    unsigned cursor = 0;
    char name[32];
    size_t bytes;
    uint64_t objects, pages, found = 0;
    while (slab_info(&cursor, name, sizeof(name), &bytes, &objects, &pages))
        if (strcmp(name, "test-aligned") == 0)
            found = objects;
    EXPECT_EQ(found, 2);
    slab_free(cache, a);
    slab_free(cache, b);
    slab_cache_destroy(cache);
    EXPECT(slab_cache_create("test-misaligned", 8, 24) == NULL);
    EXPECT(slab_cache_create("test-empty", 0, 8) == NULL);
}

KTEST(slab, injection, "the N-th allocation fails, once, and is counted")
{
    struct kmalloc_stats before, after;
    kmalloc_stats(&before);
    kmalloc_fail_after(2);
    void *first = kmalloc(32), *second = kmalloc(5000), *third = kmalloc(32);
    kmalloc_fail_after(0);
    kmalloc_stats(&after);
    kfree(first);
    kfree(second);
    kfree(third);
    EXPECT(first != NULL);
    EXPECT(second == NULL);
    EXPECT(third != NULL);
    EXPECT_EQ(after.failures_injected - before.failures_injected, 1);
}

// -- stress: the threads share a table of objects. Each exchanges a new object against whatever is
// in a random place, so most are freed on another CPU than the one that allocated them. Size and
// contents follow from the object's first word.

#define STRESS_TABLE 64

static void *table[STRESS_TABLE];

static size_t stress_size(uint32_t seed)
{
    return sizeof(uint32_t) + seed % (seed % 16 == 0 ? 9000 : 600);
}

static bool stress_object_good(const uint8_t *object)
{
    uint32_t seed;
    memcpy(&seed, object, sizeof(seed));
    return all_bytes(object + sizeof(seed), stress_size(seed) - sizeof(seed), (uint8_t)seed);
}

static bool slab_stress(unsigned thread)
{
    uint64_t random = thread + 1;
    for (unsigned round = 0; stress_goes_on(round); round++) {
        uint32_t seed = stress_random(&random);
        uint8_t *object = kmalloc(stress_size(seed));
        if (object != NULL) {
            memset(object, (uint8_t)seed, stress_size(seed));
            memcpy(object, &seed, sizeof(seed));
        }
        uint8_t *old = __atomic_exchange_n(&table[stress_random(&random) % STRESS_TABLE], object,
                                           __ATOMIC_ACQ_REL);
        if (old != NULL) {
            if (!stress_object_good(old))
                return false;
            kfree(old);
        }
    }
    return true;
}

KTEST(slab, stress, "objects allocated on one CPU and freed on another stay whole")
{
    struct page_stats pages_before, pages_after;
    struct kmalloc_stats before, after;
    page_stats(&pages_before);
    kmalloc_stats(&before);
    bool good = stress_run(slab_stress);
    for (unsigned i = 0; i < STRESS_TABLE; i++) {
        if (table[i] != NULL) {
            good = good && stress_object_good(table[i]);
            kfree(table[i]);
            table[i] = NULL;
        }
    }
    kmalloc_check();
    EXPECT(good);
    kmalloc_stats(&after);
    page_stats(&pages_after);
    EXPECT_EQ(after.objects, before.objects);
    EXPECT_EQ(pages_after.free_bytes, pages_before.free_bytes);
}
