// SPDX-License-Identifier: MIT
// The contract of kernel/mm/mapping.h: permissions are what they are said to be, found by walking
// the live tables; stacks have guards; devices, fixmap and text writes work; and no CPU keeps an
// old translation.
#include <errno.h>
#include <string.h>

#include "kernel/arch/context.h"
#include "kernel/cpu/cpu.h"
#include "kernel/mm/mapping.h"
#include "kernel/mm/page.h"
#include "kernel/test/ktest.h"

extern char __text_start[], __text_end[], __rodata_start[], __rodata_end[];
extern char __data_start[], __kernel_start[], __kernel_end[];

struct walked {
    bool mapped;
    paddr_t paddr;
    unsigned access;
    size_t bytes;
};

static struct walked walk(uintptr_t address)
{
    struct walked w = {0};
    w.mapped = mapping_walk(address, &w.paddr, &w.access, &w.bytes);
    return w;
}

// True if each mapped page of [start, end) has exactly this access.
static bool all_have(const char *start, const char *end, unsigned access)
{
    struct walked w;
    for (uintptr_t at = (uintptr_t)start; at < (uintptr_t)end; at += w.bytes) {
        w = walk(at);
        if (!w.mapped) {
            uintptr_t stack; // the only holes are guards
            if (!stack_guard_hit(at, &stack))
                return false;
            w.bytes = PAGE_SIZE;
        } else if (w.access != access || w.paddr != image_to_phys((char *)at)) {
            return false;
        }
    }
    return true;
}

KTEST(mapping, image, "text is executable, read-only data read-only, data writable, and no more")
{
    EXPECT(all_have(__text_start, __text_end, PAGE_READ | PAGE_EXECUTE));
    EXPECT(all_have(__rodata_start, __rodata_end, PAGE_READ));
    EXPECT(all_have(__data_start, __kernel_end, PAGE_READ | PAGE_WRITE));
}

KTEST(mapping, direct, "the direct map never executes, nor writes text and read-only data")
{
    paddr_t readonly = image_to_phys(__text_start), readonly_end = image_to_phys(__rodata_end);
    struct page_stats stats;
    page_stats(&stats);
    uint64_t seen = 0;
    // Unmapped space is skipped in the size of the largest leaf; RAM ends long before this.
    struct walked w;
    for (paddr_t at = 0; at < GIB(8) && seen < stats.total_bytes; at += w.bytes) {
        w = walk((uintptr_t)phys_to_virt(at));
        if (!w.mapped) {
            w.bytes = PAGE_SIZE;
            if (!paddr_is_ram(at) && at % MIB(2) == 0 && !paddr_is_ram(at + MIB(2) - 1))
                w.bytes = MIB(2);
            continue;
        }
        EXPECT_EQ(w.paddr, at);
        EXPECT(!(w.access & PAGE_EXECUTE));
        bool is_readonly = at + w.bytes > readonly && at < readonly_end;
        EXPECT_EQ(!(w.access & PAGE_WRITE), is_readonly);
        seen += w.bytes;
    }
    EXPECT_EQ(seen, stats.total_bytes);
}

KTEST(mapping, garbage, "the walk answers for any address without a fault")
{
    static const uintptr_t addresses[] = {
        0,
        1,
        0x7fffffffffff,
        0x800000000000,
        0x7fffffffffffffff,
        1UL << 63,
        UINTPTR_MAX,
        0xffff7fffffffffff,
        VMAP_BASE - 1,
        DIRECT_MAP_BASE + DIRECT_MAP_BYTES,
    };
    for (unsigned i = 0; i < ARRAY_SIZE(addresses); i++)
        EXPECT(!walk(addresses[i]).mapped);
    EXPECT(!walk((uintptr_t)__kernel_start - PAGE_SIZE).mapped);
    EXPECT(!walk((uintptr_t)__kernel_end).mapped);
    // The last page of the image ends where it says.
    EXPECT_EQ(walk((uintptr_t)__kernel_end - 16).bytes, 16);
}

KTEST(mapping, stack, "a stack has an unmapped guard of its own size below it")
{
    uintptr_t low = stack_alloc(), found = 0;
    EXPECT(low != 0);
    EXPECT_EQ(low % (2 * THREAD_STACK_BYTES), THREAD_STACK_BYTES);
    memset((void *)low, 0xaa, THREAD_STACK_BYTES);
    EXPECT_EQ(walk(low).access, PAGE_READ | PAGE_WRITE);
    bool guarded = true;
    for (uintptr_t at = low - THREAD_STACK_BYTES; at < low; at += PAGE_SIZE)
        guarded = guarded && !walk(at).mapped && stack_guard_hit(at, &found) && found == low;
    EXPECT(!stack_guard_hit(low, &found));
    EXPECT(guarded && stack_guard_hit(low - 1, &found));
    stack_free(low);
    EXPECT(!walk(low).mapped);
    EXPECT(!stack_guard_hit(low - 1, &found));
    EXPECT(!stack_guard_hit(0, &found));
}

