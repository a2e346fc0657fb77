// SPDX-License-Identifier: MIT
// From records to the text of a capsule (kdebug/format/capsule.h): CRC, base64, lines and blocks.
// No state but what the caller owns, no allocation, no reading of anything that may fault: any
// context, and the host's tests.
#pragma once

#include "kdebug/format/capsule.h"

// CRC-32 of IEEE 802.3 as zlib's crc32(): start with 0, go on with the last result.
uint32_t kd_crc32(uint32_t crc, const void *bytes, size_t length);

#define KD_BASE64_CHARACTERS(bytes) (((bytes) + 2) / 3 * 4)
// Writes KD_BASE64_CHARACTERS(length) characters, no terminator; returns how many.
size_t kd_base64(char *to, const uint8_t *bytes, size_t length);

// Packs into LZ4's block format; 0 when it would need more than `room` bytes. Keeps 4 KiB of tables
// of its own: one at a time. Inputs of at most KD_CAPSULE_BLOCK_BYTES.
size_t kd_pack(const void *from, size_t length, void *to, size_t room);

// -- lines ------------------------------------------------------------------------------------

struct kd_capsule_lines {
    // Takes one line, with its newline, or is NULL: the lines are only counted.
    void (*write)(struct kd_capsule_lines *lines, const char *text, size_t length);
    void *context;
    uint32_t id;
    uint32_t count; // of ~ lines so far
};

void kd_capsule_lines_begin(struct kd_capsule_lines *lines);
// A whole block: its head and the packed bytes.
void kd_capsule_lines_block(struct kd_capsule_lines *lines, const uint8_t *block, size_t length);
void kd_capsule_lines_end(struct kd_capsule_lines *lines);

// -- blocks -----------------------------------------------------------------------------------

// Collects records and packs them when a block is full. A record is reserved, filled in and
// committed; one that is never committed (since a fault came between) leaves no trace.
struct kd_capsule_writer {
    // Takes a whole block, or is NULL.
    void (*block)(struct kd_capsule_writer *writer, const uint8_t *bytes, size_t length);
    uint32_t id;
    uint32_t blocks; // so far
    uint64_t raw_bytes, packed_bytes;
    uint32_t used; // of raw
    uint8_t raw[KD_CAPSULE_BLOCK_BYTES] __attribute__((aligned(8)));
    uint8_t packed[sizeof(struct kd_capsule_block) + KD_CAPSULE_BLOCK_BYTES];
};

void kd_capsule_init(struct kd_capsule_writer *writer, uint32_t id);
// The longest body of a record that fits in the block begun, 0 when it is as good as full.
size_t kd_capsule_room(const struct kd_capsule_writer *writer);
// Where the body goes, zeroed; ends the block first when there is no room. NULL: it fits in none.
void *kd_capsule_reserve(struct kd_capsule_writer *writer, enum kd_capsule_type type, size_t bytes);
// The record reserved last is whole; its body may have become shorter, to `bytes`.
void kd_capsule_commit(struct kd_capsule_writer *writer, size_t bytes);
// Ends the block; nothing when it is empty.
void kd_capsule_flush(struct kd_capsule_writer *writer);
