// SPDX-License-Identifier: MIT
// The parts gdbstub is made of, each alone: the cursor stays inside its bytes and remembers its
// first error; the writer never overflows and its window shows exactly the bytes asked for; the
// packet tables are complete; the sniffer lets through a console and holds back only what can
// still be a packet.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gdbstub/commands.h"

// -- cursor -----------------------------------------------------------------------------------

static struct gdb_cursor cursor_at(const char *text)
{
    struct gdb_cursor cursor;

    gdb_cursor_init(&cursor, (const uint8_t *)text, strlen(text));
    return cursor;
}

static void cursor_reads_hex_up_to_64_bits(void **state)
{
    struct gdb_error error;

    (void)state;
    struct gdb_cursor cursor = cursor_at("ffffFFFFffffffff,0000000000000000000001f");
    assert_true(gdb_cursor_hex(&cursor, "address") == UINT64_MAX);
    gdb_cursor_expect(&cursor, ',');
    assert_int_equal(gdb_cursor_hex(&cursor, "length"), 0x1f);
    assert_int_equal(gdb_cursor_end(&cursor, &error), 0);

    cursor = cursor_at("10000000000000000");
    gdb_cursor_hex(&cursor, "address");
    assert_int_equal(gdb_cursor_end(&cursor, &error), -EINVAL);
}

static void cursor_stops_at_its_first_error_and_names_it(void **state)
{
    struct gdb_cursor cursor = cursor_at("10,zz");
    struct gdb_error error;

    (void)state;
    gdb_cursor_hex(&cursor, "address");
    gdb_cursor_expect(&cursor, ',');
    assert_int_equal(gdb_cursor_hex(&cursor, "length"), 0);
    gdb_cursor_expect(&cursor, ':');
    assert_int_equal(gdb_cursor_peek(&cursor), -1);
    assert_false(gdb_cursor_accept(&cursor, 'z'));
    assert_int_equal(gdb_cursor_end(&cursor, &error), -EINVAL);
    assert_string_equal(error.text, "length expected at 'zz'");
}

static void cursor_refuses_what_is_left_over(void **state)
{
    struct gdb_cursor cursor = cursor_at("1;");
    struct gdb_error error;

    (void)state;
    gdb_cursor_hex(&cursor, "thread");
    assert_int_equal(gdb_cursor_end(&cursor, &error), -EINVAL);
    assert_string_equal(error.text, "end of packet expected at ';'");
}

static void cursor_knows_threads(void **state)
{
    (void)state;
    struct gdb_cursor cursor = cursor_at("-1");
    assert_int_equal(gdb_cursor_thread(&cursor), GDB_THREAD_ALL);
    cursor = cursor_at("1f");
    assert_int_equal(gdb_cursor_thread(&cursor), 0x1f);
    cursor = cursor_at("ffffffffffffffff");
    gdb_cursor_thread(&cursor);
    assert_non_null(cursor.expected);
    cursor = cursor_at("-2");
    gdb_cursor_thread(&cursor);
    assert_non_null(cursor.expected);
}

static void cursor_decodes_bytes_where_they_lie(void **state)
{
    char text[] = "68656c6C6f";
    struct gdb_cursor cursor = cursor_at(text);

    (void)state;
    gdb_cursor_bytes(&cursor, text, 5);
    assert_null(cursor.expected);
    assert_memory_equal(text, "hello", 5);
}

static void cursor_refuses_half_a_byte(void **state)
{
    struct gdb_cursor cursor = cursor_at("123");
    uint8_t bytes[2];

    (void)state;
    gdb_cursor_bytes(&cursor, bytes, 2);
    assert_non_null(cursor.expected);
}

// -- writer -----------------------------------------------------------------------------------

static void writer_drops_what_does_not_fit(void **state)
{
    char bytes[4] = "...";
    struct gdb_writer writer;

    (void)state;
    gdb_writer_init(&writer, bytes, 3);
    gdb_put_text(&writer, "abcdef");
    assert_int_equal(writer.length, 3);
    assert_true(writer.full);
    assert_string_equal(bytes, "abc");
}

