// SPDX-License-Identifier: MIT
// Slab caches: objects of one size in blocks of pages, for kmalloc() and for whoever has many of a
// kind. Any context but NMI. Every kernel carries the checks; there is no other build to debug.
//
// A slab is a block of pages: this header, then slots of `stride` bytes. A slot is
//
//     | left zone 8 | object ... | right zone >= 8 | tail 16 |
//                   ^ aligned    ^ from the bytes asked for on
//
// Zones of a live object hold SLAB_ZONE; a free object is filled with SLAB_POISON from its first
// byte up to the tail. The tail says what the slot is, and by whom:
//   FREE   on its slab's list of free slots (the list is first in, first out, so that a freed
//          object rests for as long as possible before it is used again), poisoned
//   BUSY   between states: one CPU fills or checks it, without the lock
//   LIVE   somebody's object, zones intact
// FREE to BUSY and LIVE to BUSY happen under the cache's lock, so of two that free the same object
// one finds it BUSY or FREE: a double free.
//
// A slab is on its cache's partial list while it has free slots, else on the full list. One without
// live objects goes back to the page allocator at once: what the statistics show is what is used.
#include <string.h>

#include "kdebug/text.h"
#include "kernel/lib/list.h"
#include "kernel/mm/kasan.h"
#include "kernel/mm/page_internal.h"
#include "kernel/mm/report.h"
#include "kernel/mm/slab_internal.h"
#include "kernel/panic.h"
#include "kernel/sync/lock.h"

#define SLAB_ALIGN     16
#define SLAB_ZONE_MIN  8
#define SLAB_ZONE      0xbb
#define SLAB_POISON    0x5a // an address made of these is none on any machine
#define SLAB_ORDER_MAX 3
#define SLAB_MAGIC     0x51ab51ab
#define SLAB_CACHES    64
#define SLAB_NAME_MAX  24
#define SLOT_NONE      0xffff

enum slot_state { SLOT_FREE = 0xf4ee, SLOT_BUSY = 0xb057, SLOT_LIVE = 0x11fe };

struct slab_tail {
    uint32_t bytes;     // asked for
    uint32_t allocated; // who (owner_pack)
    uint32_t freed;     // who, the last time
    uint16_t next;      // of the free list
    uint16_t state;     // enum slot_state
};
_Static_assert(sizeof(struct slab_tail) == 16, "the tail is part of every object's cost");

struct slab {
    uint32_t magic;
    uint16_t live;
    uint16_t free_first, free_last;
    struct slab_cache *cache;
    struct list link;
};

struct slab_cache {
    char name[SLAB_NAME_MAX]; // empty: this row is unused
    uint32_t object_bytes, stride;
    uint32_t first; // offset of the first object in a slab
    uint16_t capacity;
    uint8_t order;
    bool used;
    SPINLOCK(RANK_SLAB) lock;
    struct list partial, full;
    uint64_t objects, bytes, slabs;
};

static struct slab_cache caches[SLAB_CACHES];
static SPINLOCK(RANK_SLAB) caches_lock = LOCK_INIT("slab caches");

static inline uint8_t *slot_object(const struct slab *slab, unsigned index)
{
    const struct slab_cache *cache = slab->cache;
    return (uint8_t *)slab + cache->first + (size_t)index * cache->stride;
}

static inline struct slab_tail *slot_tail(const struct slab_cache *cache, uint8_t *object)
{
    return (struct slab_tail *)(object + cache->stride - SLAB_ZONE_MIN - sizeof(struct slab_tail));
}

// -- reports

