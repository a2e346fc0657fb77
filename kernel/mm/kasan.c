// SPDX-License-Identifier: MIT
// The run time of the kernel address sanitizer: the compiler calls it before each access of
// instrumented code, and at constructors for globals. Compiled plain, without itself.
//
// The shadow byte of an address is at (address >> 3) + KASAN_SHADOW_OFFSET. Real shadow pages exist
// for the image, RAM in the direct map, and stacks as they are used; whatever else instrumented
// code may touch (devices, the fixmap, guard pages, holes in RAM) shares one last-level table whose
// 512 entries are one page of zeros, "accessible": an access there succeeds or faults by itself.
// Addresses outside all of these are not checked, so that a wild pointer faults where it points and
// not in here.
#include <string.h>

#include "kernel/arch/boot.h"
#include "kernel/arch/context.h"
#include "kernel/log/log.h"
#include "kernel/mm/kasan.h"
#include "kernel/mm/mapping_internal.h"
#include "kernel/mm/page_internal.h"
#include "kernel/mm/slab_internal.h"
#include "kernel/mm/vmap.h"
#include "kernel/panic.h"

#define GRANULE        8
#define BLOCK_BYTES    LEVEL_BYTES(1)
#define BLOCK_COVERS   (BLOCK_BYTES * GRANULE) // memory whose shadow fills one block
#define STACKS_AT_BOOT 256 // whose shadow exists from the start: leak checks need not know of it

extern char __kernel_start[], __kernel_end[];

// Checks begin when the final tables are in use; before that only the image has shadow.
static bool ready;
static paddr_t direct_end; // end of RAM
static paddr_t zero_table; // the shared one

static inline uint8_t *shadow_of(uintptr_t address)
{
    return (uint8_t *)((address >> 3) + KASAN_SHADOW_OFFSET);
}

static bool has_shadow(uintptr_t address)
{
    return (address >= (uintptr_t)__kernel_start && address < (uintptr_t)__kernel_end) ||
           address - DIRECT_MAP_BASE < direct_end || address - VMAP_STACKS_BASE < VMAP_STACKS_BYTES;
}

// -- the shadow's own mapping

static void map_real(uintptr_t address, uintptr_t end)
{
    uintptr_t shadow_end = (uintptr_t)shadow_of(end - 1) + 1;
    for (uintptr_t at = ALIGN_DOWN((uintptr_t)shadow_of(address), BLOCK_BYTES); at < shadow_end;
         at += BLOCK_BYTES) {
        if (mapping_block_used(at))
            continue; // two ranges of RAM may share a block
        void *block = boot_alloc(BLOCK_BYTES, BLOCK_BYTES);
        if (mapping_set(at, direct_to_phys(block), BLOCK_BYTES, PAGE_READ | PAGE_WRITE) < 0)
            panic("KASAN: no memory for the shadow");
    }
}

static void map_zero(uintptr_t address, uintptr_t end)
{
    for (uintptr_t at = ALIGN_DOWN((uintptr_t)shadow_of(address), BLOCK_BYTES);
         at <= (uintptr_t)shadow_of(end - 1); at += BLOCK_BYTES)
        if (!mapping_block_used(at))
            mapping_set_table(at, zero_table);
}

static void make_zero_table(void)
{
    paddr_t zeros = mapping_table_new();
    zero_table = mapping_table_new();
    pte_t *table = phys_to_virt(zero_table);
    for (unsigned i = 0; i < PAGE_SIZE / sizeof(pte_t); i++)
        table[i] = arch_pte_leaf(zeros, PAGE_READ, 0);
}

void kasan_map_shadow(void)
{
    make_zero_table();
    map_real((uintptr_t)__kernel_start, (uintptr_t)__kernel_end);
    struct memory_range ram;
    for (paddr_t cursor = 0; ram_next_range(&cursor, &ram);) {
        uintptr_t start = (uintptr_t)phys_to_virt(ram.start);
        map_real(start, start + ram.bytes);
        direct_end = MAX(direct_end, ram.start + ram.bytes);
    }
    map_zero(DIRECT_MAP_BASE, DIRECT_MAP_BASE + direct_end);
    map_zero(VMAP_STACKS_BASE, VMAP_DEVICE_BASE + VMAP_DEVICE_BYTES);
    map_zero(FIXMAP_BASE, FIXMAP_BASE + FIXMAP_COUNT * PAGE_SIZE);
    for (unsigned i = 0; i < STACKS_AT_BOOT; i++)
        kasan_map_stack(VMAP_STACKS_BASE + (2 * i + 1) * THREAD_STACK_BYTES);
}

