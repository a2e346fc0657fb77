// SPDX-License-Identifier: MIT
// Kernel memory by size, above slab caches above pages. Freed memory is poisoned and objects have
// red zones (checked on free and by kmalloc_check()); a corrupted one panics with the object's
// address, its cache and who allocated it. failnth=N on the command line makes the N-th call fail.
#pragma once

#include "kernel/lib/base.h"

// Zeroed; NULL when there is no memory (or the injected failure). Aligned to 16. Any context but
// NMI; never sleeps.
void *kmalloc(size_t bytes) __attribute__((malloc, alloc_size(1)));
void *kmalloc_array(size_t count, size_t bytes) __attribute__((malloc, alloc_size(1, 2)));
void kfree(void *object); // NULL is allowed
void kmalloc_init(void);

// Objects of one size. Never destroyed while objects live (panics, naming how many).
struct slab_cache;
struct slab_cache *slab_cache_create(const char *name, size_t bytes, size_t align);
void slab_cache_destroy(struct slab_cache *cache);
void *slab_alloc(struct slab_cache *cache); // zeroed, or NULL
void slab_free(struct slab_cache *cache, void *object);

// Checks the red zones of every object and the poison of every free one; panics at the first that
// is damaged. Thread context.
void kmalloc_check(void);

// For leak checks: live objects and bytes over all caches.
struct kmalloc_stats {
    uint64_t objects, bytes, allocations, failures_injected;
};
void kmalloc_stats(struct kmalloc_stats *out);
bool slab_info(unsigned *cursor, char *name, size_t name_size, size_t *object_bytes,
               uint64_t *objects, uint64_t *pages); // a walk for `mem`; safe while stopped
// The n-th allocation from now on fails, once; 0 switches it off.
void kmalloc_fail_after(uint64_t n);