__no_kasan static bool describe_slot(struct kd_text *out, struct slab *slab, uintptr_t address)
{
    struct slab_cache *cache = slab->cache;
    uintptr_t from_first = address - (uintptr_t)slab - cache->first + SLAB_ZONE_MIN;
    size_t index = from_first / cache->stride;
    if (index >= cache->capacity)
        return false;
    uint8_t *object = slot_object(slab, (unsigned)index);
    const struct slab_tail *tail = slot_tail(cache, object);
    char allocated[MM_SYMBOL_MAX], freed[MM_SYMBOL_MAX];
    kd_text_printf(out, "0x%lx is %ld bytes into %s object 0x%lx (%u bytes), allocated by %s",
                   address, (long)(address - (uintptr_t)object), cache->name, (uintptr_t)object,
                   tail->bytes, mm_symbol(allocated, owner_address(tail->allocated)));
    if (tail->state != SLOT_LIVE)
        kd_text_printf(out, ", freed by %s", mm_symbol(freed, owner_address(tail->freed)));
    return true;
}

static _Noreturn void report(const char *what, struct slab *slab, const void *address)
{
    char text_buffer[320];
    struct kd_text text;
    kd_text_init(&text, text_buffer, sizeof(text_buffer));
    describe_slot(&text, slab, (uintptr_t)address);
    panic("%s: %s", what, text_buffer);
}

// -- zones and poison

// The first byte in [from, to) that is not `expected`, or NULL.
__no_kasan static const uint8_t *find_other(const uint8_t *from, const uint8_t *to,
                                            uint8_t expected)
{
    uint64_t word = expected * (UINT64_MAX / 0xff);
    for (; from < to && (uintptr_t)from % sizeof(word) != 0; from++)
        if (*from != expected)
            return from;
    for (; to - from >= (ptrdiff_t)sizeof(word) && *(const uint64_t *)from == word;
         from += sizeof(word)) {
    }
    for (; from < to; from++)
        if (*from != expected)
            return from;
    return NULL;
}

__no_kasan static void check_zones(struct slab *slab, uint8_t *object, const struct slab_tail *tail)
{
    const uint8_t *bad = find_other(object - SLAB_ZONE_MIN, object, SLAB_ZONE);
    if (bad == NULL)
        bad = find_other(object + tail->bytes, (const uint8_t *)tail, SLAB_ZONE);
    if (bad != NULL)
        report("slab: written outside an object", slab, bad);
}

__no_kasan static void check_poison(struct slab *slab, uint8_t *object,
                                    const struct slab_tail *tail)
{
    const uint8_t *bad = find_other(object, (const uint8_t *)tail, SLAB_POISON);
    if (bad != NULL)
        report("slab: written after it was freed", slab, bad);
}

// -- slots; the caller holds the cache's lock

__no_kasan static void slot_push(struct slab *slab, unsigned index)
{
    struct slab_cache *cache = slab->cache;
    struct slab_tail *tail = slot_tail(cache, slot_object(slab, index));
    tail->next = SLOT_NONE;
    tail->state = SLOT_FREE;
    if (slab->free_first == SLOT_NONE)
        slab->free_first = (uint16_t)index;
    else
        slot_tail(cache, slot_object(slab, slab->free_last))->next = (uint16_t)index;
    slab->free_last = (uint16_t)index;
}

__no_kasan static uint8_t *slot_pop(struct slab *slab)
{
    struct slab_cache *cache = slab->cache;
    unsigned index = slab->free_first;
    uint8_t *object = slot_object(slab, index);
    struct slab_tail *tail = slot_tail(cache, object);
    if (slab->magic != SLAB_MAGIC || index >= cache->capacity || tail->state != SLOT_FREE)
        panic("slab: the free list of %s slab 0x%lx was overwritten", cache->name, (uintptr_t)slab);
    slab->free_first = tail->next;
    tail->state = SLOT_BUSY;
    return object;
}

// -- slabs

__no_kasan static void slab_fill(struct slab *slab)
{
    struct slab_cache *cache = slab->cache;
    for (unsigned i = 0; i < cache->capacity; i++) {
        uint8_t *object = slot_object(slab, i);
        uint8_t *tail = (uint8_t *)slot_tail(cache, object);
        memset(object - SLAB_ZONE_MIN, SLAB_ZONE, SLAB_ZONE_MIN);
        memset(object, SLAB_POISON, (size_t)(tail - object));
        memset(tail, 0, sizeof(struct slab_tail));
        slot_push(slab, i);
    }
}

