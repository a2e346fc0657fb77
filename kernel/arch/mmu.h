// SPDX-License-Identifier: MIT
// What the kernel asks of an MMU. All three machines have tables of 512 eight-byte entries, so the
// walker (kernel/mm/mapping.c) is common; <machine/mmu.h> says how an entry is spelled.
#pragma once

#include "kernel/lib/base.h"

typedef uint64_t pte_t;

enum page_access {
    PAGE_READ = 1,
    PAGE_WRITE = 2, // never together with PAGE_EXECUTE
    PAGE_EXECUTE = 4,
    PAGE_DEVICE = 8, // strongly ordered, not cached; the debugger does not read it unasked
};

#include <machine/mmu.h>

// <machine/mmu.h> defines, all inline and without memory access:
//
//   ARCH_PAGE_LEVELS                 4 (48-bit) or 3 (Sv39); level 0 holds 4 KiB leaves
//   pte_t arch_pte_table(paddr_t table);
//   pte_t arch_pte_leaf(paddr_t page, unsigned access, unsigned level);   global, kernel only
//   bool arch_pte_present(pte_t);
//   bool arch_pte_is_leaf(pte_t, unsigned level);
//   paddr_t arch_pte_address(pte_t, unsigned level);
//   unsigned arch_pte_access(pte_t);            enum page_access bits of a leaf
//   bool arch_address_canonical(uintptr_t);     would the hardware translate it at all
//   paddr_t arch_table_root(void);              of the kernel half, as this CPU uses it
//   void arch_table_root_set(paddr_t);          switches this CPU's kernel half, flushes the TLB
//   void arch_tlb_flush_local(uintptr_t address);      one page, this CPU
//   void arch_tlb_flush_local_all(void);
//   bool arch_tlb_flush_broadcasts(void);       arch_tlb_flush_all_cpus() needs no IPI
//   void arch_tlb_flush_all_cpus(uintptr_t address, size_t length);  only if it broadcasts
//   bool arch_tlb_keeps_absent(void);           a CPU may remember that an entry was absent:
//                                               new mappings are flushed everywhere, too
//   void arch_pte_publish(void);                barrier between writing an entry and using it
//
// and the layout of the kernel half (see docs/architecture.md):
//
//   KERNEL_BASE        link address of physical-like offset 0 of the image
//   DIRECT_MAP_BASE, DIRECT_MAP_BYTES   all RAM, read-write, never executable
//   VMAP_BASE, VMAP_BYTES               stacks, device mappings
//   FIXMAP_BASE        2 MiB-aligned; its last-level table exists from the first instruction on
//   KASAN_SHADOW_OFFSET
//
// The machine's start code has mapped, before kernel_main(): the image (at its link address), the
// memory that holds the image, the firmware's tables or device tree in the direct map, the fixmap's
// tables, and with CONFIG_KASAN the image's shadow. arch_kernel_paddr() tells where the image is.
paddr_t arch_kernel_paddr(void); // physical address of __kernel_start

static inline void *phys_to_virt(paddr_t paddr)
{
    return (void *)(DIRECT_MAP_BASE + paddr);
}
// Of an address in the direct map.
static inline paddr_t direct_to_phys(const void *address)
{
    return (uintptr_t)address - DIRECT_MAP_BASE;
}
// Of an address in the kernel image.
static inline paddr_t image_to_phys(const void *address)
{
    extern char __kernel_start[];
    return (uintptr_t)address - (uintptr_t)__kernel_start + arch_kernel_paddr();
}

#define PAGE_SHIFT 12
#define PAGE_SIZE  (1UL << PAGE_SHIFT)
