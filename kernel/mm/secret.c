// SPDX-License-Identifier: MIT
// The table of secret memory, by physical address. The debugger reads it in mid-change: an entry
// counts while its length is not 0, which is stored last and cleared first.
#include "kernel/mm/secret.h"

#include <errno.h>
#include <string.h>

#include "kernel/arch/mmu.h"
#include "kernel/mm/kmalloc.h"
#include "kernel/mm/mapping.h"
#include "kernel/sync/lock.h"

extern char __secret_start[], __secret_end[];

struct secret {
    paddr_t start;
    size_t bytes; // 0: free
};

static struct secret secrets[SECRETS_MAX];
static SPINLOCK(RANK_SECRET) secrets_lock = LOCK_INIT("secrets");

// The first piece of a range that is physically in one.
static bool piece_of(uintptr_t address, size_t length, struct secret *out)
{
    unsigned access;
    if (!mapping_walk(address, &out->start, &access, &out->bytes))
        return false;
    out->bytes = MIN(out->bytes, length);
    return true;
}

static struct secret *secret_find(const struct secret *like)
{
    for (size_t i = 0; i < ARRAY_SIZE(secrets); i++)
        if (secrets[i].bytes == like->bytes && (!like->bytes || secrets[i].start == like->start))
            return &secrets[i];
    return NULL;
}

static int piece_mark(const struct secret *piece)
{
    int status = -ENOSPC;
    WITH (&secrets_lock) {
        struct secret *secret = secret_find(&(struct secret){0});
        if (secret) {
            secret->start = piece->start;
            WRITE_ONCE(secret->bytes, piece->bytes);
            status = 0;
        }
    }
    return status;
}

static void piece_unmark(const struct secret *piece)
{
    WITH (&secrets_lock) {
        struct secret *secret = secret_find(piece);
        if (secret)
            WRITE_ONCE(secret->bytes, 0);
    }
}

int secret_mark(const void *address, size_t bytes)
{
    struct secret piece;
    for (size_t done = 0; done < bytes; done += piece.bytes) {
        int status = -EFAULT;
        if (piece_of((uintptr_t)address + done, bytes - done, &piece))
            status = piece_mark(&piece);
        if (status < 0) {
            secret_unmark(address, done);
            return status;
        }
    }
    return 0;
}

void secret_unmark(const void *address, size_t bytes)
{
    struct secret piece;
    for (size_t done = 0; done < bytes; done += piece.bytes) {
        if (!piece_of((uintptr_t)address + done, bytes - done, &piece))
            return;
        piece_unmark(&piece);
    }
}

void *secret_alloc(size_t bytes)
{
    void *object = kmalloc(bytes);
    if (object && secret_mark(object, bytes) < 0) {
        kfree(object);
        return NULL;
    }
    return object;
}

void secret_free(void *object, size_t bytes)
{
    if (!object)
        return;
    memset(object, 0, bytes);
    __asm__ volatile("" ::"r"(object) : "memory"); // the compiler must not see that it is dead
    secret_unmark(object, bytes);
    kfree(object);
}

// Is `at` in [start, end)? Else *length ends where that begins.
__debugger_text static bool within(paddr_t at, paddr_t start, paddr_t end, size_t *length)
{
    if (at < start)
        *length = MIN(*length, start - at);
    if (at < start || at >= end)
        return false;
    *length = MIN(*length, end - at);
    return true;
}

__debugger_text bool secret_at(uintptr_t address, size_t *length)
{
    paddr_t at;
    unsigned access;
    size_t bytes;
    if (!mapping_walk(address, &at, &access, &bytes))
        return false;
    *length = MIN(*length, bytes);
    // The image is physically in one piece.
    paddr_t section;
    if (mapping_walk((uintptr_t)__secret_start, &section, &access, &bytes) &&
        within(at, section, section + (size_t)(__secret_end - __secret_start), length))
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(secrets); i++) {
        size_t secret_bytes = READ_ONCE(secrets[i].bytes);
        if (secret_bytes && within(at, secrets[i].start, secrets[i].start + secret_bytes, length))
            return true;
    }
    return false;
}
