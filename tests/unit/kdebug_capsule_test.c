// SPDX-License-Identifier: MIT
// The contract of kdebug/capsule_lines.h and kept.h, checked with other implementations: zlib's
// sum, a table for base64, lz4's own library. What goes in as records comes out of the lines again;
// a record that was not committed leaves no trace; what is kept is found only when it is whole.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lz4.h>
#include <zlib.h>

#include "kdebug/capsule.h"
#include "kdebug/kept.h"

// -- what kept.c asks of the rest of the debugger

struct kd_core kd;
static struct kdebug_kernel kernel;

size_t kd_mem_copy(void *to, const void *from, size_t length)
{
    memcpy(to, from, length);
    return length;
}

// -- helpers

static uint32_t random_state = 12345;
static uint32_t random_next(void)
{
    random_state = random_state * 1103515245 + 12345;
    return random_state >> 8;
}

static void fill(uint8_t *bytes, size_t length, bool noise)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] = noise ? (uint8_t)random_next() : (uint8_t)(i / 16);
}

static size_t unbase64(uint8_t *to, const char *text, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t out = 0;
    assert_int_equal(length % 4, 0);
    for (size_t i = 0; i < length; i += 4) {
        uint32_t group = 0;
        unsigned pads = 0;
        for (unsigned n = 0; n < 4; n++) {
            const char *at = text[i + n] == '=' ? NULL : strchr(digits, text[i + n]);
            pads += at == NULL;
            group = group << 6 | (at != NULL ? (uint32_t)(at - digits) : 0);
        }
        for (unsigned n = 0; n < 3 - pads; n++)
            to[out++] = (uint8_t)(group >> (16 - 8 * n));
    }
    return out;
}

static char printed[1 << 20];
static size_t printed_length;

static void print(struct kd_capsule_lines *lines, const char *text, size_t length)
{
    (void)lines;
    assert_true(printed_length + length < sizeof(printed));
    memcpy(printed + printed_length, text, length);
    printed_length += length;
    printed[printed_length] = '\0';
}

static struct kd_capsule_lines lines;
static struct kd_capsule_writer writer;

static void finish_block(struct kd_capsule_writer *from, const uint8_t *bytes, size_t length)
{
    assert_ptr_equal(from, &writer);
    kd_capsule_lines_block(&lines, bytes, length);
    kd_keep_block(bytes, length);
}

static void begin(uint32_t id)
{
    printed_length = 0;
    lines = (struct kd_capsule_lines){.write = print, .id = id};
    kd_capsule_init(&writer, id);
    writer.block = finish_block;
    kd_capsule_lines_begin(&lines);
}

