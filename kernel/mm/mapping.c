// SPDX-License-Identifier: MIT
// The kernel's page tables: the final ones and their permissions, the fixmap, and the walk that
// trusts nothing. Common to all machines: a table has 512 entries, and <machine/mmu.h> spells them.
//
// Nothing here takes a lock. mapping_init() runs alone; mapping_set() and mapping_clear() have
// callers that exclude each other; the fixmap has a slot a purpose or CPU; the walk reads tables
// that others may be changing, each entry once, and checks every address before it follows it. The
// walk, the fixmap and text writes run in the debugger, so the file is compiled plain; that also
// lets mapping_init() build the sanitizer's shadow.
#include "kernel/mm/mapping.h"

#include <errno.h>
#include <string.h>

#include "kdebug/machine.h"
#include "kernel/arch/cpu.h"
#include "kernel/cpu/cpu.h"
#include "kernel/mm/kasan.h"
#include "kernel/mm/mapping_internal.h"
#include "kernel/mm/page_internal.h"
#include "kernel/mm/vmap.h"
#include "kernel/panic.h"

extern char __kernel_start[], __kernel_end[];
extern char __text_start[], __text_end[], __rodata_start[], __rodata_end[], __data_start[];

#define TABLE_ENTRIES 512
#define BLOCK_LEVEL   1 // the largest leaves used: 2 MiB
#define BLOCK_BYTES   LEVEL_BYTES(BLOCK_LEVEL)

static paddr_t final_root;

__debugger_text paddr_t mapping_root(void)
{
    return final_root;
}

static inline unsigned table_index(uintptr_t address, unsigned level)
{
    return (address / LEVEL_BYTES(level)) % TABLE_ENTRIES;
}

static inline pte_t *table_at(paddr_t table)
{
    return phys_to_virt(table);
}

// -- building

paddr_t mapping_table_new(void)
{
    if (boot_alloc_open())
        return direct_to_phys(boot_alloc(PAGE_SIZE, PAGE_SIZE));
    void *table = page_alloc_mapped(0);
    return table != NULL ? direct_to_phys(table) : PADDR_NONE;
}

// The entry for `address` at `level` in the final tables; tables above it are made on the way if
// `create`. NULL: there is none, or no memory.
static pte_t *entry_of(uintptr_t address, unsigned level, bool create)
{
    pte_t *table = table_at(final_root);
    for (unsigned at = ARCH_PAGE_LEVELS - 1; at > level; at--) {
        pte_t *entry = &table[table_index(address, at)];
        if (!arch_pte_present(*entry)) {
            paddr_t next = create ? mapping_table_new() : PADDR_NONE;
            if (next == PADDR_NONE)
                return NULL;
            // The zeroed table must be seen no later than the entry that leads to it.
            __atomic_store_n(entry, arch_pte_table(next), __ATOMIC_RELEASE);
        } else if (arch_pte_is_leaf(*entry, at)) {
            return NULL;
        }
        table = table_at(arch_pte_address(*entry, at));
    }
    return &table[table_index(address, level)];
}

static unsigned leaf_level(uintptr_t address, paddr_t paddr, size_t bytes)
{
    bool block = ((address | paddr) & (BLOCK_BYTES - 1)) == 0 && bytes >= BLOCK_BYTES;
    return block ? BLOCK_LEVEL : 0;
}

int mapping_set(uintptr_t address, paddr_t paddr, size_t bytes, unsigned access)
{
    for (size_t done = 0; done < bytes;) {
        unsigned level = leaf_level(address + done, paddr + done, bytes - done);
        pte_t *entry = entry_of(address + done, level, true);
        if (entry == NULL)
            return -ENOMEM;
        ASSERT(!arch_pte_present(*entry));
        WRITE_ONCE(*entry, arch_pte_leaf(paddr + done, access, level));
        done += LEVEL_BYTES(level);
    }
    arch_pte_publish();
    return 0;
}

static bool table_empty(const pte_t *table)
{
    for (unsigned i = 0; i < TABLE_ENTRIES; i++)
        if (arch_pte_present(table[i]))
            return false;
    return true;
}

