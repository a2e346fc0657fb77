// SPDX-License-Identifier: MIT
// The contract of fathom/verdict.h: the exit status a console's text deserves.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fathom/verdict.h"

static enum exit_status status_of(const char *text)
{
    struct verdict verdict;
    verdict_init(&verdict);
    for (; *text; text++)
        verdict_console(&verdict, (const uint8_t *)text, 1);
    return verdict_status(&verdict);
}

static void a_quiet_console_is_done(void **state)
{
    (void)state;
    assert_int_equal(status_of("hello\r\nok then\r\nfathom> "), EXIT_DONE);
}

static void a_panic_is_told_however_the_tests_went(void **state)
{
    (void)state;
    assert_int_equal(status_of("1..1\r\nok 1 a\r\nPANIC: null pointer\r\n"), EXIT_PANICKED);
}

static void the_word_panic_within_a_line_is_no_panic(void **state)
{
    (void)state;
    assert_int_equal(status_of("echo PANIC: no\r\n"), EXIT_DONE);
}

static void tests_that_all_passed_are_done(void **state)
{
    (void)state;
    assert_int_equal(status_of("KTAP version 1\n1..2\nok 1 page\nok 2 heap # SKIP none\n"),
                     EXIT_DONE);
}

static void one_test_that_failed_is_a_failure(void **state)
{
    (void)state;
    assert_int_equal(status_of("1..2\nok 1 page\nnot ok 2 heap\n"), EXIT_FAILED);
}

static void nested_results_count_by_their_suite_only(void **state)
{
    (void)state;
    assert_int_equal(status_of("1..1\n    1..2\n    ok 1 a\n    ok 2 b\nok 1 suite\n"), EXIT_DONE);
}

static void a_plan_that_was_not_fulfilled_is_a_failure(void **state)
{
    (void)state;
    assert_int_equal(status_of("1..3\nok 1 page\nok 2 heap\n"), EXIT_FAILED);
}

static void a_plan_of_nothing_is_a_failure(void **state)
{
    (void)state;
    assert_int_equal(status_of("1..0\n# no test is called so\n"), EXIT_FAILED);
}

static void a_line_longer_than_the_buffer_does_no_harm(void **state)
{
    (void)state;
    char text[2000];
    memset(text, 'x', sizeof(text));
    memcpy(text + sizeof(text) - 14, "\nPANIC: late\n", 14);
    assert_int_equal(status_of(text), EXIT_PANICKED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quiet_console_is_done),
        cmocka_unit_test(a_panic_is_told_however_the_tests_went),
        cmocka_unit_test(the_word_panic_within_a_line_is_no_panic),
        cmocka_unit_test(tests_that_all_passed_are_done),
        cmocka_unit_test(one_test_that_failed_is_a_failure),
        cmocka_unit_test(nested_results_count_by_their_suite_only),
        cmocka_unit_test(a_plan_that_was_not_fulfilled_is_a_failure),
        cmocka_unit_test(a_plan_of_nothing_is_a_failure),
        cmocka_unit_test(a_line_longer_than_the_buffer_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
