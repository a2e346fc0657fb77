// SPDX-License-Identifier: MIT
// Which memory of a dead machine goes into its capsule: ranges that capsule.c asks for, each byte
// once, up to a budget. Nothing is believed: what the page tables do not show as writable memory
// is not read (read-only memory is in the ELF, a device's has side effects), and a fault ends the
// piece. What the kernel marked secret is never read into a record, and a word that is a thread's
// stack canary is zeroed before its record counts.
//
// Everything is in units of 16 bytes, aligned: a unit with a secret byte in it is left out whole,
// and a canary, which is an aligned word, is never cut in two.
#include "kdebug/capsule.h"

#include <string.h>

#define UNIT        16
#define CHUNK       1024 // in one record
#define CHUNK_LEAST 64   // a block with less room is ended
#define COVERED_MAX 768
#define WORD        sizeof(uint64_t)

struct range {
    uint64_t start, end;
};

static struct {
    struct kd_capsule_writer *writer;
    uint64_t left, taken;
    // Sorted, apart, not touching: what has been taken or withheld.
    struct range covered[COVERED_MAX];
    unsigned covered_count;
} memory;

uint64_t kd_capsule_memory_left(void)
{
    return memory.left;
}

uint64_t kd_capsule_memory_bytes(void)
{
    return memory.taken;
}

void kd_capsule_memory_init(struct kd_capsule_writer *writer, uint64_t budget_bytes)
{
    memory.writer = writer;
    memory.left = budget_bytes;
    memory.taken = 0;
    memory.covered_count = 0;
    // A canary that is not known could not be zeroed.
    if (!kd_canaries_known())
        memory.left = 0;
}

// -- what is there already --------------------------------------------------------------------

