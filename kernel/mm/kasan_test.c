// SPDX-License-Identifier: MIT
// What the address sanitizer lets through and what not. It is asked, not provoked: a report ends
// in a panic, which tests/system provokes with `crash`.
#include "kernel/mm/kasan.h"
#include "kernel/mm/kmalloc.h"
#include "kernel/mm/page.h"
#include "kernel/test/ktest.h"

KTEST(kasan, object, "an object is accessible from its first byte to its last")
{
    char *object = kmalloc(13);
    EXPECT(object != NULL);
    EXPECT(kasan_accessible(object, 13));
    EXPECT(!kasan_accessible(object + 13, 1));
    EXPECT(!kasan_accessible(object + 16, 1));
    EXPECT(!kasan_accessible(object - 1, 1));
    EXPECT(!kasan_accessible(object, 14));
    kfree(object);
    EXPECT(!kasan_accessible(object, 1));
}

KTEST(kasan, large, "a large object ends at its last byte too")
{
    char *object = kmalloc(10001);
    EXPECT(object != NULL);
    EXPECT(kasan_accessible(object, 10001));
    EXPECT(!kasan_accessible(object + 10001, 1));
    kfree(object);
    EXPECT(!kasan_accessible(object + 5000, 1));
}

KTEST(kasan, pages, "freed pages are not accessible")
{
    char *pages = page_alloc_mapped(2);
    EXPECT(pages != NULL);
    EXPECT(kasan_accessible(pages, 4 * PAGE_SIZE));
    page_free_mapped(pages, 2);
    EXPECT(!kasan_accessible(pages, 1));
    EXPECT(!kasan_accessible(pages + 3 * PAGE_SIZE, 8));
}

static char global[10];

KTEST(kasan, global, "a global variable ends at its last byte")
{
    EXPECT(kasan_accessible(global, 10));
    EXPECT(!kasan_accessible(global + 10, 1));
}

// Keeps a variable in memory and its address unknown to the compiler.
static void *hide(void *address)
{
    __asm__ volatile("" : "+r"(address)::"memory");
    return address;
}

KTEST(kasan, stack, "a variable on the stack ends at its last byte")
{
    char local[10] = {0};
    char *hidden = hide(local);
    EXPECT(kasan_accessible(hidden, 10));
    EXPECT(!kasan_accessible(hidden + 10, 1));
    EXPECT(!kasan_accessible(hidden - 1, 1));
}