// The guard below the stack keeps the zeros it shares: an access there shall fault.
bool kasan_map_stack(uintptr_t low)
{
    _Static_assert(THREAD_STACK_BYTES == GRANULE * PAGE_SIZE, "a stack's shadow is one page");
    uintptr_t shadow = (uintptr_t)shadow_of(low);
    paddr_t table = mapping_table(shadow);
    if (table == zero_table) {
        table = mapping_table_new();
        if (table == PADDR_NONE)
            return false;
        memcpy(phys_to_virt(table), phys_to_virt(zero_table), PAGE_SIZE);
        mapping_set_table(shadow, table);
    }
    pte_t *entry = (pte_t *)phys_to_virt(table) + shadow / PAGE_SIZE % (PAGE_SIZE / sizeof(pte_t));
    if (!(arch_pte_access(*entry) & PAGE_WRITE)) {
        paddr_t page = mapping_table_new();
        if (page == PADDR_NONE)
            return false;
        WRITE_ONCE(*entry, arch_pte_leaf(page, PAGE_READ | PAGE_WRITE, 0));
        arch_pte_publish();
        arch_tlb_flush_local(shadow);
    } else if (ready) {
        memset((void *)shadow, 0, PAGE_SIZE);
    }
    return true;
}

// -- poisoning

void kasan_poison(const void *address, size_t bytes, enum kasan_kind kind)
{
    if (ready)
        memset(shadow_of((uintptr_t)address), kind, ALIGN_UP(bytes, GRANULE) / GRANULE);
}

void kasan_unpoison(const void *address, size_t bytes)
{
    if (!ready)
        return;
    uint8_t *shadow = shadow_of((uintptr_t)address);
    memset(shadow, 0, bytes / GRANULE);
    if (bytes % GRANULE != 0)
        shadow[bytes / GRANULE] = bytes % GRANULE;
}

// -- checking

// The first inaccessible byte, or 0.
static inline uintptr_t first_bad(uintptr_t address, size_t bytes)
{
    for (uintptr_t at = address; at < address + bytes;) {
        int8_t shadow = (int8_t)*shadow_of(at);
        if (shadow != 0 && (shadow < 0 || (int8_t)(at % GRANULE) >= shadow))
            return at;
        // Past a whole granule at once; within a partial one byte by byte.
        at = shadow == 0 ? ALIGN_DOWN(at, GRANULE) + GRANULE : at + 1;
    }
    return 0;
}

bool kasan_accessible(const void *address, size_t bytes)
{
    return first_bad((uintptr_t)address, bytes) == 0;
}

static const char *kind_name(uintptr_t bad)
{
    uint8_t kind = *shadow_of(bad);
    if (kind < GRANULE) // the end of an object: what follows says of which kind
        kind = *shadow_of(ALIGN_DOWN(bad, GRANULE) + GRANULE);
    switch (kind) {
    case KASAN_STACK_LEFT:
    case KASAN_STACK_MIDDLE:
    case KASAN_STACK_RIGHT:
    case KASAN_ALLOCA_LEFT:
    case KASAN_ALLOCA_RIGHT:
        return "outside a variable on the stack";
    case KASAN_STACK_SCOPE:
        return "use after scope";
    case KASAN_GLOBAL:
        return "outside a global variable";
    case KASAN_OBJECT_FREE:
    case KASAN_PAGE_FREE:
        return "use after free";
    default:
        return "outside an allocated object";
    }
}

static __noinline __cold void report(uintptr_t bad, uintptr_t address, size_t bytes, bool write)
{
    // The report itself, and the panic after it, may touch anything.
    __atomic_store_n(&ready, false, __ATOMIC_RELAXED);
    char line[LOG_LINE_MAX];
    struct kd_text text;
    kd_text_init(&text, line, sizeof(line));
    if (slab_describe(&text, bad) || page_describe(&text, bad))
        log_error("KASAN: %s", line);
    panic("KASAN: %s (%s of %zu bytes at 0x%lx)", kind_name(bad), write ? "write" : "read", bytes,
          address);
}

