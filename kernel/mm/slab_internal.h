// SPDX-License-Identifier: MIT
// What kmalloc.c needs of the slab caches beyond the public functions. Nobody outside kernel/mm
// includes this.
#pragma once

#include "kernel/lib/base.h"
#include "kernel/mm/kmalloc.h"

struct kd_text;

// slab_alloc() of an object of which only `bytes` may be used, on behalf of `owner`.
void *slab_alloc_for(struct slab_cache *cache, size_t bytes, uint32_t owner);
void slab_free_for(struct slab_cache *cache, void *object, uint32_t owner);

// The cache whose slab holds the address, NULL outside of all slabs.
struct slab_cache *slab_cache_of(const void *object);

// Counted by every allocation; true when this is the one that failnth= wants to fail.
bool kmalloc_count(void);

// Adds up live objects and the bytes they were asked for.
void slab_count(uint64_t *objects, uint64_t *bytes);

// Says which object an address belongs to and who allocated and freed it; false: none. No lock.
bool slab_describe(struct kd_text *out, uintptr_t address);
// kmalloc_check() for the slab caches.
void slab_check(void);