static struct slab *slab_new(struct slab_cache *cache, uint32_t owner)
{
    paddr_t head = page_alloc_for(cache->order, owner);
    if (head == PADDR_NONE)
        return NULL;
    struct page *page = page_of(head);
    for (uint16_t i = 1; i < 1U << cache->order; i++)
        page[i].distance = i;
    struct slab *slab = phys_to_virt(head);
    *slab = (struct slab){
        .magic = SLAB_MAGIC,
        .free_first = SLOT_NONE,
        .free_last = SLOT_NONE,
        .cache = cache,
    };
    slab_fill(slab);
    kasan_poison((uint8_t *)slab + sizeof(*slab), (PAGE_SIZE << cache->order) - sizeof(*slab),
                 KASAN_RED_ZONE);
    page->state = PAGE_SLAB;
    return slab;
}

static void slab_release(struct slab *slab, uint32_t owner)
{
    paddr_t head = direct_to_phys(slab);
    unsigned order = slab->cache->order;
    struct page *page = page_of(head);
    slab->magic = 0;
    for (size_t i = 1; i < (size_t)1 << order; i++)
        page[i].distance = 0;
    page->state = PAGE_USED;
    page_free_for(head, order, owner);
}

// The slab that an address lies in, from the page records alone; NULL outside of slabs.
static struct slab *slab_of(const void *address)
{
    paddr_t paddr = ALIGN_DOWN(direct_to_phys(address), PAGE_SIZE);
    const struct page *page = page_of(paddr);
    if (page != NULL && page->state == PAGE_TAIL && page->distance != 0) {
        paddr -= page->distance * PAGE_SIZE;
        page -= page->distance;
    }
    return page != NULL && page->state == PAGE_SLAB ? phys_to_virt(paddr) : NULL;
}

struct slab_cache *slab_cache_of(const void *object)
{
    struct slab *slab = slab_of(object);
    return slab != NULL ? slab->cache : NULL;
}

// -- allocating

static uint8_t *take_from_partial(struct slab_cache *cache, size_t bytes, struct slab **from)
{
    if (list_empty(&cache->partial))
        return NULL;
    struct slab *slab = LIST_ENTRY(cache->partial.next, struct slab, link);
    uint8_t *object = slot_pop(slab);
    if (++slab->live == cache->capacity) {
        list_remove(&slab->link);
        list_push_back(&cache->full, &slab->link);
    }
    cache->objects++;
    cache->bytes += bytes;
    *from = slab;
    return object;
}

static uint8_t *take(struct slab_cache *cache, size_t bytes, uint32_t owner, struct slab **from)
{
    uint8_t *object = NULL;
    WITH (&cache->lock)
        object = take_from_partial(cache, bytes, from);
    if (object != NULL)
        return object;
    struct slab *slab = slab_new(cache, owner);
    if (slab == NULL)
        return NULL;
    WITH (&cache->lock) {
        cache->slabs++;
        list_push_front(&cache->partial, &slab->link);
        object = take_from_partial(cache, bytes, from);
    }
    return object;
}

// Makes a poisoned slot, BUSY and ours, an object.
__no_kasan static void object_open(struct slab *slab, uint8_t *object, size_t bytes, uint32_t owner)
{
    struct slab_tail *tail = slot_tail(slab->cache, object);
    check_poison(slab, object, tail);
    kasan_unpoison(object, bytes);
    memset(object, 0, bytes);
    memset(object + bytes, SLAB_ZONE, (size_t)((uint8_t *)tail - object) - bytes);
    tail->bytes = (uint32_t)bytes;
    tail->allocated = owner;
    __atomic_store_n(&tail->state, SLOT_LIVE, __ATOMIC_RELEASE);
}

