// SPDX-License-Identifier: MIT
// The page tables of the first instructions of C: called by start.S with translation off, so every
// address taken here is a physical one, and nothing may be used that was linked to an address
// (pointers in data, switch tables, strings of tables). Compiled plain.
#include "kernel/arch/mmu.h"

#include <machine/percpu.h>

#define TABLE_ENTRIES 512
#define BLOCK_BYTES   MIB(2)

struct table {
    pte_t entries[TABLE_ENTRIES];
} __attribute__((aligned(PAGE_SIZE)));

static struct table boot_root, image_blocks, fixmap_blocks, fixmap_pages;
static paddr_t kernel_paddr;

#ifdef CONFIG_KASAN
// The sanitizer's shadow of the image's first 16 MiB, all accessible, until mapping_init().
char kasan_early_shadow[BLOCK_BYTES] __attribute__((aligned(BLOCK_BYTES)));
static struct table shadow_blocks;
#endif

paddr_t start_tables_build(void);

__debugger_text paddr_t arch_kernel_paddr(void)
{
    return kernel_paddr;
}

static pte_t *entry_of(struct table *table, uintptr_t address, unsigned level)
{
    return &table->entries[address >> (PAGE_SHIFT + 9 * level) & (TABLE_ENTRIES - 1)];
}

static void hang_below(struct table *table, uintptr_t address, unsigned level, struct table *below)
{
    *entry_of(table, address, level) = arch_pte_table((paddr_t)below);
}

// Writable and executable until mapping_init(), which gives each section what it needs.
static void map_image(paddr_t start, paddr_t end)
{
    hang_below(&boot_root, KERNEL_LINK_ADDRESS, 2, &image_blocks);
    for (uint64_t done = 0; done < end - start; done += BLOCK_BYTES) {
        *entry_of(&image_blocks, KERNEL_LINK_ADDRESS + done, 1) =
            arch_pte_leaf(start + done, PAGE_READ | PAGE_WRITE | PAGE_EXECUTE, 1);
    }
}

// All of it, in pages of 1 GiB: wherever the device tree lies, it can be read.
static void map_direct(void)
{
    for (uint64_t done = 0; done < DIRECT_MAP_BYTES; done += GIB(1)) {
        *entry_of(&boot_root, DIRECT_MAP_BASE + done, 2) =
            arch_pte_leaf(done, PAGE_READ | PAGE_WRITE, 2);
    }
}

// Returns the physical address of the root.
paddr_t start_tables_build(void)
{
    extern char __kernel_start[], __kernel_end[];
    kernel_paddr = (paddr_t)__kernel_start;
    map_image((paddr_t)__kernel_start, (paddr_t)__kernel_end);
    map_direct();
    hang_below(&boot_root, FIXMAP_BASE, 2, &fixmap_blocks);
    hang_below(&fixmap_blocks, FIXMAP_BASE, 1, &fixmap_pages);
#ifdef CONFIG_KASAN
    const uintptr_t shadow = (KERNEL_BASE >> 3) + KASAN_SHADOW_OFFSET;
    hang_below(&boot_root, shadow, 2, &shadow_blocks);
    *entry_of(&shadow_blocks, shadow, 1) =
        arch_pte_leaf((paddr_t)kasan_early_shadow, PAGE_READ | PAGE_WRITE, 1);
#endif
    return (paddr_t)&boot_root;
}