// Reads the lines back into unpacked blocks, one after another; returns their length.
static size_t read_back(uint8_t *to)
{
    uint8_t block[sizeof(struct kd_capsule_block) + KD_CAPSULE_BLOCK_BYTES + 8];
    size_t length = 0, total = 0;
    unsigned number = 0;
    for (char *line = strtok(printed, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (line[0] != '~')
            continue;
        char *space = strrchr(line, ' ');
        assert_int_equal(strtoul(space + 1, NULL, 16),
                         crc32(0, (const Bytef *)line + 1, (uInt)(space - line - 1)));
        char expected[8];
        snprintf(expected, sizeof(expected), "%04x ", number++);
        assert_memory_equal(line + 2, expected, 5);
        if (line[1] == 'C')
            length = 0;
        length += unbase64(block + length, line + 7, (size_t)(space - line - 7));
        struct kd_capsule_block head;
        memcpy(&head, block, sizeof(head));
        if (length < sizeof(head) || length < sizeof(head) + head.packed_bytes)
            continue;
        assert_int_equal(length, sizeof(head) + head.packed_bytes);
        const char *body = (const char *)block + sizeof(head);
        if (head.method == KD_CAPSULE_LZ4) {
            assert_int_equal(LZ4_decompress_safe(body, (char *)to + total, head.packed_bytes,
                                                 KD_CAPSULE_BLOCK_BYTES),
                             head.raw_bytes);
        } else {
            assert_int_equal(head.packed_bytes, head.raw_bytes);
            memcpy(to + total, body, head.raw_bytes);
        }
        assert_int_equal(head.crc, crc32(0, to + total, head.raw_bytes));
        total += head.raw_bytes;
    }
    return total;
}

// -- tests

static void the_sum_is_zlibs(void **state)
{
    (void)state;
    uint8_t bytes[300];
    fill(bytes, sizeof(bytes), true);
    for (size_t length = 0; length <= sizeof(bytes); length++)
        assert_int_equal(kd_crc32(0, bytes, length), crc32(0, bytes, (uInt)length));
    uint32_t parts = kd_crc32(kd_crc32(0, bytes, 100), bytes + 100, 200);
    assert_int_equal(parts, crc32(0, bytes, sizeof(bytes)));
}

static void base64_comes_back(void **state)
{
    (void)state;
    char text[64];
    assert_int_equal(kd_base64(text, (const uint8_t *)"foobar", 4), 8); // RFC 4648, chapter 10
    assert_memory_equal(text, "Zm9vYg==", 8);
    uint8_t bytes[40], back[48];
    for (size_t length = 0; length <= sizeof(bytes); length++) {
        fill(bytes, length, true);
        assert_int_equal(kd_base64(text, bytes, length), KD_BASE64_CHARACTERS(length));
        assert_int_equal(unbase64(back, text, KD_BASE64_CHARACTERS(length)), length);
        assert_memory_equal(back, bytes, length);
    }
}

static void records_come_back_from_the_lines(void **state)
{
    (void)state;
    static uint8_t back[1 << 18];
    begin(0xabcd1234);
    for (unsigned i = 0; i < 200; i++) {
        size_t length = 1 + random_next() % 900;
        uint8_t *body = kd_capsule_reserve(&writer, KD_CAPSULE_TEXT, length);
        for (size_t n = 0; n < length; n++)
            assert_int_equal(body[n], 0);
        random_state = i; // so that the reader can make the same
        fill(body, length, i % 3 == 0);
        kd_capsule_commit(&writer, length);
        random_state = i * 7919 + length;
    }
    kd_capsule_flush(&writer);
    kd_capsule_lines_end(&lines);
    assert_memory_equal(printed, "begin panic capsule 1 abcd1234\n", 31);
    char end[64];
    snprintf(end, sizeof(end), "\nend panic capsule abcd1234 %u\n", lines.count);
    assert_non_null(strstr(printed, end));

    size_t total = read_back(back), at = 0;
    unsigned count = 0;
    while (at < total) {
        struct kd_capsule_record record;
        memcpy(&record, back + at, sizeof(record));
        assert_int_equal(record.type, KD_CAPSULE_TEXT);
        uint8_t expected[1000];
        random_state = count;
        fill(expected, record.bytes, count % 3 == 0);
        assert_memory_equal(back + at + sizeof(record), expected, record.bytes);
        at += (sizeof(record) + record.bytes + 7) / 8 * 8;
        count++;
    }
    assert_int_equal(count, 200);
    assert_true(writer.packed_bytes < writer.raw_bytes);
}

static void noise_is_stored(void **state)
{
    (void)state;
    static uint8_t back[2 * KD_CAPSULE_BLOCK_BYTES];
    begin(1);
    size_t room = kd_capsule_room(&writer);
    assert_int_equal(room, KD_CAPSULE_BLOCK_BYTES - sizeof(struct kd_capsule_record));
    fill(kd_capsule_reserve(&writer, KD_CAPSULE_MEMORY, room), room, true);
    kd_capsule_commit(&writer, room);
    assert_int_equal(kd_capsule_room(&writer), 0);
    kd_capsule_flush(&writer);
    assert_int_equal(writer.packed_bytes, KD_CAPSULE_BLOCK_BYTES);
    assert_int_equal(read_back(back), KD_CAPSULE_BLOCK_BYTES);
}

static void what_is_not_committed_leaves_no_trace(void **state)
{
    (void)state;
    static uint8_t back[KD_CAPSULE_BLOCK_BYTES];
    begin(2);
    memset(kd_capsule_reserve(&writer, KD_CAPSULE_MEMORY, 500), 0x55, 500);
    memset(kd_capsule_reserve(&writer, KD_CAPSULE_TEXT, 100), 'a', 100);
    kd_capsule_commit(&writer, 3);
    kd_capsule_flush(&writer);
    assert_int_equal(read_back(back), 16);
    assert_memory_equal(back + 8, "aaa\0\0\0\0", 8);
    assert_null(memchr(back, 0x55, 16));
    assert_null(kd_capsule_reserve(&writer, KD_CAPSULE_TEXT, KD_CAPSULE_BLOCK_BYTES));
}

// -- kept

static uint8_t memory[16384];
static const char report[] = "\nPANIC: why\ncpu 0\nend of panic report\n";

static void keep_one(size_t size)
{
    kernel.keep = memory;
    kernel.keep_bytes = size;
    kd.kernel = &kernel;
    begin(7);
    kd_keep_begin(7);
    kd_keep_report(report, 5);
    kd_keep_report(report + 5, sizeof(report) - 1 - 5);
    kd_keep_seal(0);
    for (unsigned i = 0; i < 8; i++) {
        fill(kd_capsule_reserve(&writer, KD_CAPSULE_MEMORY, 1000), 1000, true);
        kd_capsule_commit(&writer, 1000);
    }
    kd_capsule_flush(&writer);
    kd_capsule_lines_end(&lines);
    kd_keep_seal(lines.count);
}

static void what_is_kept_is_printed_again(void **state)
{
    (void)state;
    keep_one(sizeof(memory));
    struct kd_kept kept;
    assert_int_equal(kd_kept_find(memory, sizeof(memory), &kept), KD_KEPT_WHOLE);
    assert_false(kept.truncated);
    char reason[8];
    kd_kept_reason(&kept, reason, sizeof(reason));
    assert_string_equal(reason, "why");
    static char again[sizeof(printed)];
    struct kd_text text;
    kd_text_init(&text, again, sizeof(again));
    kd_kept_print_report(&kept, &text);
    assert_string_equal(again, report);
    kd_text_init(&text, again, sizeof(again));
    kd_kept_print_capsule(&kept, &text);
    assert_string_equal(again, printed);
    kd_kept_clear(memory, sizeof(memory));
    assert_int_equal(kd_kept_find(memory, sizeof(memory), &kept), KD_KEPT_NOTHING);
}

static void every_damage_is_noticed(void **state)
{
    (void)state;
    struct kd_kept kept;
    keep_one(sizeof(memory));
    assert_int_equal(kd_kept_find(memory, sizeof(memory), &kept), KD_KEPT_WHOLE);
    size_t whole = sizeof(struct kd_capsule_kept) + kept.report_bytes + kept.block_bytes;
    for (size_t i = 0; i < whole; i += i < 200 ? 1 : 97) {
        memory[i] ^= 0x10;
        // Without its mark it is anything.
        assert_int_equal(kd_kept_find(memory, sizeof(memory), &kept),
                         i < sizeof(uint64_t) ? KD_KEPT_NOTHING : KD_KEPT_DAMAGED);
        memory[i] ^= 0x10;
    }
    assert_int_equal(kd_kept_find(memory, whole - 1, &kept), KD_KEPT_DAMAGED);
    assert_int_equal(kd_kept_find(memory, whole, &kept), KD_KEPT_WHOLE);
    assert_int_equal(kd_kept_find(memory, 10, &kept), KD_KEPT_NOTHING);
    assert_int_equal(kd_kept_find(NULL, 0, &kept), KD_KEPT_NOTHING);
}

static void a_small_memory_keeps_the_beginning(void **state)
{
    (void)state;
    struct kd_kept kept;
    keep_one(6000);
    assert_int_equal(kd_kept_find(memory, 6000, &kept), KD_KEPT_WHOLE);
    assert_true(kept.truncated);
    assert_int_equal(kept.report_bytes, sizeof(report) - 1);
    assert_true(kept.block_bytes > 0);
    keep_one(0);
    assert_int_equal(kd_kept_find(memory, 0, &kept), KD_KEPT_NOTHING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sum_is_zlibs),
        cmocka_unit_test(base64_comes_back),
        cmocka_unit_test(records_come_back_from_the_lines),
        cmocka_unit_test(noise_is_stored),
        cmocka_unit_test(what_is_not_committed_leaves_no_trace),
        cmocka_unit_test(what_is_kept_is_printed_again),
        cmocka_unit_test(every_damage_is_noticed),
        cmocka_unit_test(a_small_memory_keeps_the_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