void *slab_alloc_for(struct slab_cache *cache, size_t bytes, uint32_t owner)
{
    if (kmalloc_count())
        return NULL;
    struct slab *slab = NULL;
    uint8_t *object = take(cache, bytes, owner, &slab);
    if (object != NULL)
        object_open(slab, object, bytes, owner);
    return object;
}

void *slab_alloc(struct slab_cache *cache)
{
    return slab_alloc_for(cache, cache->object_bytes, owner_pack(__builtin_return_address(0)));
}

// -- freeing

// LIVE to BUSY, and how many bytes it had; panics when there is no such live object.
__no_kasan static uint32_t object_claim(struct slab *slab, uint8_t *object)
{
    struct slab_cache *cache = slab->cache;
    size_t offset = (size_t)(object - slot_object(slab, 0));
    if (offset % cache->stride != 0 || offset / cache->stride >= cache->capacity)
        report("slab: freed from its middle", slab, object);
    struct slab_tail *tail = slot_tail(cache, object);
    uint16_t state = SLOT_FREE;
    WITH (&cache->lock) {
        state = tail->state;
        if (state == SLOT_LIVE)
            tail->state = SLOT_BUSY;
    }
    if (state == SLOT_FREE || state == SLOT_BUSY)
        report("slab: freed twice", slab, object);
    if (state != SLOT_LIVE || tail->bytes > cache->object_bytes)
        report("slab: the record behind the object was overwritten", slab, object);
    return tail->bytes;
}

__no_kasan static void object_close(struct slab *slab, uint8_t *object, uint32_t owner)
{
    struct slab_tail *tail = slot_tail(slab->cache, object);
    check_zones(slab, object, tail);
    tail->freed = owner;
    memset(object, SLAB_POISON, (size_t)((uint8_t *)tail - object));
    kasan_poison(object, slab->cache->object_bytes, KASAN_OBJECT_FREE);
}

void slab_free_for(struct slab_cache *cache, void *object, uint32_t owner)
{
    struct slab *slab = slab_of(object);
    if (slab == NULL || slab->cache != cache)
        panic("slab: 0x%lx is not an object of cache %s", (uintptr_t)object, cache->name);
    uint32_t bytes = object_claim(slab, object);
    object_close(slab, object, owner);
    bool empty = false;
    WITH (&cache->lock) {
        slot_push(slab, (unsigned)(((uint8_t *)object - slot_object(slab, 0)) / cache->stride));
        cache->objects--;
        cache->bytes -= bytes;
        bool was_full = slab->live-- == cache->capacity;
        empty = slab->live == 0;
        if (was_full || empty)
            list_remove(&slab->link);
        if (empty)
            cache->slabs--;
        else if (was_full)
            list_push_back(&cache->partial, &slab->link);
    }
    if (empty)
        slab_release(slab, owner);
}

void slab_free(struct slab_cache *cache, void *object)
{
    slab_free_for(cache, object, owner_pack(__builtin_return_address(0)));
}

// -- caches

static unsigned capacity_at(const struct slab_cache *cache, unsigned order)
{
    // The left zone of the slot behind the last one would be the block's last bytes.
    size_t room = (PAGE_SIZE << order) - cache->first + SLAB_ZONE_MIN;
    return (unsigned)MIN(room / cache->stride, (size_t)SLOT_NONE - 1);
}

// The smallest block that holds eight objects, or wastes no more than an eighth of itself.
static void choose_order(struct slab_cache *cache)
{
    for (unsigned order = 0;; order++) {
        size_t block = PAGE_SIZE << order;
        unsigned capacity = capacity_at(cache, order);
        size_t waste = block - (size_t)capacity * cache->stride;
        if (capacity >= 8 || (capacity >= 2 && waste <= block / 8) || order == SLAB_ORDER_MAX) {
            cache->order = (uint8_t)order;
            cache->capacity = (uint16_t)capacity;
            return;
        }
    }
}