static void writer_writes_numbers(void **state)
{
    char bytes[64];
    struct gdb_writer writer;

    (void)state;
    gdb_writer_init(&writer, bytes, sizeof bytes);
    gdb_put_hex(&writer, 0);
    gdb_put_char(&writer, ' ');
    gdb_put_hex(&writer, UINT64_MAX);
    gdb_put_char(&writer, ' ');
    gdb_put_decimal(&writer, 0);
    gdb_put_char(&writer, ' ');
    gdb_put_decimal(&writer, UINT64_MAX);
    gdb_put_char(&writer, '\0');
    assert_string_equal(bytes, "0 ffffffffffffffff 0 18446744073709551615");
}

static const char document[] = "<a>#$}*</a>0123456789";

// The document put together from windows of `step` bytes must be the document.
static void windows_join(size_t step, size_t capacity)
{
    char joined[sizeof document] = "";
    size_t length = 0;

    for (int parts = 0; parts < 100; parts++) {
        uint8_t bytes[64];
        struct gdb_writer writer;
        gdb_writer_init(&writer, bytes, capacity);
        gdb_writer_window(&writer, length, step);
        gdb_put_text(&writer, document);
        assert_true(writer.length <= capacity);
        for (size_t i = 0; i < writer.length; i++) {
            bool escape = bytes[i] == '}';
            if (escape)
                i++;
            assert_true(length < sizeof joined - 1);
            joined[length++] = (char)(bytes[i] ^ (escape ? 0x20 : 0));
        }
        if (!writer.more)
            break;
    }
    joined[length] = '\0';
    assert_string_equal(joined, document);
}

static void writer_window_shows_any_part_of_a_document(void **state)
{
    (void)state;
    for (size_t step = 1; step <= sizeof document; step++)
        windows_join(step, 64);
}

static void writer_window_is_cut_where_the_buffer_ends(void **state)
{
    (void)state;
    // 2 is the smallest room that holds an escaped byte.
    for (size_t capacity = 2; capacity < 30; capacity++)
        windows_join(1000, capacity);
}

static void writer_window_behind_the_end_is_empty(void **state)
{
    uint8_t bytes[8];
    struct gdb_writer writer;

    (void)state;
    gdb_writer_init(&writer, bytes, sizeof bytes);
    gdb_writer_window(&writer, UINT64_MAX, UINT64_MAX);
    gdb_put_text(&writer, document);
    assert_int_equal(writer.length, 0);
    assert_false(writer.more);
}

static void an_error_keeps_the_words_of_the_target(void **state)
{
    struct gdb_error error = {.text = ""};

    (void)state;
    assert_int_equal(gdb_fail_at(&error, -EFAULT, "cannot read", 0x1000), -EFAULT);
    assert_string_equal(error.text, "cannot read 0x1000");
    assert_int_equal(gdb_fail(&error, -EIO, "other"), -EIO);
    assert_string_equal(error.text, "cannot read 0x1000");
}

static void a_long_error_is_cut_and_terminated(void **state)
{
    struct gdb_error error = {.text = ""};
    char text[300];

    (void)state;
    memset(text, 'e', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    gdb_fail(&error, -EIO, text);
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
}

// -- tables -----------------------------------------------------------------------------------

static void every_packet_has_a_handler_and_help(void **state)
{
    const struct gdb_packet *packet;
    size_t count = 0;

    (void)state;
    for (; (packet = gdb_packet_row(count)); count++) {
        assert_non_null(packet->handle);
        assert_true(strlen(packet->name) > 0);
        assert_true(strlen(packet->help) > 0);
    }
    assert_true(count > 25);
}

// The first row that matches is taken: one that takes any argument must not stand before a longer
// name that begins alike.
static void no_packet_hides_a_later_one(void **state)
{
    const struct gdb_packet *early, *late;

    (void)state;
    for (size_t i = 0; (early = gdb_packet_row(i)); i++) {
        for (size_t j = i + 1; (late = gdb_packet_row(j)); j++) {
            bool prefix = strncmp(late->name, early->name, strlen(early->name)) == 0;
            assert_false(prefix && !early->separators);
            assert_string_not_equal(early->name, late->name);
        }
    }
}

// -- sniffer ----------------------------------------------------------------------------------

// What a console sees of `text` that comes in through the sniffer, and whether a packet ended it.
static bool sniff_all(const char *text, size_t length, char *console, char *packet)
{
    struct gdb_sniffer sniffer;
    size_t shown = 0;
    bool found = false;

    gdb_sniff_reset(&sniffer);
    for (size_t i = 0; i < length; i++) {
        enum gdb_sniff_verdict verdict = gdb_sniff(&sniffer, (uint8_t)text[i]);
        if (verdict == GDB_SNIFF_HOLD)
            continue;
        found = verdict == GDB_SNIFF_PACKET;
        if (found) {
            memcpy(packet, sniffer.bytes, sniffer.length);
            packet[sniffer.length] = '\0';
        } else {
            memcpy(console + shown, sniffer.bytes, sniffer.length);
            shown += sniffer.length;
        }
        gdb_sniff_reset(&sniffer);
    }
    console[shown] = '\0';
    return found;
}

static void sniffer_finds_the_first_packet_of_a_gdb(void **state)
{
    static const char *const firsts[] = {"$qSupported:swbreak+#8b", "$?#3f", "$QStartNoAckMode#b0"};
    char line[64], console[128], packet[128];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        strcpy(line, "+");
        strcat(line, firsts[i]);
        assert_true(sniff_all(line, strlen(line), console, packet));
        assert_string_equal(console, "+");
        assert_string_equal(packet, firsts[i]);
    }
}

