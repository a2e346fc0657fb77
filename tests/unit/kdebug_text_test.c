// SPDX-License-Identifier: MIT
// The contract of kdebug/text.h: what it prints is what the C library prints for the conversions
// both have, and it never writes outside its buffer.
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kdebug/text.h"

// Formats the same arguments with both and compares text and returned length.
#define ASSERT_SAME(...)                                                                           \
    do {                                                                                           \
        char ours[256], theirs[256];                                                               \
        int our_length = kd_snprintf(ours, sizeof(ours), __VA_ARGS__);                             \
        int their_length = snprintf(theirs, sizeof(theirs), __VA_ARGS__);                          \
        assert_string_equal(ours, theirs);                                                         \
        assert_int_equal(our_length, their_length);                                                \
    } while (0)

static void numbers_print_as_in_the_c_library(void **state)
{
    (void)state;
    static const int values[] = {0, 1, -1, 7, 42, -42, 123456, INT_MAX, INT_MIN};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        int v = values[i];
        ASSERT_SAME("%d|%5d|%-5d|%05d|%+d|% d|%.3d|%8.3d|%-8.3d|%+05d", v, v, v, v, v, v, v, v, v,
                    v);
        ASSERT_SAME("%u|%x|%X|%#x|%#X|%08x|%#010x|%o|%#o|%.0x|%-#8x|", v, v, v, v, v, v, v, v, v, v,
                    v);
        ASSERT_SAME("%hhd|%hd|%hhu|%hx", v, v, v, v);
        ASSERT_SAME("%ld|%lx|%lld|%llu|%zu|%td|%jd", (long)v, (long)v, (long long)v,
                    (unsigned long long)v, (size_t)v, (ptrdiff_t)v, (intmax_t)v);
    }
    ASSERT_SAME("%ld %ld %lu", LONG_MIN, LONG_MAX, ULONG_MAX);
    ASSERT_SAME("%*d|%-*d|%.*d|%*d", 6, 42, 6, 42, 4, 42, -6, 42);
}

static void strings_and_characters_print_as_in_the_c_library(void **state)
{
    (void)state;
    ASSERT_SAME("%s|%10s|%-10s|%.2s|%5.1s|%c|%3c|%-3c|%%", "word", "word", "word", "word", "word",
                'x', 'y', 'z');
    const char unterminated[3] = {'a', 'b', 'c'};
    ASSERT_SAME("%.*s", 3, unterminated);
    ASSERT_SAME("%s%s", "", "");
}

static void a_pointer_always_has_sixteen_digits(void **state)
{
    (void)state;
    char text[64];
    kd_snprintf(text, sizeof(text), "%p %p", (void *)UINT64_C(0xffffffff80012345), NULL);
    assert_string_equal(text, "0xffffffff80012345 0x0000000000000000");
}

static void an_unknown_conversion_prints_as_it_stands(void **state)
{
    (void)state;
    char text[64];
    const char *format = "a %y b %5q %";
    kd_snprintf(text, sizeof(text), format, 1, 2);
    assert_string_equal(text, "a %y b %5q %");
    kd_snprintf(text, sizeof(text), "%s", (const char *)NULL);
    assert_string_equal(text, "(null)");
}

static void a_buffer_is_never_overrun_and_always_terminated(void **state)
{
    (void)state;
    for (size_t size = 0; size < 12; size++) {
        char text[16];
        memset(text, '#', sizeof(text));
        assert_int_equal(kd_snprintf(text, size, "%s-%d", "hello", 1234), 10);
        char whole[] = "hello-1234";
        for (size_t i = 0; i < sizeof(text); i++) {
            size_t kept = size == 0 ? 0 : (size - 1 < 10 ? size - 1 : 10);
            char expected = i < kept ? whole[i] : (i == kept && size > 0 ? '\0' : '#');
            assert_int_equal(text[i], expected);
        }
    }
}

static void collect(struct kd_text *text, const char *characters, size_t length)
{
    strncat(text->context, characters, length);
}

static void a_sink_gets_every_character_in_order(void **state)
{
    (void)state;
    for (size_t size = 1; size < 9; size++) {
        char all[128] = "";
        char buffer[8];
        struct kd_text text;
        kd_text_init_sink(&text, buffer, size < sizeof(buffer) ? size : sizeof(buffer), collect,
                          all);
        kd_text_printf(&text, "%s %d%c", "through a small buffer", 99, '!');
        kd_text_flush(&text);
        kd_text_flush(&text);
        assert_string_equal(all, "through a small buffer 99!");
        assert_int_equal(text.total, strlen(all));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_print_as_in_the_c_library),
        cmocka_unit_test(strings_and_characters_print_as_in_the_c_library),
        cmocka_unit_test(a_pointer_always_has_sixteen_digits),
        cmocka_unit_test(an_unknown_conversion_prints_as_it_stands),
        cmocka_unit_test(a_buffer_is_never_overrun_and_always_terminated),
        cmocka_unit_test(a_sink_gets_every_character_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
