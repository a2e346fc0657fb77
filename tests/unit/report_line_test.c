// SPDX-License-Identifier: MIT
// The contract of symbolizer/report/line.h: what comes out is printable, and the kernel's words
// are found behind whatever stands before them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "symbolizer/report/line.h"

static struct report_arena arena;

static const struct report_line *make(const char *text)
{
    report_arena_reset(&arena);
    return report_line_make(&arena, text, strlen(text));
}

#define assert_body(line, text)                                                                    \
    do {                                                                                           \
        assert_int_equal((line)->body.length, strlen(text));                                       \
        assert_memory_equal((line)->body.at, text, strlen(text));                                  \
    } while (0)

static void prefixes_are_passed_over_however_they_are_combined(void **state)
{
    (void)state;
    static const char *const before[] = {
        "",
        "  ",
        "<4>",
        "[    1.234567] ",
        "<6>[12345.000001] ",
        "[    1.234567][  T123] ",
        "[    1.234567] [C0] ",
        "Nov  2 21:30:01 board kernel: ",
        "Nov 22 21:30:01 board kernel: [   52.100001] ",
        "2026-11-22T21:30:01.123456+01:00 board kernel: ",
        "2026-11-22T20:30:01Z board kernel[0]: ",
        "[    1.234567] board kernel: ",
        "[21:30:01.123] ",
        "[2026-11-22 21:30:01] [    1.234567] ",
        "> [    1.234567] ",
        "> > ",
        "\xef\xbb\xbf[    1.234567] ",
        "6,1204,52100001,-;",
        "4,1204,52100001,-,caller=T7;",
        "kern  :warn  : [    1.234567] ",
        "[    1.234567 <    0.000012>] ",
        "[  +0.000012] ",
        "[Sun Nov 22 21:30:01 2026] ",
        "2026-11-22T20:30:01,123456+00:00 ",
        "2026-11-22T20:30:01.123456789Z [    1.234567] ",
        "Nov 22 21:30:01 ",
        "00:00:01 ",
        "00:00:01.123456 ",
        "[00012.345] 01024:01042> ",
        "105:",
        "   105\t[    1.234567] ",
    };
    for (size_t i = 0; i < sizeof(before) / sizeof(*before); i++) {
        char text[256];
        snprintf(text, sizeof(text), "%sOops: 0000 [#1] SMP", before[i]);
        assert_body(make(text), "Oops: 0000 [#1] SMP");
    }
}

static void what_prefixes_say_is_kept(void **state)
{
    (void)state;
    const struct report_line *line = make("<3>[  842.000101][ T1042] x");
    assert_true(line->has_time);
    assert_false(line->wall);
    assert_true(line->time_s > 842.0001 && line->time_s < 842.0002);
    assert_string_equal(line->caller, "T1042");
    line = make("4,1204,842000101,-,caller=C2;x");
    assert_true(line->has_time && !line->wall);
    assert_true(line->time_s > 842.0001 && line->time_s < 842.0002);
    assert_string_equal(line->caller, "C2");
    line = make("1970-01-02T01:00:00.5+01:00 board kernel: x");
    assert_true(line->wall);
    assert_true(line->time_s == 86400.5);
    assert_string_equal(line->host, "board");
}

static void words_in_brackets_that_are_no_prefix_stay(void **state)
{
    (void)state;
    assert_body(make("[<ffffffff81000000>] f+0x1/0x2"), "[<ffffffff81000000>] f+0x1/0x2");
    assert_body(make("[0000000000000018] pgd=0"), "[0000000000000018] pgd=0");
    assert_body(make("#0 0x1 f+0x0/0x1"), "#0 0x1 f+0x0/0x1");
    assert_body(make("1234567:89"), "1234567:89");
    assert_body(make("12,30 of 40;x"), "12,30 of 40;x");
    assert_body(make("[Sunday] f+0x0/0x1"), "[Sunday] f+0x0/0x1");
    assert_body(make("Mark 3 12:00 x"), "Mark 3 12:00 x");
}