paddr_t mapping_clear(uintptr_t address, size_t bytes)
{
    paddr_t emptied = PADDR_NONE;
    for (size_t done = 0; done < bytes;) {
        pte_t *above = entry_of(address + done, BLOCK_LEVEL, false);
        if (above == NULL || !arch_pte_present(*above)) { // nothing was mapped this far
            done += BLOCK_BYTES - (address + done) % BLOCK_BYTES;
            continue;
        }
        if (arch_pte_is_leaf(*above, BLOCK_LEVEL)) {
            WRITE_ONCE(*above, 0);
            done += BLOCK_BYTES;
            continue;
        }
        paddr_t table = arch_pte_address(*above, BLOCK_LEVEL);
        WRITE_ONCE(table_at(table)[table_index(address + done, 0)], 0);
        done += PAGE_SIZE;
        if (table_empty(table_at(table)) && emptied == PADDR_NONE) {
            WRITE_ONCE(*above, 0);
            emptied = table;
        }
    }
    arch_pte_publish();
    return emptied;
}

void mapping_reserve(uintptr_t address, size_t bytes)
{
    uintptr_t step = LEVEL_BYTES(BLOCK_LEVEL + 1);
    for (uintptr_t at = ALIGN_DOWN(address, step); at < address + bytes; at += step)
        if (entry_of(at, BLOCK_LEVEL, true) == NULL)
            panic("no memory for the kernel's page tables");
}

void mapping_set_table(uintptr_t address, paddr_t table)
{
    pte_t *above = entry_of(address, BLOCK_LEVEL, true);
    if (above == NULL)
        panic("no memory for the kernel's page tables");
    __atomic_store_n(above, arch_pte_table(table), __ATOMIC_RELEASE);
    arch_pte_publish();
}

bool mapping_block_used(uintptr_t address)
{
    pte_t *above = entry_of(address, BLOCK_LEVEL, false);
    return above != NULL && arch_pte_present(*above);
}

paddr_t mapping_table(uintptr_t address)
{
    pte_t *above = entry_of(address, BLOCK_LEVEL, false);
    if (above == NULL || !arch_pte_present(*above) || arch_pte_is_leaf(*above, BLOCK_LEVEL))
        return PADDR_NONE;
    return arch_pte_address(*above, BLOCK_LEVEL);
}

static void map_at_boot(uintptr_t address, paddr_t paddr, size_t bytes, unsigned access)
{
    if (mapping_set(address, paddr, bytes, access) < 0)
        panic("no memory for the kernel's page tables");
}

// -- the image and the direct map

struct section {
    const char *start, *end;
    unsigned access;
};

// Start code that has a static stack names the page below it; it is left out of the image.
extern char boot_stack_guard[] __attribute__((weak));

static void map_image(void)
{
    const struct section sections[] = {
        {__text_start, __text_end, PAGE_READ | PAGE_EXECUTE},
        {__rodata_start, __rodata_end, PAGE_READ},
        {__data_start, __kernel_end, PAGE_READ | PAGE_WRITE},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(sections); i++) {
        const struct section *s = &sections[i];
        map_at_boot((uintptr_t)s->start, image_to_phys(s->start), (size_t)(s->end - s->start),
                    s->access);
    }
    if (boot_stack_guard != NULL) {
        pte_t *guard = entry_of((uintptr_t)boot_stack_guard, 0, false);
        if (guard != NULL)
            *guard = 0;
    }
}

// All of RAM read-write, except that the image's text and read-only data are as unwritable here as
// at their own addresses.
static void map_direct(void)
{
    paddr_t readonly_start = image_to_phys(__text_start);
    paddr_t readonly_end = image_to_phys(__rodata_end);
    struct memory_range ram;
    for (paddr_t cursor = 0; ram_next_range(&cursor, &ram);) {
        for (paddr_t at = ram.start, end = ram.start + ram.bytes; at < end;) {
            bool readonly = at >= readonly_start && at < readonly_end;
            paddr_t piece_end = readonly ? MIN(end, readonly_end)
                                : at < readonly_start && readonly_start < end ? readonly_start
                                                                              : end;
            map_at_boot((uintptr_t)phys_to_virt(at), at, piece_end - at,
                        readonly ? PAGE_READ : PAGE_READ | PAGE_WRITE);
            at = piece_end;
        }
    }
}

// -- the fixmap

// Its last-level table, which the start code made and all roots share. Found by walking once.
static pte_t *fixmap_table;

__debugger_text static paddr_t fixmap_find_table(void)
{
    paddr_t table = arch_table_root();
    for (unsigned level = ARCH_PAGE_LEVELS - 1; level > 0; level--) {
        pte_t entry = table_at(table)[table_index(FIXMAP_BASE, level)];
        if (!arch_pte_present(entry) || arch_pte_is_leaf(entry, level))
            panic("the start code has made no fixmap table");
        table = arch_pte_address(entry, level);
    }
    return table;
}

