// SPDX-License-Identifier: MIT
// What is mapped outside the direct map: thread stacks with guards, and device registers. Thread
// context, or boot; the questions about guards may be asked anywhere.
//
// An address is given out again only after every CPU has forgotten its old translation: entries
// are cleared and empty tables taken out under the lock, then the TLBs are flushed without it
// (other CPUs answer to that with interrupts on), and only then pages and address are free again.
#include <string.h>

#include "kernel/arch/context.h"
#include "kernel/cpu/cpu.h"
#include "kernel/mm/kasan.h"
#include "kernel/mm/mapping_internal.h"
#include "kernel/mm/page_internal.h"
#include "kernel/mm/vmap.h"
#include "kernel/panic.h"
#include "kernel/sched/thread.h"
#include "kernel/sync/lock.h"

#define STACK_ORDER      __builtin_ctzl(THREAD_STACK_BYTES >> PAGE_SHIFT)
#define STACK_SLOT_BYTES (2UL * THREAD_STACK_BYTES)
#define STACKS_MAX       4096
_Static_assert(STACKS_MAX *STACK_SLOT_BYTES <= VMAP_STACKS_BYTES, "the stacks fit their area");

static SPINLOCK(RANK_VMAP) vmap_lock = LOCK_INIT("vmap");

// -- forgetting

struct flush {
    uintptr_t address;
    size_t bytes;
};

static void flush_here(void *argument)
{
    const struct flush *flush = argument;
    for (uintptr_t at = flush->address; at < flush->address + flush->bytes; at += PAGE_SIZE)
        arch_tlb_flush_local(at);
}

// Past this many pages one flush of everything is cheaper.
#define FLUSH_PAGES_MAX 32

static void flush_all_here(void *unused)
{
    (void)unused;
    arch_tlb_flush_local_all();
}

// Returns when no CPU translates the range any more. Interrupts on, once other CPUs run.
static void flush_everywhere(uintptr_t address, size_t bytes)
{
    if (arch_tlb_flush_broadcasts()) {
        arch_tlb_flush_all_cpus(address, bytes);
        return;
    }
    struct flush flush = {address, bytes};
    void (*how)(void *) = bytes / PAGE_SIZE > FLUSH_PAGES_MAX ? flush_all_here : flush_here;
    preempt_disable();
    uint64_t others = cpu_online_mask() & ~(UINT64_C(1) << this_cpu()->index);
    how(&flush);
    if (others != 0)
        smp_call(others, how, &flush, true);
    preempt_enable();
}

// Unmaps whole pages and returns when their address may be used again.
static void unmap(uintptr_t address, size_t bytes)
{
    while (bytes > 0) {
        // Tables come out 2 MiB at a time.
        size_t step = MIN(bytes, (size_t)(LEVEL_BYTES(1) - address % LEVEL_BYTES(1)));
        paddr_t emptied = PADDR_NONE;
        WITH (&vmap_lock)
            emptied = mapping_clear(address, step);
        flush_everywhere(address, step);
        if (emptied != PADDR_NONE)
            page_free(emptied, 0);
        address += step;
        bytes -= step;
    }
}

static bool map(uintptr_t address, paddr_t paddr, size_t bytes, unsigned access)
{
    int error = 0;
    WITH (&vmap_lock)
        error = mapping_set(address, paddr, bytes, access);
    if (error < 0)
        unmap(address, bytes);
    else if (arch_tlb_keeps_absent())
        flush_everywhere(address, bytes);
    return error == 0;
}

// -- stacks

static uint64_t stack_used[STACKS_MAX / 64]; // a bit a slot, under the lock

static uintptr_t stack_slot_take(void)
{
    WITH (&vmap_lock) {
        for (unsigned i = 0; i < ARRAY_SIZE(stack_used); i++) {
            if (stack_used[i] != UINT64_MAX) {
                unsigned bit = (unsigned)__builtin_ctzl(~stack_used[i]);
                stack_used[i] |= UINT64_C(1) << bit;
                return VMAP_STACKS_BASE + (i * 64 + bit) * STACK_SLOT_BYTES;
            }
        }
    }
    return 0;
}

static void stack_slot_give(uintptr_t slot)
{
    size_t index = (slot - VMAP_STACKS_BASE) / STACK_SLOT_BYTES;
    WITH (&vmap_lock)
        stack_used[index / 64] &= ~(UINT64_C(1) << index % 64);
}

uintptr_t stack_alloc(void)
{
    uintptr_t slot = stack_slot_take();
    if (slot == 0)
        return 0;
    uintptr_t low = slot + THREAD_STACK_BYTES;
    paddr_t pages = page_alloc_for(STACK_ORDER, owner_pack(__builtin_return_address(0)));
    if (pages != PADDR_NONE) {
        memset(phys_to_virt(pages), 0, THREAD_STACK_BYTES);
        bool shadowed = false;
        WITH (&vmap_lock)
            shadowed = kasan_map_stack(low);
        if (shadowed && map(low, pages, THREAD_STACK_BYTES, PAGE_READ | PAGE_WRITE))
            return low;
        page_free(pages, STACK_ORDER);
    }
    stack_slot_give(slot);
    return 0;
}