struct slab_cache *slab_cache_create(const char *name, size_t bytes, size_t align)
{
    align = MAX(align, (size_t)SLAB_ALIGN);
    size_t overhead = 2 * SLAB_ZONE_MIN + sizeof(struct slab_tail);
    if (bytes == 0 || (align & (align - 1)) != 0 || align > PAGE_SIZE ||
        bytes + overhead + align + sizeof(struct slab) > PAGE_SIZE << SLAB_ORDER_MAX)
        return NULL;
    struct slab_cache *cache = NULL;
    WITH (&caches_lock) {
        for (unsigned i = 0; i < SLAB_CACHES && cache == NULL; i++) {
            if (!caches[i].used) {
                cache = &caches[i];
                cache->used = true;
            }
        }
    }
    if (cache == NULL)
        return NULL;
    cache->object_bytes = (uint32_t)bytes;
    cache->stride = (uint32_t)ALIGN_UP(ALIGN_UP(bytes, SLAB_ZONE_MIN) + overhead, align);
    cache->first = (uint32_t)ALIGN_UP(sizeof(struct slab) + SLAB_ZONE_MIN, align);
    cache->objects = cache->bytes = cache->slabs = 0;
    choose_order(cache);
    lock_init(&cache->lock, "slab");
    list_init(&cache->partial);
    list_init(&cache->full);
    strlcpy(cache->name, name, sizeof(cache->name));
    return cache;
}

void slab_cache_destroy(struct slab_cache *cache)
{
    uint64_t objects = 0;
    WITH (&cache->lock)
        objects = cache->objects;
    if (objects != 0) {
        panic("slab: cache %s destroyed with %llu objects in use", cache->name,
              (unsigned long long)objects);
    }
    WITH (&caches_lock) {
        cache->name[0] = '\0';
        cache->used = false;
    }
}

// -- looking at it

bool slab_info(unsigned *cursor, char *name, size_t name_size, size_t *object_bytes,
               uint64_t *objects, uint64_t *pages)
{
    for (; *cursor < SLAB_CACHES; ++*cursor) {
        const struct slab_cache *cache = &caches[*cursor];
        if (cache->name[0] != '\0') {
            strlcpy(name, cache->name, name_size);
            *object_bytes = cache->object_bytes;
            *objects = READ_ONCE(cache->objects);
            *pages = READ_ONCE(cache->slabs) << cache->order;
            ++*cursor;
            return true;
        }
    }
    return false;
}

void slab_count(uint64_t *objects, uint64_t *bytes)
{
    *objects = *bytes = 0;
    for (unsigned i = 0; i < SLAB_CACHES; i++) {
        if (caches[i].name[0] != '\0') {
            *objects += READ_ONCE(caches[i].objects);
            *bytes += READ_ONCE(caches[i].bytes);
        }
    }
}

bool slab_describe(struct kd_text *out, uintptr_t address)
{
    struct slab *slab = slab_of((const void *)address);
    return slab != NULL && slab->magic == SLAB_MAGIC && describe_slot(out, slab, address);
}

__no_kasan static void slots_check(struct slab *slab)
{
    for (unsigned i = 0; i < slab->cache->capacity; i++) {
        uint8_t *object = slot_object(slab, i);
        const struct slab_tail *tail = slot_tail(slab->cache, object);
        uint16_t state = __atomic_load_n(&tail->state, __ATOMIC_ACQUIRE);
        if (state == SLOT_LIVE)
            check_zones(slab, object, tail);
        else if (state == SLOT_FREE)
            check_poison(slab, object, tail);
        else if (state != SLOT_BUSY)
            report("slab: the record behind the object was overwritten", slab, object);
    }
}

void slab_check(void)
{
    for (unsigned i = 0; i < SLAB_CACHES; i++) {
        struct slab_cache *cache = &caches[i];
        if (cache->name[0] == '\0')
            continue;
        WITH (&cache->lock) {
            LIST_FOR_EACH (&cache->partial, struct slab, link, slab)
                slots_check(slab);
            LIST_FOR_EACH (&cache->full, struct slab, link, slab)
                slots_check(slab);
        }
    }
}