__debugger_text static pte_t *fixmap_entry(enum fixmap_slot slot)
{
    if (fixmap_table == NULL)
        fixmap_table = table_at(fixmap_find_table());
    return &fixmap_table[slot];
}

static inline uintptr_t fixmap_address(enum fixmap_slot slot)
{
    return FIXMAP_BASE + slot * PAGE_SIZE;
}

// An entry is invalid before it changes (AArch64: break before make, Arm ARM D8.16.1).
__debugger_text static void fixmap_set(enum fixmap_slot slot, pte_t value)
{
    pte_t *entry = fixmap_entry(slot);
    if (arch_pte_present(*entry)) {
        WRITE_ONCE(*entry, 0);
        arch_pte_publish();
        arch_tlb_flush_local(fixmap_address(slot));
    }
    WRITE_ONCE(*entry, value);
    arch_pte_publish();
    arch_tlb_flush_local(fixmap_address(slot));
}

__debugger_text void *fixmap_map(enum fixmap_slot slot, paddr_t paddr, unsigned access)
{
    fixmap_set(slot, arch_pte_leaf(ALIGN_DOWN(paddr, PAGE_SIZE), access, 0));
    return (void *)(fixmap_address(slot) + paddr % PAGE_SIZE);
}

__debugger_text void fixmap_unmap(enum fixmap_slot slot)
{
    fixmap_set(slot, 0);
}

// -- the walk

// A table may only be read where there is memory to read: in RAM, or in the image while the
// machine has not told yet where its RAM is.
__debugger_text static bool table_readable(paddr_t table)
{
    paddr_t image = arch_kernel_paddr();
    return paddr_is_ram(table) || table - image < (paddr_t)(__kernel_end - __kernel_start);
}

__debugger_text bool mapping_walk(uintptr_t address, paddr_t *paddr, unsigned *access,
                                  size_t *bytes)
{
    // The tables of the kernel half say nothing about the other half.
    if (!arch_address_canonical(address) || (intptr_t)address >= 0)
        return false;
    paddr_t table = arch_table_root();
    for (unsigned level = ARCH_PAGE_LEVELS; level-- > 0;) {
        pte_t entry;
        if (!table_readable(table) ||
            kd_mem_copy(&entry, &table_at(table)[table_index(address, level)], sizeof(entry)) !=
                sizeof(entry) ||
            !arch_pte_present(entry))
            return false;
        paddr_t next = arch_pte_address(entry, level);
        if (arch_pte_is_leaf(entry, level)) {
            uint64_t offset = address % LEVEL_BYTES(level);
            *paddr = next + offset;
            *access = arch_pte_access(entry);
            *bytes = LEVEL_BYTES(level) - offset;
            return true;
        }
        table = next;
    }
    return false;
}

// One page at most. What the slot held is put back: the debugger may have interrupted this very
// function on this CPU.
__debugger_text static int write_through_alias(paddr_t paddr, const void *bytes, size_t length)
{
    enum fixmap_slot slot = FIXMAP_TEXT_FIRST + this_cpu()->index;
    irq_state_t irq = arch_irq_save();
    pte_t before = READ_ONCE(*fixmap_entry(slot));
    void *alias = fixmap_map(slot, paddr, PAGE_READ | PAGE_WRITE);
    size_t written = kd_mem_copy(alias, bytes, length);
    fixmap_set(slot, before);
    arch_irq_restore(irq);
    return written == length ? 0 : -EFAULT;
}

__debugger_text int mapping_text_write(uintptr_t address, const void *bytes, size_t length)
{
    const uint8_t *from = bytes;
    while (length > 0) {
        paddr_t paddr;
        unsigned access;
        size_t mapped;
        if (!mapping_walk(address, &paddr, &access, &mapped) || (access & PAGE_DEVICE) ||
            !paddr_is_ram(paddr))
            return -EFAULT;
        size_t step = MIN(length, (size_t)(PAGE_SIZE - address % PAGE_SIZE));
        int error = write_through_alias(paddr, from, step);
        if (error < 0)
            return error;
        address += step;
        from += step;
        length -= step;
    }
    return 0;
}

// -- start

void mapping_init(void)
{
    ASSERT(boot_alloc_open());
    paddr_t fixmap = fixmap_find_table();
    paddr_t root = mapping_table_new();
    final_root = root;
    map_image();
    map_direct();
    mapping_set_table(FIXMAP_BASE, fixmap);
    vmap_reserve();
    kasan_map_shadow();
    arch_pte_publish();
    arch_table_root_set(root);
    kasan_init();
}

void mapping_cpu_init(void)
{
    arch_table_root_set(final_root);
}
