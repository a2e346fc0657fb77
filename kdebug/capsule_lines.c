// SPDX-License-Identifier: MIT
// See the header. Used by capsule.c at a panic, by kept.c when a capsule is printed again, and by
// the host's tests.
#include "kdebug/capsule_lines.h"

#include <string.h>

#define RECORD_ALIGN 8

// -- CRC and base64 ---------------------------------------------------------------------------

uint32_t kd_crc32(uint32_t crc, const void *bytes, size_t length)
{
    // Four bits at a time: 64 bytes of table are enough for 100 KiB once in a machine's life.
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    crc = ~crc;
    for (const uint8_t *at = bytes; length > 0; at++, length--) {
        crc ^= *at;
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

size_t kd_base64(char *to, const uint8_t *bytes, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *at = to;
    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        uint32_t group = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                         (left > 2 ? bytes[i + 2] : 0);
        *at++ = digits[group >> 18];
        *at++ = digits[group >> 12 & 63];
        *at++ = left > 1 ? digits[group >> 6 & 63] : '=';
        *at++ = left > 2 ? digits[group & 63] : '=';
    }
    return (size_t)(at - to);
}

// -- lines ------------------------------------------------------------------------------------

static char *put_hex(char *to, uint32_t value, unsigned digits)
{
    while (digits-- > 0)
        *to++ = "0123456789abcdef"[value >> 4 * digits & 15];
    return to;
}

static char *put_decimal(char *to, uint32_t value)
{
    char digits[10];
    unsigned count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (count > 0)
        *to++ = digits[--count];
    return to;
}

static char *put_string(char *to, const char *string)
{
    while (*string != '\0')
        *to++ = *string++;
    return to;
}

static void put_line(struct kd_capsule_lines *lines, char *start, char *end)
{
    *end++ = '\n';
    if (lines->write != NULL)
        lines->write(lines, start, (size_t)(end - start));
}

void kd_capsule_lines_begin(struct kd_capsule_lines *lines)
{
    char line[64];
    char *at = put_decimal(put_string(line, KD_CAPSULE_BEGIN), KD_CAPSULE_VERSION);
    *at++ = ' ';
    put_line(lines, line, put_hex(at, lines->id, 8));
    lines->count = 0;
}

void kd_capsule_lines_block(struct kd_capsule_lines *lines, const uint8_t *block, size_t length)
{
    for (size_t done = 0; done < length;) {
        size_t part = length - done;
        part = part < KD_CAPSULE_LINE_BYTES ? part : KD_CAPSULE_LINE_BYTES;
        char line[KD_BASE64_CHARACTERS(KD_CAPSULE_LINE_BYTES) + 32];
        char *at = line;
        *at++ = '~';
        *at++ = done == 0 ? 'C' : 'c';
        at = put_hex(at, lines->count & 0xffff, 4);
        *at++ = ' ';
        at += kd_base64(at, block + done, part);
        uint32_t crc = kd_crc32(0, line + 1, (size_t)(at - line - 1));
        *at++ = ' ';
        put_line(lines, line, put_hex(at, crc, 8));
        lines->count++;
        done += part;
    }
}

void kd_capsule_lines_end(struct kd_capsule_lines *lines)
{
    char line[64];
    char *at = put_hex(put_string(line, KD_CAPSULE_END), lines->id, 8);
    *at++ = ' ';
    put_line(lines, line, put_decimal(at, lines->count));
}

// -- blocks -----------------------------------------------------------------------------------

void kd_capsule_init(struct kd_capsule_writer *writer, uint32_t id)
{
    writer->id = id;
    writer->blocks = 0;
    writer->raw_bytes = 0;
    writer->packed_bytes = 0;
    writer->used = 0;
}

size_t kd_capsule_room(const struct kd_capsule_writer *writer)
{
    size_t left = KD_CAPSULE_BLOCK_BYTES - writer->used;
    return left > sizeof(struct kd_capsule_record) ? left - sizeof(struct kd_capsule_record) : 0;
}

void *kd_capsule_reserve(struct kd_capsule_writer *writer, enum kd_capsule_type type, size_t bytes)
{
    if (bytes > kd_capsule_room(writer)) {
        kd_capsule_flush(writer);
        if (bytes > kd_capsule_room(writer))
            return NULL;
    }
    struct kd_capsule_record *record = (struct kd_capsule_record *)(writer->raw + writer->used);
    *record = (struct kd_capsule_record){.type = (uint16_t)type, .bytes = (uint32_t)bytes};
    return memset(record + 1, 0, bytes);
}

void kd_capsule_commit(struct kd_capsule_writer *writer, size_t bytes)
{
    struct kd_capsule_record *record = (struct kd_capsule_record *)(writer->raw + writer->used);
    record->bytes = (uint32_t)bytes;
    size_t end = writer->used + sizeof(*record) + bytes;
    // The block's size is a multiple of the alignment, so there is room for the padding.
    size_t aligned = (end + RECORD_ALIGN - 1) & ~(size_t)(RECORD_ALIGN - 1);
    memset(writer->raw + end, 0, aligned - end);
    writer->used = (uint32_t)aligned;
}

void kd_capsule_flush(struct kd_capsule_writer *writer)
{
    if (writer->used == 0)
        return;
    struct kd_capsule_block *block = (struct kd_capsule_block *)writer->packed;
    uint8_t *body = writer->packed + sizeof(*block);
    // Only what becomes shorter is worth unpacking.
    size_t packed = kd_pack(writer->raw, writer->used, body, writer->used - 1);
    *block = (struct kd_capsule_block){
        .magic = KD_CAPSULE_BLOCK_MAGIC,
        .version = KD_CAPSULE_VERSION,
        .method = packed != 0 ? KD_CAPSULE_LZ4 : KD_CAPSULE_STORED,
        .packed_bytes = (uint16_t)(packed != 0 ? packed : writer->used),
        .raw_bytes = (uint16_t)writer->used,
        .number = writer->blocks,
        .id = writer->id,
        .crc = kd_crc32(0, writer->raw, writer->used),
    };
    if (packed == 0)
        memcpy(body, writer->raw, writer->used);
    if (writer->block != NULL)
        writer->block(writer, writer->packed, sizeof(*block) + block->packed_bytes);
    writer->blocks++;
    writer->raw_bytes += writer->used;
    writer->packed_bytes += block->packed_bytes;
    writer->used = 0;
}
