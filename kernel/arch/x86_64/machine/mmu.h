// SPDX-License-Identifier: MIT
// How this machine spells a page-table entry and flushes its TLB (Intel SDM volume 3, 4.5 and
// 4.10). Included by kernel/arch/mmu.h only; the walker is common. Four levels, 48-bit addresses.
#pragma once

#include <machine/layout.h>

#define ARCH_PAGE_LEVELS 4

#define PTE_PRESENT  (UINT64_C(1) << 0)
#define PTE_WRITE    (UINT64_C(1) << 1)
#define PTE_THROUGH  (UINT64_C(1) << 3)
#define PTE_UNCACHED (UINT64_C(1) << 4)
#define PTE_ACCESSED (UINT64_C(1) << 5)
#define PTE_DIRTY    (UINT64_C(1) << 6)
#define PTE_LARGE    (UINT64_C(1) << 7) // a leaf above level 0
#define PTE_GLOBAL   (UINT64_C(1) << 8)
#define PTE_NOEXEC   (UINT64_C(1) << 63)
#define PTE_ADDRESS  UINT64_C(0x000ffffffffff000)
#define CR4_PGE      (UINT64_C(1) << 7)

static inline pte_t arch_pte_table(paddr_t table)
{
    return table | PTE_PRESENT | PTE_WRITE | PTE_ACCESSED;
}

static inline bool arch_pte_present(pte_t pte)
{
    return pte & PTE_PRESENT;
}

static inline bool arch_pte_is_leaf(pte_t pte, unsigned level)
{
    return level == 0 || (pte & PTE_LARGE);
}

// Accessed and dirty are set from the start, so that no CPU ever writes to a kernel table.
// Write-through with uncached selects PAT entry 3, which is UC after reset.
static inline pte_t arch_pte_leaf(paddr_t page, unsigned access, unsigned level)
{
    pte_t pte = page | PTE_PRESENT | PTE_ACCESSED | PTE_GLOBAL;
    if (access & PAGE_WRITE)
        pte |= PTE_WRITE | PTE_DIRTY;
    if (!(access & PAGE_EXECUTE))
        pte |= PTE_NOEXEC;
    if (access & PAGE_DEVICE)
        pte |= PTE_THROUGH | PTE_UNCACHED;
    if (level > 0)
        pte |= PTE_LARGE;
    return pte;
}

// Bit 12 of a large leaf is its PAT bit, not part of the address.
static inline paddr_t arch_pte_address(pte_t pte, unsigned level)
{
    if (level > 0 && arch_pte_is_leaf(pte, level))
        return pte & PTE_ADDRESS & ~((UINT64_C(1) << (12 + 9 * level)) - 1);
    return pte & PTE_ADDRESS;
}

static inline unsigned arch_pte_access(pte_t pte)
{
    return PAGE_READ | (pte & PTE_WRITE ? PAGE_WRITE : 0) | (pte & PTE_NOEXEC ? 0 : PAGE_EXECUTE) |
           (pte & PTE_UNCACHED ? PAGE_DEVICE : 0);
}

static inline bool arch_address_canonical(uintptr_t address)
{
    uintptr_t sign = address >> 47;
    return sign == 0 || sign == 0x1ffff;
}

static inline paddr_t arch_table_root(void)
{
    uint64_t cr3;
    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    return cr3 & PTE_ADDRESS;
}

// Global entries survive a write of CR3; switching CR4.PGE off and on drops them.
static inline void arch_tlb_flush_local_all(void)
{
    uint64_t cr4;
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("mov %0, %%cr4\n\tmov %1, %%cr4" ::"r"(cr4 ^ CR4_PGE), "r"(cr4) : "memory");
}

static inline void arch_table_root_set(paddr_t root)
{
    __asm__ volatile("mov %0, %%cr3" ::"r"(root) : "memory");
    arch_tlb_flush_local_all();
}

static inline void arch_tlb_flush_local(uintptr_t address)
{
    __asm__ volatile("invlpg (%0)" ::"r"(address) : "memory");
}

static inline bool arch_tlb_flush_broadcasts(void)
{
    return false;
}

static inline void arch_tlb_flush_all_cpus(uintptr_t address, size_t length)
{
    (void)address;
    (void)length;
}

// SDM volume 3, 4.10.2.3: translations come from entries that are present.
static inline bool arch_tlb_keeps_absent(void)
{
    return false;
}

// The walker is coherent with stores and in order with them (SDM volume 3, 4.10.2.3); a page that
// becomes present needs nothing.
static inline void arch_pte_publish(void)
{
    __asm__ volatile("" ::: "memory");
}
