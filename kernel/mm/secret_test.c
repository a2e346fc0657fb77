// SPDX-License-Identifier: MIT
// The contract of kernel/mm/secret.h: what is marked is secret to its last byte through every
// alias, its neighbours are not, and nothing stays marked that was unmarked or freed. That capsules
// heed it is tested from outside (tests/system/test_capsule.py).
#include <errno.h>

#include "kernel/arch/mmu.h"
#include "kernel/mm/kmalloc.h"
#include "kernel/mm/mapping.h"
#include "kernel/mm/secret.h"
#include "kernel/test/ktest.h"

static uint8_t section_secret[40] __secret;
static uint8_t buffer[3 * PAGE_SIZE];

static bool is_secret(const void *address)
{
    size_t length = 1;
    return secret_at((uintptr_t)address, &length);
}

// The same byte in the direct map.
static const void *alias_of(const void *address)
{
    paddr_t paddr = 0;
    unsigned access;
    size_t bytes;
    EXPECT(mapping_walk((uintptr_t)address, &paddr, &access, &bytes));
    return phys_to_virt(paddr);
}

KTEST(secret, section, "objects of the secret section are secret, in the direct map too")
{
    EXPECT(is_secret(section_secret));
    EXPECT(is_secret(section_secret + sizeof(section_secret) - 1));
    EXPECT(is_secret(alias_of(section_secret)));
    EXPECT(!is_secret(buffer));
}

KTEST(secret, exact, "a mark covers its bytes, over pages, and tells how far it goes")
{
    uint8_t *start = buffer + PAGE_SIZE - 100;
    size_t bytes = PAGE_SIZE + 200; // parts of three pages, wherever the buffer lies
    EXPECT_EQ(secret_mark(start, bytes), 0);
    EXPECT(!is_secret(start - 1));
    for (size_t i = 0; i < bytes; i++)
        EXPECT(is_secret(start + i) && is_secret(alias_of(start + i)));
    EXPECT(!is_secret(start + bytes));
    size_t before = 64;
    EXPECT(!secret_at((uintptr_t)start - 10, &before));
    EXPECT(before <= 10);
    secret_unmark(start, bytes);
    for (size_t i = 0; i < bytes; i++)
        EXPECT(!is_secret(start + i));
}

KTEST(secret, heap, "a secret object is wiped and unmarked when it is freed")
{
    volatile uint8_t *object = secret_alloc(48);
    EXPECT(object);
    EXPECT(is_secret((void *)object));
    EXPECT(is_secret((void *)(object + 47)));
    object[7] = 0xa5;
    secret_free((void *)object, 48);
    EXPECT(!is_secret((void *)object));
}

KTEST(secret, full, "when the table is full nothing is marked and nothing handed out")
{
    static void *objects[SECRETS_MAX + 1];
    unsigned count = 0;
    while (count <= SECRETS_MAX && (objects[count] = secret_alloc(16)))
        count++;
    int marked = count <= SECRETS_MAX ? secret_mark(buffer, 16) : 0;
    bool secret = is_secret(buffer);
    while (count > 0)
        secret_free(objects[--count], 16);
    EXPECT_EQ(marked, -ENOSPC);
    EXPECT(!secret);
}
