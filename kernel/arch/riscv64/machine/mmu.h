// SPDX-License-Identifier: MIT
// How Sv39 spells page table entries (privileged architecture 1.12, 4.4), for the common walker,
// and the register that holds the root. One root translates both halves; the lower one is empty
// until there are user processes.
#pragma once

#include <machine/csr.h>
#include <machine/layout.h>

#define ARCH_PAGE_LEVELS 3

#define PTE_VALID    (1UL << 0)
#define PTE_READ     (1UL << 1)
#define PTE_WRITE    (1UL << 2)
#define PTE_EXECUTE  (1UL << 3)
#define PTE_GLOBAL   (1UL << 5)
#define PTE_ACCESSED (1UL << 6)
#define PTE_DIRTY    (1UL << 7)
// Left to software by the architecture. The physical address alone decides how memory is cached and
// ordered; this only lets the debugger tell devices from memory.
#define PTE_DEVICE      (1UL << 8)
#define PTE_PAGE_SHIFT  10
#define PTE_PAGE_MASK   ((1UL << 44) - 1)
#define SATP_MODE_SHIFT 60

static inline pte_t arch_pte_table(paddr_t table)
{
    return table >> 12 << PTE_PAGE_SHIFT | PTE_VALID;
}

// Accessed and dirty are set from the start: harts without hardware for them would fault.
static inline pte_t arch_pte_leaf(paddr_t page, unsigned access, unsigned level)
{
    (void)level;
    pte_t entry = page >> 12 << PTE_PAGE_SHIFT | PTE_VALID | PTE_READ | PTE_GLOBAL | PTE_ACCESSED;
    if (access & PAGE_WRITE)
        entry |= PTE_WRITE | PTE_DIRTY;
    if (access & PAGE_EXECUTE)
        entry |= PTE_EXECUTE;
    if (access & PAGE_DEVICE)
        entry |= PTE_DEVICE;
    return entry;
}

static inline bool arch_pte_present(pte_t entry)
{
    return (entry & PTE_VALID) != 0;
}

static inline bool arch_pte_is_leaf(pte_t entry, unsigned level)
{
    return level == 0 || (entry & (PTE_READ | PTE_WRITE | PTE_EXECUTE)) != 0;
}

static inline paddr_t arch_pte_address(pte_t entry, unsigned level)
{
    paddr_t address = (entry >> PTE_PAGE_SHIFT & PTE_PAGE_MASK) << 12;
    return arch_pte_is_leaf(entry, level) ? ALIGN_DOWN(address, 1UL << (12 + 9 * level)) : address;
}

static inline unsigned arch_pte_access(pte_t entry)
{
    return (entry & PTE_READ ? PAGE_READ : 0) | (entry & PTE_WRITE ? PAGE_WRITE : 0) |
           (entry & PTE_EXECUTE ? PAGE_EXECUTE : 0) | (entry & PTE_DEVICE ? PAGE_DEVICE : 0);
}

static inline bool arch_address_canonical(uintptr_t address)
{
    int64_t high = (int64_t)address >> 38;
    return high == 0 || high == -1;
}

static inline paddr_t arch_table_root(void)
{
    return (csr_read(satp) & PTE_PAGE_MASK) << 12;
}

static inline void arch_tlb_flush_local_all(void)
{
    __asm__ volatile("sfence.vma" ::: "memory");
}

static inline void arch_tlb_flush_local(uintptr_t address)
{
    __asm__ volatile("sfence.vma %0" ::"r"(address) : "memory");
}

static inline void arch_table_root_set(paddr_t root)
{
    csr_write(satp, (uint64_t)SATP_SV39 << SATP_MODE_SHIFT | root >> 12);
    arch_tlb_flush_local_all();
}

// The firmware interrupts the other harts in machine mode, which no interrupt mask of ours stops.
static inline bool arch_tlb_flush_broadcasts(void)
{
    return true;
}

void arch_tlb_flush_all_cpus(uintptr_t address, size_t length);

// Without Svvptc a hart may go by an entry it saw absent until it executes a fence (4.2.1). Taking
// the fault and trying again is no way: it may hit the push of the trap entry itself, on the stack
// of a thread that was made on another hart.
static inline bool arch_tlb_keeps_absent(void)
{
    return true;
}

// For this hart the same; the others are the caller's.
static inline void arch_pte_publish(void)
{
    arch_tlb_flush_local_all();
}
