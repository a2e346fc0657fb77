// SPDX-License-Identifier: MIT
// The misuses of memory that end in a panic, and the exhaustion of memory, on the host: the page
// allocator, slab caches and kmalloc over 4 MiB of fake RAM. A panic jumps back to the test.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kdebug/kdebug.h"
#include "kernel/arch/boot.h"
#include "kernel/mm/kmalloc.h"
#include "kernel/mm/mapping.h"
#include "kernel/mm/page.h"
#include "kernel/panic.h"

// -- the rest of the kernel

#define RAM_BYTES MIB(4)

struct boot_info boot_info;
// Owners are kept as distances from the start of the image, in 32 bits.
char __kernel_start[1];
extern char __kernel_end[1] __attribute__((alias("__kernel_start")));
static char *fake_ram;
int fake_lock_epoch = 1;

static jmp_buf panicked;
static char panic_text[400];

_Noreturn void panic(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    kd_vsnprintf(panic_text, sizeof(panic_text), format, arguments);
    va_end(arguments);
    fake_lock_epoch++; // nobody holds a lock any more
    longjmp(panicked, 1);
}

size_t strlcpy(char *to, const char *from, size_t size)
{
    snprintf(to, size, "%s", from);
    return strlen(from);
}

void kd_text_symbol(struct kd_text *text, uintptr_t address)
{
    (void)address;
    kd_text_string(text, "some_function");
}

paddr_t arch_kernel_paddr(void)
{
    return 0;
}

bool mapping_walk(uintptr_t address, paddr_t *paddr, unsigned *access, size_t *bytes)
{
    *paddr = address;
    *access = PAGE_READ | PAGE_WRITE;
    *bytes = PAGE_SIZE - address % PAGE_SIZE;
    return true;
}

// Runs the statement and wants a panic that says `words`.
#define EXPECT_PANIC(words, ...)                                                                   \
    do {                                                                                           \
        if (setjmp(panicked) == 0) {                                                               \
            __VA_ARGS__;                                                                           \
            fail_msg("no panic, expected: %s", words);                                             \
        }                                                                                          \
        if (strstr(panic_text, words) == NULL)                                                     \
            fail_msg("panic \"%s\", expected: %s", panic_text, words);                             \
    } while (0)

static uint64_t free_bytes(void)
{
    struct page_stats stats;
    page_stats(&stats);
    return stats.free_bytes;
}

// The tests share one machine: a free that is refused changes nothing.
static int boot(void **state)
{
    (void)state;
    fake_ram = aligned_alloc(RAM_BYTES, RAM_BYTES);
    boot_info.ram_count = 1;
    boot_info.ram[0] = (struct memory_range){(uintptr_t)fake_ram, RAM_BYTES};
    boot_info.reserved_count = 1;
    boot_info.reserved[0] = (struct memory_range){(uintptr_t)fake_ram + MIB(1), PAGE_SIZE};
    page_init();
    kmalloc_init();
    return 0;
}

static int shut_down(void **state)
{
    (void)state;
    free(fake_ram);
    return 0;
}

// -- pages

static void all_memory_can_be_taken_and_comes_back(void **state)
{
    (void)state;
    struct page_stats before, empty, after;
    page_stats(&before);
    static paddr_t taken[RAM_BYTES / PAGE_SIZE];
    size_t count = 0;
    for (paddr_t page; (page = page_alloc(0)) != PADDR_NONE;) {
        assert_true(page != (uintptr_t)fake_ram + MIB(1)); // reserved
        taken[count++] = page;
    }
    page_stats(&empty);
    assert_int_equal(empty.free_bytes, 0);
    assert_int_equal(count * PAGE_SIZE, before.free_bytes);
    assert_null(kmalloc(100));
    assert_null(kmalloc(100000));
    for (size_t i = 0; i < count; i++)
        page_free(taken[(i * 7) % count], 0); // count is no multiple of 7: each once
    assert_int_not_equal(count % 7, 0);
    page_stats(&after);
    assert_memory_equal(before.free_blocks, after.free_blocks, sizeof(before.free_blocks));
}

static void a_wrong_free_of_pages_panics_and_changes_nothing(void **state)
{
    (void)state;
    paddr_t block = page_alloc(2);
    uint64_t before = free_bytes();
    EXPECT_PANIC("has order 2, not 1", page_free(block, 1));
    EXPECT_PANIC("not the first page", page_free(block + PAGE_SIZE, 0));
    EXPECT_PANIC("not a page of the allocator", page_free(block + 8, 2));
    EXPECT_PANIC("not a page of the allocator", page_free((uintptr_t)fake_ram + MIB(1), 0));
    EXPECT_PANIC("not a page of the allocator", page_free((uintptr_t)fake_ram + RAM_BYTES, 0));
    assert_int_equal(free_bytes(), before);
    page_free(block, 2);
}

static void a_double_free_of_pages_panics(void **state)
{
    (void)state;
    paddr_t low = page_alloc(0), high = page_alloc(0); // keeps `low` from merging downwards
    page_free(low, 0);
    EXPECT_PANIC("double free", page_free(low, 0));
    page_free(high, 0);
}