void stack_free(uintptr_t low)
{
    uintptr_t slot = low - THREAD_STACK_BYTES;
    size_t index = (slot - VMAP_STACKS_BASE) / STACK_SLOT_BYTES;
    paddr_t pages;
    unsigned access;
    size_t bytes;
    if (slot % STACK_SLOT_BYTES != 0 || index >= STACKS_MAX ||
        !mapping_walk(low, &pages, &access, &bytes))
        panic("stack_free: 0x%lx is not a stack", low);
    unmap(low, THREAD_STACK_BYTES);
    page_free_for(pages, STACK_ORDER, owner_pack(__builtin_return_address(0)));
    stack_slot_give(slot);
}

bool stack_guard_hit(uintptr_t address, uintptr_t *stack_low)
{
    extern char boot_stack_guard[] __attribute__((weak));
    uintptr_t boot_guard = (uintptr_t)boot_stack_guard;
    if (boot_guard != 0 && address - boot_guard < PAGE_SIZE) {
        *stack_low = boot_guard + PAGE_SIZE;
        return true;
    }
    size_t offset = address - VMAP_STACKS_BASE;
    size_t index = offset / STACK_SLOT_BYTES;
    if (index >= STACKS_MAX || offset % STACK_SLOT_BYTES >= THREAD_STACK_BYTES ||
        !(READ_ONCE(stack_used[index / 64]) & UINT64_C(1) << index % 64))
        return false;
    *stack_low = ALIGN_DOWN(address, STACK_SLOT_BYTES) + THREAD_STACK_BYTES;
    return true;
}

// -- devices

// Sorted by address. An entry stays until its addresses are forgotten.
struct device_window {
    uintptr_t start;
    size_t bytes; // whole pages
};

#define DEVICE_WINDOWS_MAX 256

static struct device_window windows[DEVICE_WINDOWS_MAX];
static unsigned window_count;

// Finds the first gap between windows for an address that is congruent to paddr modulo a block,
// when blocks may be used; leaves a page free behind each window, for accesses that run over.
static uintptr_t window_take(paddr_t paddr, size_t bytes)
{
    size_t block = LEVEL_BYTES(1);
    size_t modulus = bytes >= block ? block : PAGE_SIZE;
    WITH (&vmap_lock) {
        if (window_count == DEVICE_WINDOWS_MAX)
            return 0;
        uintptr_t at = VMAP_DEVICE_BASE;
        unsigned i = 0;
        for (;; i++) {
            at += (paddr - at) & (modulus - 1);
            uintptr_t end =
                i < window_count ? windows[i].start : VMAP_DEVICE_BASE + VMAP_DEVICE_BYTES;
            if (at < end && end - at > bytes)
                break;
            if (i == window_count)
                return 0;
            at = windows[i].start + windows[i].bytes + PAGE_SIZE;
        }
        memmove(&windows[i + 1], &windows[i], (window_count - i) * sizeof(windows[0]));
        windows[i] = (struct device_window){at, bytes};
        window_count++;
        return at;
    }
    return 0;
}

// The size of the window that starts there; `remove` takes it off the list.
static size_t window_find(uintptr_t start, bool remove)
{
    size_t bytes = 0;
    WITH (&vmap_lock) {
        for (unsigned i = 0; i < window_count; i++) {
            if (windows[i].start == start) {
                bytes = windows[i].bytes;
                if (remove) {
                    window_count--;
                    memmove(&windows[i], &windows[i + 1], (window_count - i) * sizeof(windows[0]));
                }
                break;
            }
        }
    }
    return bytes;
}

volatile void *device_map(paddr_t paddr, size_t bytes)
{
    paddr_t first = ALIGN_DOWN(paddr, PAGE_SIZE);
    if (bytes == 0 || bytes > VMAP_DEVICE_BYTES || paddr + bytes < paddr)
        return NULL;
    size_t whole = ALIGN_UP(paddr + bytes, PAGE_SIZE) - first;
    uintptr_t start = window_take(first, whole);
    if (start == 0)
        return NULL;
    if (!map(start, first, whole, PAGE_READ | PAGE_WRITE | PAGE_DEVICE)) {
        window_find(start, true);
        return NULL;
    }
    return (volatile void *)(start + (paddr - first));
}

void device_unmap(volatile void *address, size_t bytes)
{
    uintptr_t start = ALIGN_DOWN((uintptr_t)address, PAGE_SIZE);
    size_t whole = window_find(start, false);
    if (whole == 0 || ALIGN_UP((uintptr_t)address + bytes, PAGE_SIZE) - start != whole)
        panic("device_unmap: 0x%lx, %zu bytes are not a device mapping", (uintptr_t)address, bytes);
    unmap(start, whole);
    window_find(start, true);
}

void vmap_reserve(void)
{
    mapping_reserve(VMAP_STACKS_BASE, VMAP_STACKS_BYTES);
    mapping_reserve(VMAP_DEVICE_BASE, VMAP_DEVICE_BYTES);
}
