// SPDX-License-Identifier: MIT
// The contract of fathom/options.h: values land where the table says, and a mistake is answered
// with what was probably meant.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fathom/options.h"

struct values {
    const char *arch;
    unsigned cpus;
    bool wait;
    const char *style;
};
static const char *const arches[] = {"x86_64", "riscv64", NULL};
static const char *const styles[] = {"new", "old", NULL};
static const struct option_row rows[] = {
    {"arch", 'a', OPTION_STRING, offsetof(struct values, arch), "ARCH", "the machine", 0, 0,
     arches},
    {"cpus", 'c', OPTION_NUMBER, offsetof(struct values, cpus), "N", "how many", 1, 8, NULL},
    {"wait", 'w', OPTION_FLAG, offsetof(struct values, wait), NULL, "wait", 0, 0, NULL},
    {"style", 's', OPTION_OPTIONAL, offsetof(struct values, style), "STYLE", "style", 0, 0, styles},
    {0},
};
static const struct command command = {"run", "Runs.", NULL, rows, false, NULL};

static struct error *parse(struct values *values, int *operands, char **argv)
{
    int argc = 0;
    while (argv[argc])
        argc++;
    bool helped;
    return options_parse(&command, argc, argv, values, operands, &helped);
}
#define WORDS(...) ((char *[]){"run", __VA_ARGS__, NULL})

static void values_land_where_the_table_says(void **state)
{
    (void)state;
    struct values values = {0};
    int operands;
    assert_null(
        parse(&values, &operands, WORDS("--arch=riscv64", "-c", "8", "--wait", "--", "-x")));
    assert_string_equal(values.arch, "riscv64");
    assert_int_equal(values.cpus, 8);
    assert_true(values.wait);
    assert_int_equal(operands, 6);
}

static void a_value_may_be_left_out_where_the_table_says_so(void **state)
{
    (void)state;
    struct values values = {0};
    int operands;
    assert_null(parse(&values, &operands, WORDS("--style=new", "word")));
    assert_string_equal(values.style, "new");
    assert_int_equal(operands, 2);
    assert_null(parse(&values, &operands, WORDS("--style", "word")));
    assert_string_equal(values.style, "");
    assert_int_equal(operands, 2);
    assert_null(parse(&values, &operands, WORDS("-sw"))); // letters take none
    assert_string_equal(values.style, "");
}

static void expect_error(char **argv, const char *text)
{
    struct values values = {0};
    int operands;
    struct error *error = parse(&values, &operands, argv);
    assert_non_null(error);
    assert_string_equal(error_text(error), text);
    error_free(error);
}

static void mistakes_are_answered_with_what_was_meant(void **state)
{
    (void)state;
    expect_error(WORDS("--arhc", "x"), "unknown option '--arhc'; did you mean '--arch'?");
    expect_error(WORDS("--elephant"),
                 "unknown option '--elephant'; 'fathom run --help' lists them");
    expect_error(WORDS("--wiat=1"), "unknown option '--wiat=1'; did you mean '--wait'?");
    expect_error(WORDS("--cpus", "9"), "--cpus must be a number from 1 to 8, not '9'");
    expect_error(WORDS("--cpus", "-1"), "--cpus must be a number from 1 to 8, not '-1'");
    expect_error(WORDS("--cpus"), "--cpus needs a value");
    expect_error(WORDS("--style=odd"), "--style cannot be 'odd'; did you mean 'old'?");
    expect_error(WORDS("--arch", "riscv"), "--arch cannot be 'riscv'; did you mean 'riscv64'?");
}

static void options_may_stand_behind_operands_where_the_command_says_so(void **state)
{
    (void)state;
    static const struct option_row several[] = {
        {"exe", 'e', OPTION_LIST, 0, "FILE", "files", 0, 0, NULL},
        {0},
    };
    static const struct command mixed = {"decode", "Decodes.", NULL, several, true, NULL};
    char *argv[] = {"decode", "a.log", "-e", "k", "b.log", "--exe=m", NULL};
    struct option_list list = {0};
    int operands;
    bool helped;
    assert_null(options_parse(&mixed, 6, argv, &list, &operands, &helped));
    assert_int_equal(list.count, 2);
    assert_string_equal(list.at[0], "k");
    assert_string_equal(list.at[1], "m");
    assert_int_equal(operands, 4);
    assert_string_equal(argv[4], "a.log");

    char *wrong[] = {"decode", "a.log", "--exee", "k", NULL};
    struct error *error = options_parse(&mixed, 4, wrong, &list, &operands, &helped);
    assert_string_equal(error_text(error), "unknown option '--exee'; did you mean '--exe'?");
    error_free(error);
    option_list_deinit(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_land_where_the_table_says),
        cmocka_unit_test(a_value_may_be_left_out_where_the_table_says_so),
        cmocka_unit_test(mistakes_are_answered_with_what_was_meant),
        cmocka_unit_test(options_may_stand_behind_operands_where_the_command_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