// The index of the first range that ends behind `at`.
static unsigned covered_after(uint64_t at)
{
    unsigned low = 0, high = memory.covered_count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (memory.covered[middle].end > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

// Moves *at out of what is covered, and *end back to where that begins again.
static bool find_uncovered(uint64_t *at, uint64_t *end)
{
    unsigned i = covered_after(*at);
    if (i < memory.covered_count && memory.covered[i].start <= *at)
        *at = memory.covered[i++].end;
    if (i < memory.covered_count && memory.covered[i].start < *end)
        *end = memory.covered[i].start;
    return *at < *end;
}

// The range is not covered yet; it may touch others, and becomes one with them.
static void cover(uint64_t start, uint64_t end)
{
    unsigned i = covered_after(start);
    bool before = i > 0 && memory.covered[i - 1].end == start;
    bool after = i < memory.covered_count && memory.covered[i].start == end;
    if (before && after) {
        memory.covered[i - 1].end = memory.covered[i].end;
        memory.covered_count--;
        memmove(&memory.covered[i], &memory.covered[i + 1],
                (memory.covered_count - i) * sizeof(memory.covered[0]));
    } else if (before) {
        memory.covered[i - 1].end = end;
    } else if (after) {
        memory.covered[i].start = start;
    } else {
        memmove(&memory.covered[i + 1], &memory.covered[i],
                (memory.covered_count - i) * sizeof(memory.covered[0]));
        memory.covered[i] = (struct range){start, end};
        memory.covered_count++;
    }
}

// -- taking -----------------------------------------------------------------------------------

static void withhold(uint64_t address, uint64_t bytes, enum kd_capsule_withheld_reason reason)
{
    struct kd_capsule_withheld *record =
        kd_capsule_reserve(memory.writer, KD_CAPSULE_WITHHELD, sizeof(*record));
    record->address = address;
    record->bytes = bytes;
    record->reason = reason;
    kd_capsule_commit(memory.writer, sizeof(*record));
}

static size_t down(size_t bytes)
{
    return bytes / UNIT * UNIT;
}

static size_t up(size_t bytes)
{
    return down(bytes + UNIT - 1);
}

// How much from `at` on, at most `length`, a multiple of the unit, is no secret: *good; or how much
// is one, in whole units, which is the result.
static size_t inspect_secret(uint64_t at, size_t length, size_t *good)
{
    *good = length;
    if (kd.kernel->memory_secret == NULL)
        return 0;
    size_t extent = length;
    bool secret = kd.kernel->memory_secret(at, &extent);
    extent = extent < length ? extent : length;
    *good = secret ? 0 : down(extent);
    if (*good > 0)
        return 0;
    return secret ? up(extent > 0 ? extent : 1) : UNIT;
}

// How much from `at` on, at most `length`, is writable memory without a secret: *good; or how much
// is to be passed over, which is the result.
static size_t inspect(uint64_t at, size_t length, size_t *good)
{
    *good = 0;
    size_t extent = length;
    if (kd.kernel->memory_probe(at, &extent) != KD_MEMORY_READ_WRITE)
        return up(extent > 0 ? extent : 1);
    length = down(extent < length ? extent : length);
    if (length == 0)
        return UNIT;
    size_t secret = inspect_secret(at, length, good);
    if (secret != 0) {
        cover(at, at + secret);
        withhold(at, secret, KD_CAPSULE_WITHHELD_SECRET);
    }
    return secret;
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

// Zeroes the canaries among the words, in place; bit i of the result: word i was one.
static void zero_canaries(uint8_t *bytes, size_t length, uint8_t found[CHUNK / WORD / 8])
{
    for (size_t i = 0; i < length / WORD; i++) {
        uint64_t word;
        memcpy(&word, bytes + i * WORD, WORD);
        if (kd_is_canary(word)) {
            memset(bytes + i * WORD, 0, WORD);
            found[i / 8] |= (uint8_t)(1 << i % 8);
        }
    }
}

// One record of at most `length` bytes. Returns how far it got; what cannot be had is passed over.
static size_t take_piece(uint64_t at, size_t length, enum kd_capsule_memory_kind kind)
{
    size_t good;
    size_t pass = inspect(at, min_size(length, CHUNK), &good);
    if (good == 0)
        return pass;
    if (kd_capsule_room(memory.writer) < sizeof(struct kd_capsule_memory) + CHUNK_LEAST)
        kd_capsule_flush(memory.writer);
    size_t room = down(kd_capsule_room(memory.writer) - sizeof(struct kd_capsule_memory));
    size_t got = min_size(min_size(good, room), down(memory.left));
    struct kd_capsule_memory *record =
        kd_capsule_reserve(memory.writer, KD_CAPSULE_MEMORY, sizeof(*record) + got);
    size_t wish = got;
    struct gdb_error error;
    if (kd_memory_read(at, record->data, &got, &error) != 0 || down(got) == 0)
        return wish;
    got = down(got);
    uint8_t found[CHUNK / WORD / 8] = {0};
    zero_canaries(record->data, got, found);
    record->address = at;
    record->kind = kind;
    record->bytes = (uint32_t)got;
    kd_capsule_commit(memory.writer, sizeof(*record) + got);
    cover(at, at + got);
    memory.left -= got;
    memory.taken += got;
    for (size_t i = 0; i < got / WORD; i++)
        if ((found[i / 8] >> i % 8 & 1) != 0)
            withhold(at + i * WORD, WORD, KD_CAPSULE_WITHHELD_CANARY);
    return got;
}

void kd_capsule_take(uint64_t address, uint64_t bytes, enum kd_capsule_memory_kind kind)
{
    uint64_t at = address & ~(uint64_t)(UNIT - 1);
    uint64_t end = (address + bytes + UNIT - 1) & ~(uint64_t)(UNIT - 1);
    while (at < end && memory.left >= UNIT && memory.covered_count < COVERED_MAX) {
        uint64_t stop = end;
        if (!find_uncovered(&at, &stop))
            continue; // `at` has moved behind what is covered, or to the end
        at += take_piece(at, stop - at, kind);
    }
}

void kd_capsule_take_pointed(uint64_t value, uint64_t bytes)
{
    size_t extent = 1;
    if (memory.left >= UNIT && kd.kernel->memory_probe(value, &extent) == KD_MEMORY_READ_WRITE)
        kd_capsule_take(value, bytes, KD_CAPSULE_MEMORY_POINTED);
}

void kd_capsule_take_words(uint64_t start, uint64_t end, uint64_t bytes)
{
    for (uint64_t at = start; at < end && memory.left >= UNIT;) {
        uint64_t words[16];
        size_t length = min_size(sizeof(words), end - at) / WORD * WORD;
        size_t good;
        size_t pass = inspect_secret(at, length, &good);
        struct gdb_error error;
        if (good < WORD || kd_memory_read(at, words, &good, &error) != 0) {
            at += pass > WORD ? pass : WORD;
            continue;
        }
        for (size_t i = 0; i < good / WORD; i++)
            kd_capsule_take_pointed(words[i], bytes);
        at += good < WORD ? WORD : good / WORD * WORD;
    }
}

void kd_capsule_take_rest(uint64_t bytes)
{
    for (uint64_t at = 0; memory.left >= UNIT;) {
        unsigned i = covered_after(at);
        if (i == memory.covered_count)
            return;
        struct range range = memory.covered[i];
        uint64_t start = range.start > at ? range.start : at;
        kd_capsule_take_words(start, range.end, bytes);
        at = range.end;
    }
}