static void sniffer_leaves_a_console_alone(void **state)
{
    static const char typed[] = "echo $HOME $$ $q $? $qSup\recho $? # 3f\r$g#67\r$qSupported:\r";
    char console[128], packet[128];

    (void)state;
    assert_false(sniff_all(typed, strlen(typed), console, packet));
    assert_string_equal(console, typed);
}

static void sniffer_refuses_a_wrong_checksum(void **state)
{
    static const char damaged[] = "$qSupported:swbreak+#8c\r";
    char console[128], packet[128];

    (void)state;
    assert_false(sniff_all(damaged, strlen(damaged), console, packet));
    assert_string_equal(console, damaged);
}

static void sniffer_gives_up_on_a_packet_without_end(void **state)
{
    static char endless[3 * GDB_SNIFF_BYTES], console[sizeof endless + 1],
        packet[GDB_SNIFF_BYTES + 1];

    (void)state;
    memset(endless, 'a', sizeof endless);
    memcpy(endless, "$qSupported:", 12);
    assert_false(sniff_all(endless, sizeof endless, console, packet));
    assert_int_equal(strlen(console), sizeof endless);
}

static void sniffer_is_not_entered_by_noise(void **state)
{
    static char noise[1 << 20], console[sizeof noise + 1], packet[GDB_SNIFF_BYTES + 1];

    (void)state;
    srand(1); // any seed: the sequence is only to be the same every time
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (char)(rand() >> 8);
    assert_false(sniff_all(noise, sizeof noise, console, packet));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursor_reads_hex_up_to_64_bits),
        cmocka_unit_test(cursor_stops_at_its_first_error_and_names_it),
        cmocka_unit_test(cursor_refuses_what_is_left_over),
        cmocka_unit_test(cursor_knows_threads),
        cmocka_unit_test(cursor_decodes_bytes_where_they_lie),
        cmocka_unit_test(cursor_refuses_half_a_byte),
        cmocka_unit_test(writer_drops_what_does_not_fit),
        cmocka_unit_test(writer_writes_numbers),
        cmocka_unit_test(writer_window_shows_any_part_of_a_document),
        cmocka_unit_test(writer_window_is_cut_where_the_buffer_ends),
        cmocka_unit_test(writer_window_behind_the_end_is_empty),
        cmocka_unit_test(an_error_keeps_the_words_of_the_target),
        cmocka_unit_test(a_long_error_is_cut_and_terminated),
        cmocka_unit_test(every_packet_has_a_handler_and_help),
        cmocka_unit_test(no_packet_hides_a_later_one),
        cmocka_unit_test(sniffer_finds_the_first_packet_of_a_gdb),
        cmocka_unit_test(sniffer_leaves_a_console_alone),
        cmocka_unit_test(sniffer_refuses_a_wrong_checksum),
        cmocka_unit_test(sniffer_gives_up_on_a_packet_without_end),
        cmocka_unit_test(sniffer_is_not_entered_by_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