// Device addresses are only mapped here, never read: nobody knows what answers there.
KTEST(mapping, device, "device memory is mapped as such, at any alignment, and goes away")
{
    const paddr_t paddr = 0x12345678f0f1;
    volatile void *address = device_map(paddr, 2 * PAGE_SIZE);
    EXPECT(address != NULL);
    struct walked w = walk((uintptr_t)address), last = walk((uintptr_t)address + 2 * PAGE_SIZE - 1);
    EXPECT(w.mapped && last.mapped);
    EXPECT_EQ(w.paddr, paddr);
    EXPECT_EQ(last.paddr, paddr + 2 * PAGE_SIZE - 1);
    EXPECT_EQ(w.access, PAGE_READ | PAGE_WRITE | PAGE_DEVICE);
    device_unmap(address, 2 * PAGE_SIZE);
    EXPECT(!walk((uintptr_t)address).mapped);
}

KTEST(mapping, device_block, "a large aligned device window is mapped by blocks")
{
    struct page_stats before, during, after;
    page_stats(&before);
    const paddr_t paddr = 0x4000000000 + PAGE_SIZE; // off by a page: blocks start further in
    volatile void *address = device_map(paddr, MIB(16));
    EXPECT(address != NULL);
    page_stats(&during);
    EXPECT(walk((uintptr_t)address + MIB(4)).bytes > PAGE_SIZE);
    EXPECT_EQ(walk((uintptr_t)address + MIB(4)).paddr, paddr + MIB(4));
    EXPECT(before.free_bytes - during.free_bytes <= 2 * PAGE_SIZE); // tables for the two ends
    device_unmap(address, MIB(16));
    EXPECT(!walk((uintptr_t)address + MIB(4)).mapped);
    page_stats(&after);
    EXPECT_EQ(after.free_bytes, before.free_bytes);
    EXPECT(device_map(0, 0) == NULL);
    EXPECT(device_map(UINT64_MAX - 10, 100) == NULL);
}

KTEST(mapping, fixmap, "the fixmap shows a page at the offset asked for")
{
    uint32_t *page = page_alloc_mapped(0);
    EXPECT(page != NULL);
    page[5] = 0x600df00d;
    volatile uint32_t *alias = fixmap_map(FIXMAP_BOOT_0, direct_to_phys(&page[5]), PAGE_READ);
    uint32_t value = *alias;
    unsigned access = walk((uintptr_t)alias).access;
    fixmap_unmap(FIXMAP_BOOT_0);
    bool mapped = walk((uintptr_t)alias).mapped;
    page_free_mapped(page, 0);
    EXPECT_EQ(value, 0x600df00d);
    EXPECT_EQ(access, PAGE_READ);
    EXPECT(!mapped);
}

// Two pages of read-only data, so that a write can cross from one to the other.
static const uint8_t constants[2 * PAGE_SIZE] __attribute__((aligned(4096))) = {1};

KTEST(mapping, text_write, "read-only memory is written through the alias, across pages too")
{
    uintptr_t address = (uintptr_t)constants + PAGE_SIZE - 3;
    const volatile uint8_t *seen = (const volatile uint8_t *)address;
    static const uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8}, zeros[8] = {0};
    EXPECT_EQ(mapping_text_write(address, bytes, sizeof(bytes)), 0);
    for (unsigned i = 0; i < sizeof(bytes); i++)
        EXPECT_EQ(seen[i], bytes[i]);
    EXPECT_EQ(mapping_text_write(address, zeros, sizeof(zeros)), 0);
    EXPECT_EQ(seen[0], 0);
    EXPECT_EQ(walk(address).access, PAGE_READ);
    EXPECT_EQ(mapping_text_write(0, bytes, 1), -EFAULT);
    EXPECT_EQ(mapping_text_write(UINTPTR_MAX - 3, bytes, 4), -EFAULT);
}

// -- shootdown

struct reading {
    const volatile uint64_t *address;
    uint64_t value[CPU_MAX];
};

static void read_here(void *argument)
{
    struct reading *reading = argument;
    reading->value[this_cpu()->index] = *reading->address;
}

static bool all_read(uintptr_t address, uint64_t expected)
{
    struct reading reading = {.address = (const volatile uint64_t *)address};
    smp_call(cpu_online_mask(), read_here, &reading, true);
    for (unsigned i = 0; i < CPU_MAX; i++)
        if ((cpu_online_mask() & UINT64_C(1) << i) && reading.value[i] != expected)
            return false;
    return true;
}

KTEST(mapping, shootdown, "no CPU reads the old page at an address that is used again")
{
    for (unsigned round = 0; round < 20; round++) {
        uintptr_t low = stack_alloc();
        EXPECT(low != 0);
        *(volatile uint64_t *)low = 2 * round;
        EXPECT(all_read(low, 2 * round));
        stack_free(low);
        // Held, so that the address gets other pages this time.
        paddr_t held = page_alloc(2);
        uintptr_t again = stack_alloc();
        EXPECT_EQ(again, low);
        *(volatile uint64_t *)again = 2 * round + 1;
        EXPECT(all_read(again, 2 * round + 1));
        stack_free(again);
        page_free(held, 2);
    }
}
