// SPDX-License-Identifier: MIT
// The kernel's own address space: final page tables with W^X for every section, the direct map,
// mapped stacks with guard pages, device memory, and the fixmap.
#pragma once

#include "kernel/arch/mmu.h"
#include "kernel/lib/base.h"

// Builds the final tables and switches this CPU to them; mapping_cpu_init() switches the others.
// Text is read-execute, read-only data read-only, data and the direct map read-write without
// execute; the direct map's alias of text and read-only data is read-only as well. After
// arch_boot_info() and before page_init(): the tables come from boot_alloc().
void mapping_init(void);
void mapping_cpu_init(void);
paddr_t mapping_root(void); // the final root, for the start of other CPUs

// Maps device registers; any alignment, returns the address of `paddr` itself, or NULL. Never
// unmapped by most drivers. Thread context.
volatile void *device_map(paddr_t paddr, size_t bytes);
void device_unmap(volatile void *address, size_t bytes);

// A stack of THREAD_STACK_BYTES with a guard below it (kernel/arch/context.h has the geometry).
// Returns its low end or 0. Thread context or boot.
uintptr_t stack_alloc(void);
void stack_free(uintptr_t low);
// Does the address lie in the guard of some stack? For "stack overflow" reports. Any context.
bool stack_guard_hit(uintptr_t address, uintptr_t *stack_low);

// The fixmap: pages at fixed addresses whose tables exist from the first instruction on. Works
// before the allocator, in the debugger, with every lock held. Maps one page on this CPU (local
// TLB flush); returns the address of paddr's byte.
enum fixmap_slot {
    FIXMAP_EARLY_UART,
    FIXMAP_BOOT_0, // firmware tables
    FIXMAP_BOOT_1,
    FIXMAP_TEXT_FIRST, // one a CPU: kernel text under change
    FIXMAP_TEXT_LAST = FIXMAP_TEXT_FIRST + CPU_MAX - 1,
    FIXMAP_COUNT,
};
void *fixmap_map(enum fixmap_slot slot, paddr_t paddr, unsigned access);
void fixmap_unmap(enum fixmap_slot slot);

// Walks this CPU's live tables without trusting them. Returns false where nothing is mapped; else
// the physical address, access bits and the bytes up to the end of the page or block. Any context.
bool mapping_walk(uintptr_t address, paddr_t *paddr, unsigned *access, size_t *bytes);

// Writes through a fixmap alias whatever the protection (struct kdebug_kernel.text_write).
int mapping_text_write(uintptr_t address, const void *bytes, size_t length);