static void a_line_glued_to_the_end_of_another_is_found_by_its_time(void **state)
{
    (void)state;
    assert_body(make("Booting from ROM..[    0.000000] PANIC: x"), "PANIC: x");
}

static void terminal_sequences_are_taken_out(void **state)
{
    (void)state;
    const struct report_line *line =
        make("\033[1;31mPANIC:\033[0m \033]0;title\a\033]8;;x\033\\null\033(B\033[?7l");
    assert_string_equal(line->text, "PANIC: null");
    assert_false(line->damaged);
    assert_string_equal(make("cut\033[12")->text, "cut");
    assert_string_equal(make("cut\033")->text, "cut");
}

static void other_controls_and_damage_are_shown(void **state)
{
    (void)state;
    const struct report_line *line = make("a\001b\177c\tz");
    assert_string_equal(line->text, "a\\x01b\\x7fc\tz");
    assert_true(line->damaged);
    assert_string_equal(make("\xff\xc3(\xe2\x82")->text, "\\xff\\xc3(\\xe2\\x82");
    assert_string_equal(make("\xc0\xaf \xed\xa0\x80 \xc2\x9b")->text,
                        "\\xc0\\xaf \\xed\\xa0\\x80 \\xc2\\x9b");
    assert_string_equal(make("gr\xc3\xbc\xc3\x9f")->text, "gr\xc3\xbc\xc3\x9f");
    assert_string_equal(make("a\xe2\x80\xaez")->text, "a\\xe2\\x80\\xaez");
}

static void zeros_of_a_silent_line_vanish(void **state)
{
    (void)state;
    report_arena_reset(&arena);
    const struct report_line *line = report_line_make(&arena, "\0\0PANIC: x\0", 11);
    assert_string_equal(line->text, "PANIC: x");
    assert_true(line->damaged);
}

static void patterns_match_the_beginning_and_capture(void **state)
{
    (void)state;
    struct report_match match;
    struct report_span text = {"CPU: 1 PID: 86 Comm: init Tainted: G", 36};
    assert_true(report_match("CPU: * PID: * Comm: * Tainted: ", text, &match));
    assert_true(report_span_is(match.captures[0], "1"));
    assert_true(report_span_is(match.captures[1], "86"));
    assert_true(report_span_is(match.captures[2], "init"));
    assert_true(report_span_is(match.rest, "G"));
    assert_true(report_match("CPU: *", text, &match));
    assert_int_equal(match.captures[0].length, 31);
    assert_false(report_match("PU: *", text, &match));
    assert_false(report_match("CPU: * Comm: * PID: ", text, &match));
    assert_true(report_match("", text, &match));
}

static void a_cursor_that_failed_gives_nothing(void **state)
{
    (void)state;
    struct report_cursor cursor = report_cursor("0xg 12", 6);
    assert_int_equal(report_hex(&cursor), 0);
    assert_true(cursor.failed);
    assert_int_equal(report_decimal(&cursor), 0);
    assert_int_equal(report_left(&cursor), 0);
    cursor = report_cursor("0123456789abcdef0", 17); // more than an address has
    report_hex(&cursor);
    assert_true(cursor.failed);
}

static int end(void **state)
{
    (void)state;
    report_arena_deinit(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefixes_are_passed_over_however_they_are_combined),
        cmocka_unit_test(what_prefixes_say_is_kept),
        cmocka_unit_test(words_in_brackets_that_are_no_prefix_stay),
        cmocka_unit_test(a_line_glued_to_the_end_of_another_is_found_by_its_time),
        cmocka_unit_test(terminal_sequences_are_taken_out),
        cmocka_unit_test(other_controls_and_damage_are_shown),
        cmocka_unit_test(zeros_of_a_silent_line_vanish),
        cmocka_unit_test(patterns_match_the_beginning_and_capture),
        cmocka_unit_test(a_cursor_that_failed_gives_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
