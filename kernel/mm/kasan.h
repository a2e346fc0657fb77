// SPDX-License-Identifier: MIT
// The kernel address sanitizer (CONFIG=kasan): one shadow byte for 8 bytes of memory tells which of
// them may be accessed, and the compiler asks before each access. The allocators say here what is
// whose; in other builds all of this is nothing.
#pragma once

#include "kernel/lib/base.h"

// Shadow bytes. 0: all 8 bytes accessible; 1 to 7: the first so many; these: none, because...
enum kasan_kind {
    KASAN_STACK_LEFT = 0xf1, // the compiler's own
    KASAN_STACK_MIDDLE = 0xf2,
    KASAN_STACK_RIGHT = 0xf3,
    KASAN_STACK_SCOPE = 0xf8,
    KASAN_GLOBAL = 0xf9,
    KASAN_RED_ZONE = 0xfa, // around objects of kmalloc and slab caches
    KASAN_OBJECT_FREE = 0xfb,
    KASAN_ALLOCA_LEFT = 0xca,
    KASAN_ALLOCA_RIGHT = 0xcb,
    KASAN_PAGE_FREE = 0xff,
};

#ifdef CONFIG_KASAN

// For functions that look at memory nobody may access: poison, links in free memory, red zones.
#define __no_kasan __attribute__((no_sanitize_address, noinline))

// The start is aligned to 8; the bytes behind a last, partial 8 are inaccessible after unpoisoning.
void kasan_poison(const void *address, size_t bytes, enum kasan_kind kind);
void kasan_unpoison(const void *address, size_t bytes);

// Called by mapping_init(): maps the shadow in the final tables; and, running on those, begins the
// checks and gives globals their red zones.
void kasan_map_shadow(void);
void kasan_init(void);
// Shadow of the stack whose low end that is, all accessible. False: no memory. Under the lock of
// the page tables.
bool kasan_map_stack(uintptr_t low);

// Would the sanitizer let the access through? For self-tests.
bool kasan_accessible(const void *address, size_t bytes);

#else

#define __no_kasan

static inline void kasan_poison(const void *address, size_t bytes, enum kasan_kind kind)
{
    (void)address, (void)bytes, (void)kind;
}
static inline void kasan_unpoison(const void *address, size_t bytes)
{
    (void)address, (void)bytes;
}
static inline void kasan_map_shadow(void)
{
}
static inline void kasan_init(void)
{
}
static inline bool kasan_map_stack(uintptr_t low)
{
    (void)low;
    return true;
}

#endif
