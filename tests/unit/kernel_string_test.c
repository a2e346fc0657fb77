// SPDX-License-Identifier: MIT
// The contract of kernel/lib/include/string.h: each function does what the C library's does, for
// every alignment of both arguments, and touches nothing beyond the bytes it was given. The
// kernel's functions are compiled into this file under other names.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define memcpy  kernel_memcpy
#define memmove kernel_memmove
#define memset  kernel_memset
#define memcmp  kernel_memcmp
#define memchr  kernel_memchr
#define strlen  kernel_strlen
#define strnlen kernel_strnlen
#define strcmp  kernel_strcmp
#define strncmp kernel_strncmp
#define strchr  kernel_strchr
#define strrchr kernel_strrchr
#define strstr  kernel_strstr
#define strlcpy kernel_strlcpy
#include "kernel/lib/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr
#undef strstr
#undef strlcpy

// Longer than the widest unrolled step (32 bytes) plus a word on either side.
#define LENGTH_MAX 80
#define ROOM       (LENGTH_MAX + 32)

static void fill(uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(i * 7 + 3);
}

static void copies_any_length_between_any_alignments(void **state)
{
    (void)state;
    for (size_t to = 0; to < 9; to++) {
        for (size_t from = 0; from < 9; from++) {
            for (size_t n = 0; n <= LENGTH_MAX; n++) {
                uint8_t source[ROOM], ours[ROOM], expected[ROOM];
                fill(source, ROOM);
                memset(ours, 0xee, ROOM);
                memset(expected, 0xee, ROOM);
                memcpy(expected + to, source + from, n);
                assert_ptr_equal(kernel_memcpy(ours + to, source + from, n), ours + to);
                assert_memory_equal(ours, expected, ROOM);
            }
        }
    }
}

static void moves_overlapping_bytes_in_both_directions(void **state)
{
    (void)state;
    for (size_t to = 0; to < 20; to++) {
        for (size_t from = 0; from < 20; from++) {
            for (size_t n = 0; n <= LENGTH_MAX; n++) {
                uint8_t ours[ROOM], expected[ROOM];
                fill(ours, ROOM);
                fill(expected, ROOM);
                memmove(expected + to, expected + from, n);
                assert_ptr_equal(kernel_memmove(ours + to, ours + from, n), ours + to);
                assert_memory_equal(ours, expected, ROOM);
            }
        }
    }
}

static void sets_exactly_the_bytes_it_was_given(void **state)
{
    (void)state;
    for (size_t to = 0; to < 9; to++) {
        for (size_t n = 0; n <= LENGTH_MAX; n++) {
            uint8_t ours[ROOM], expected[ROOM];
            fill(ours, ROOM);
            fill(expected, ROOM);
            memset(expected + to, 0x1a5, n); // only the low byte counts
            assert_ptr_equal(kernel_memset(ours + to, 0x1a5, n), ours + to);
            assert_memory_equal(ours, expected, ROOM);
        }
    }
}

static int sign(int x)
{
    return (x > 0) - (x < 0);
}

static void compares_bytes_as_unsigned(void **state)
{
    (void)state;
    static const char *const words[] = {"", "a", "ab", "abc", "b", "\x80", "\xff", "a\xff", "A"};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        for (size_t j = 0; j < ARRAY_SIZE(words); j++) {
            const char *a = words[i], *b = words[j];
            assert_int_equal(sign(kernel_strcmp(a, b)), sign(strcmp(a, b)));
            for (size_t n = 0; n < 5; n++)
                assert_int_equal(sign(kernel_strncmp(a, b, n)), sign(strncmp(a, b, n)));
            size_t shorter = MIN(strlen(a), strlen(b));
            assert_int_equal(sign(kernel_memcmp(a, b, shorter)), sign(memcmp(a, b, shorter)));
        }
    }
}

static void finds_characters_and_words(void **state)
{
    (void)state;
    const char *text = "serial over serial";
    assert_ptr_equal(kernel_strchr(text, 'r'), text + 2);
    assert_ptr_equal(kernel_strrchr(text, 'r'), text + 14);
    assert_null(kernel_strchr(text, 'x'));
    assert_null(kernel_strrchr(text, 'x'));
    assert_ptr_equal(kernel_strchr(text, '\0'), text + 18);
    assert_ptr_equal(kernel_strrchr(text, '\0'), text + 18);
    assert_ptr_equal(kernel_strstr(text, "over"), text + 7);
    assert_ptr_equal(kernel_strstr(text, ""), text);
    assert_null(kernel_strstr(text, "serials"));
    assert_ptr_equal(kernel_memchr(text, 'o', 18), text + 7);
    assert_null(kernel_memchr(text, 'o', 7));
    assert_ptr_equal(kernel_memchr("\xff", -1, 1) != NULL, true);
}

static void measures_no_further_than_it_may(void **state)
{
    (void)state;
    const char unterminated[3] = {'a', 'b', 'c'};
    assert_int_equal(kernel_strnlen(unterminated, 3), 3);
    assert_int_equal(kernel_strnlen("ab", 3), 2);
    assert_int_equal(kernel_strnlen("ab", 0), 0);
    assert_int_equal(kernel_strlen(""), 0);
    assert_int_equal(kernel_strlen("abc"), 3);
}

static void a_bounded_copy_always_terminates_and_tells_the_whole_length(void **state)
{
    (void)state;
    for (size_t size = 0; size < 9; size++) {
        char to[10];
        memset(to, '#', sizeof(to));
        assert_int_equal(kernel_strlcpy(to, "fathom", size), 6);
        for (size_t i = 0; i < sizeof(to); i++) {
            size_t kept = size == 0 ? 0 : MIN(size - 1, (size_t)6);
            char expected = i < kept ? "fathom"[i] : (i == kept && size > 0 ? '\0' : '#');
            assert_int_equal(to[i], expected);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_any_length_between_any_alignments),
        cmocka_unit_test(moves_overlapping_bytes_in_both_directions),
        cmocka_unit_test(sets_exactly_the_bytes_it_was_given),
        cmocka_unit_test(compares_bytes_as_unsigned),
        cmocka_unit_test(finds_characters_and_words),
        cmocka_unit_test(measures_no_further_than_it_may),
        cmocka_unit_test(a_bounded_copy_always_terminates_and_tells_the_whole_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