static void a_write_to_a_freed_page_is_found(void **state)
{
    (void)state;
    paddr_t page = page_alloc(0);
    uint8_t *bytes = phys_to_virt(page);
    page_free(page, 0);
    bytes[1000] ^= 1;
    paddr_t all[RAM_BYTES / PAGE_SIZE];
    volatile size_t count = 0;
    EXPECT_PANIC(
        "was written to after it was freed", for (;;) {
            paddr_t next = page_alloc(0);
            assert_true(next != PADDR_NONE);
            all[count] = next;
            count++;
        });
    for (size_t i = 0; i < count; i++)
        page_free(all[i], 0);
}

// -- objects

static void freeing_an_object_twice_panics(void **state)
{
    (void)state;
    void *keeps_the_slab = kmalloc(40), *object = kmalloc(40);
    kfree(object);
    EXPECT_PANIC("freed twice", kfree(object));
    kfree(keeps_the_slab);
    EXPECT_PANIC("kfree", kfree(object)); // its slab is gone
}

static void a_write_around_an_object_is_found_when_it_is_freed(void **state)
{
    (void)state;
    static const int offsets[] = {-1, -8, 40, 41, 47};
    for (volatile size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
        uint8_t *volatile object = kmalloc(40);
        object[offsets[i]] ^= 0x10;
        EXPECT_PANIC("written outside an object", kmalloc_check());
        assert_non_null(strstr(panic_text, "kmalloc-64"));
        assert_non_null(strstr(panic_text, "allocated by some_function"));
        object[offsets[i]] ^= 0x10;
        kfree(object);
    }
    uint8_t *volatile large = kmalloc(5000); // volatile: hides the size from the compiler
    large[5000] = 1;
    EXPECT_PANIC("written outside an object", kfree(large));
}

static void a_write_to_a_freed_object_is_found(void **state)
{
    (void)state;
    void *keeps_the_slab = kmalloc(200);
    uint64_t *object = kmalloc(200);
    kfree(object);
    object[3]++;
    EXPECT_PANIC("written after it was freed", kmalloc_check());
    assert_non_null(strstr(panic_text, "is 24 bytes into kmalloc-256"));
    assert_non_null(strstr(panic_text, "freed by some_function"));
    object[3]--;
    kfree(keeps_the_slab);
}

static void freeing_what_is_no_object_panics(void **state)
{
    (void)state;
    uint8_t *object = kmalloc(500);
    EXPECT_PANIC("freed from its middle", kfree(object + 16));
    paddr_t page = page_alloc(0);
    EXPECT_PANIC("is not an object", kfree(phys_to_virt(page)));
    EXPECT_PANIC("belongs to kmalloc", page_free(ALIGN_DOWN((uintptr_t)object, PAGE_SIZE), 0));
    page_free(page, 0);
    struct slab_cache *cache = slab_cache_create("other", 500, 16);
    EXPECT_PANIC("is not an object of cache other", slab_free(cache, object));
    slab_cache_destroy(cache);
    kfree(object);
}

static void a_cache_with_live_objects_is_not_destroyed(void **state)
{
    (void)state;
    struct slab_cache *cache = slab_cache_create("alive", 24, 8);
    void *object = slab_alloc(cache);
    EXPECT_PANIC("cache alive destroyed with 1 objects", slab_cache_destroy(cache));
    slab_free(cache, object);
    slab_cache_destroy(cache);
}

static void every_allocation_of_a_sequence_can_fail(void **state)
{
    (void)state;
    uint64_t before = free_bytes();
    for (uint64_t nth = 1; nth <= 3; nth++) {
        kmalloc_fail_after(nth);
        void *objects[3];
        for (uint64_t i = 0; i < 3; i++) {
            objects[i] = kmalloc(i == 1 ? 9000 : 90);
            assert_int_equal(objects[i] == NULL, i + 1 == nth);
        }
        for (unsigned i = 0; i < 3; i++)
            kfree(objects[i]);
    }
    assert_int_equal(free_bytes(), before);
}

int main(void)
{
    // The write to a freed page leaves memory that is never the same again: last.
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_memory_can_be_taken_and_comes_back),
        cmocka_unit_test(a_wrong_free_of_pages_panics_and_changes_nothing),
        cmocka_unit_test(a_double_free_of_pages_panics),
        cmocka_unit_test(freeing_an_object_twice_panics),
        cmocka_unit_test(a_write_to_a_freed_object_is_found),
        cmocka_unit_test(freeing_what_is_no_object_panics),
        cmocka_unit_test(a_cache_with_live_objects_is_not_destroyed),
        cmocka_unit_test(every_allocation_of_a_sequence_can_fail),
        cmocka_unit_test(a_write_around_an_object_is_found_when_it_is_freed),
        cmocka_unit_test(a_write_to_a_freed_page_is_found),
    };
    return cmocka_run_group_tests(tests, boot, shut_down);
}