static inline void check(uintptr_t address, size_t bytes, bool write)
{
    if (!ready || !has_shadow(address))
        return;
    uintptr_t bad = first_bad(address, bytes);
    if (__builtin_expect(bad != 0, 0))
        report(bad, address, bytes, write);
}

#define CHECKS(size)                                                                               \
    void __asan_load##size##_noabort(uintptr_t address);                                           \
    void __asan_load##size##_noabort(uintptr_t address)                                            \
    {                                                                                              \
        check(address, size, false);                                                               \
    }                                                                                              \
    void __asan_store##size##_noabort(uintptr_t address);                                          \
    void __asan_store##size##_noabort(uintptr_t address)                                           \
    {                                                                                              \
        check(address, size, true);                                                                \
    }

CHECKS(1)
CHECKS(2)
CHECKS(4)
CHECKS(8)
CHECKS(16)

void __asan_loadN_noabort(uintptr_t address, size_t bytes);
void __asan_loadN_noabort(uintptr_t address, size_t bytes)
{
    check(address, bytes, false);
}

void __asan_storeN_noabort(uintptr_t address, size_t bytes);
void __asan_storeN_noabort(uintptr_t address, size_t bytes)
{
    check(address, bytes, true);
}

// -- what else the compiler asks for

// As gcc emits it (gcc/asan.c, asan_global_struct).
struct asan_global {
    const void *start;
    size_t bytes, bytes_with_red_zone;
    const char *name, *module;
    size_t has_dynamic_init;
    void *location;
    size_t odr_indicator;
};

void __asan_register_globals(const struct asan_global *globals, size_t count);
void __asan_register_globals(const struct asan_global *globals, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct asan_global *g = &globals[i];
        kasan_poison(g->start, g->bytes_with_red_zone, KASAN_GLOBAL);
        kasan_unpoison(g->start, g->bytes);
    }
}

void __asan_unregister_globals(const struct asan_global *globals, size_t count);
void __asan_unregister_globals(const struct asan_global *globals, size_t count)
{
    (void)globals, (void)count; // the kernel never ends
}

// A function that does not return leaves its callers' red zones on the stack: forget them all.
void __asan_handle_no_return(void);
void __asan_handle_no_return(void)
{
    uintptr_t sp = ALIGN_DOWN((uintptr_t)__builtin_frame_address(0), GRANULE);
    if (sp - VMAP_STACKS_BASE < VMAP_STACKS_BYTES)
        kasan_unpoison((void *)sp, ALIGN_UP(sp + 1, THREAD_STACK_BYTES) - sp);
}

void __asan_poison_stack_memory(const void *address, size_t bytes);
void __asan_poison_stack_memory(const void *address, size_t bytes)
{
    kasan_poison(address, bytes, KASAN_STACK_SCOPE);
}

void __asan_unpoison_stack_memory(const void *address, size_t bytes);
void __asan_unpoison_stack_memory(const void *address, size_t bytes)
{
    kasan_unpoison(address, bytes);
}

#define ALLOCA_RED_ZONE 32

void __asan_alloca_poison(uintptr_t address, size_t bytes);
void __asan_alloca_poison(uintptr_t address, size_t bytes)
{
    size_t whole = ALIGN_UP(bytes, ALLOCA_RED_ZONE);
    kasan_poison((void *)(address - ALLOCA_RED_ZONE), ALLOCA_RED_ZONE, KASAN_ALLOCA_LEFT);
    kasan_poison((void *)(address + whole), ALLOCA_RED_ZONE, KASAN_ALLOCA_RIGHT);
    kasan_poison((void *)address, whole, KASAN_ALLOCA_RIGHT);
    kasan_unpoison((void *)address, bytes);
}

void __asan_allocas_unpoison(uintptr_t top, uintptr_t bottom);
void __asan_allocas_unpoison(uintptr_t top, uintptr_t bottom)
{
    if (top != 0 && top < bottom)
        kasan_unpoison((void *)top, bottom - top);
}

typedef void constructor(void);

void kasan_init(void)
{
    extern constructor *__init_array_start[], *__init_array_end[];
    ready = true;
    for (constructor **run = __init_array_start; run < __init_array_end; run++)
        (*run)();
    log_info("KASAN: on");
}
