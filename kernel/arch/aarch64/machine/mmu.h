// SPDX-License-Identifier: MIT
// How AArch64 spells page table entries (Arm ARM DDI 0487, D8.3), for the common walker, and the
// registers that hold the kernel's root. TTBR1_EL1 translates the kernel half; the lower half is
// switched off until there are user processes.
#pragma once

#include <machine/layout.h>
#include <machine/sysreg.h>

#define ARCH_PAGE_LEVELS 4

#define PTE_VALID     (1UL << 0)
#define PTE_TABLE     (1UL << 1) // also set in a page, clear in a block
#define PTE_ATTR(n)   ((uint64_t)(n) << 2)
#define PTE_ATTR_MASK PTE_ATTR(7)
#define PTE_READ_ONLY (1UL << 7)
#define PTE_INNER     (3UL << 8)
#define PTE_ACCESSED  (1UL << 10)
#define PTE_PXN       (1UL << 53)
#define PTE_UXN       (1UL << 54)
#define PTE_ADDRESS   0x0000fffffffff000UL

static inline pte_t arch_pte_table(paddr_t table)
{
    return table | PTE_TABLE | PTE_VALID;
}

static inline pte_t arch_pte_leaf(paddr_t page, unsigned access, unsigned level)
{
    pte_t entry = page | PTE_VALID | PTE_ACCESSED | PTE_INNER | PTE_UXN;
    if (level == 0)
        entry |= PTE_TABLE;
    if (!(access & PAGE_WRITE))
        entry |= PTE_READ_ONLY;
    if (!(access & PAGE_EXECUTE))
        entry |= PTE_PXN;
    return entry | PTE_ATTR(access & PAGE_DEVICE ? MAIR_INDEX_DEVICE : MAIR_INDEX_NORMAL);
}

static inline bool arch_pte_present(pte_t entry)
{
    return (entry & PTE_VALID) != 0;
}

static inline bool arch_pte_is_leaf(pte_t entry, unsigned level)
{
    return level == 0 || !(entry & PTE_TABLE);
}

static inline paddr_t arch_pte_address(pte_t entry, unsigned level)
{
    if (!arch_pte_is_leaf(entry, level))
        return entry & PTE_ADDRESS;
    return entry & PTE_ADDRESS & ~((1UL << (12 + 9 * level)) - 1);
}

static inline unsigned arch_pte_access(pte_t entry)
{
    unsigned access = PAGE_READ;
    if (!(entry & PTE_READ_ONLY))
        access |= PAGE_WRITE;
    if (!(entry & PTE_PXN))
        access |= PAGE_EXECUTE;
    if ((entry & PTE_ATTR_MASK) == PTE_ATTR(MAIR_INDEX_DEVICE))
        access |= PAGE_DEVICE;
    return access;
}

static inline bool arch_address_canonical(uintptr_t address)
{
    return address >> 48 == 0xffff;
}

static inline paddr_t arch_table_root(void)
{
    return sysreg_read(ttbr1_el1) & PTE_ADDRESS;
}

static inline void arch_tlb_flush_local_all(void)
{
    __asm__ volatile("dsb nshst\n\ttlbi vmalle1\n\tdsb nsh\n\tisb" ::: "memory");
}

static inline void arch_table_root_set(paddr_t root)
{
    dsb(ishst);
    sysreg_write(ttbr1_el1, root);
    isb();
    arch_tlb_flush_local_all();
}

static inline void arch_tlb_flush_local(uintptr_t address)
{
    uint64_t operand = address >> 12 & 0xfffffffffffUL;
    __asm__ volatile("dsb nshst\n\ttlbi vaae1, %0\n\tdsb nsh\n\tisb" ::"r"(operand) : "memory");
}

static inline bool arch_tlb_flush_broadcasts(void)
{
    return true;
}

#define TLB_FLUSH_PAGES_MAX 64 // above it one flush of everything is cheaper

static inline void arch_tlb_flush_all_cpus(uintptr_t address, size_t length)
{
    uint64_t first = address >> 12, end = (address + length + 0xfff) >> 12;
    dsb(ishst);
    if (end - first > TLB_FLUSH_PAGES_MAX)
        __asm__ volatile("tlbi vmalle1is" ::: "memory");
    else
        for (uint64_t page = first; page < end; page++)
            __asm__ volatile("tlbi vaae1is, %0" ::"r"(page & 0xfffffffffffUL) : "memory");
    dsb(ish);
    isb();
}

// Arm ARM D8.16: an entry that would fault is not cached.
static inline bool arch_tlb_keeps_absent(void)
{
    return false;
}

static inline void arch_pte_publish(void)
{
    dsb(ishst);
    isb();
}
