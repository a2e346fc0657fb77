// SPDX-License-Identifier: MIT
// Logs that Linux wrote on three machines (tests/linux), and what becomes of them on the way: cut
// off, mixed with each other, with other prefixes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/report_logs.h"

static const char *const machines[] = {"aarch64", "x86_64"};
#define MACHINE_COUNT (sizeof(machines) / sizeof(*machines))

static struct text log_of(const char *machine, const char *what)
{
    char name[64];
    snprintf(name, sizeof(name), "linux-%s-%s", machine, what);
    return report_log(name);
}

static struct seen look_at_log(const char *machine, const char *what)
{
    struct text text = log_of(machine, what);
    struct seen seen = report_look(text);
    free(text.at);
    return seen;
}

// The same module went wrong in each. Which functions its own one was inlined into, and which ones
// enter the kernel, the machines differ in.
static void the_same_mistake_has_one_title_on_all_machines(void **state)
{
    (void)state;
    static const char *const mistakes[] = {"kasan-past", "kasan-freed",     "kasan-null",
                                           "lock-order", "sleep-in-atomic", "schedule-in-atomic"};
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(*mistakes); i++) {
        struct seen first = look_at_log(machines[0], mistakes[i]);
        struct seen second = look_at_log(machines[1], mistakes[i]);
        assert_int_equal(first.count, second.count);
        for (unsigned k = 0; k < first.count; k++)
            assert_string_equal(first.titles[k], second.titles[k]);
    }
}

static const char *line_end(const char *at)
{
    return at + strcspn(at, "\n") + (strchr(at, '\n') != NULL);
}

// The title of a log that ends early names the function of the whole one, or none yet.
static void check_cut(const struct expected *expected, const char *at, size_t length)
{
    struct seen seen = report_look((struct text){(char *)at, length});
    if (!seen.count)
        return;
    const char *function = strstr(seen.titles[0], " in ");
    if (function && strcmp(seen.titles[0], expected->title) != 0)
        fail_msg("%s, its first %zu bytes: %s", expected->file, length, seen.titles[0]);
}

static void a_log_that_is_cut_off_names_no_other_function(void **state)
{
    (void)state;
    for (size_t i = 0; i < report_log_count; i++) {
        if (!strstr(report_logs[i].facts, " 6.1.192 "))
            continue;
        struct text text = report_log(report_logs[i].file);
        for (const char *at = text.at; *at; at = line_end(at))
            check_cut(&report_logs[i], text.at, (size_t)(at - text.at));
        free(text.at);
    }
}

// One line of each in turn, as two CPUs print that know nothing of each other.
static struct text mixed(struct text a, struct text b)
{
    struct text out = {calloc(1, a.length + b.length + 1), 0};
    const char *from[] = {a.at, b.at};
    for (size_t turn = 0; *from[0] || *from[1]; turn ^= 1) {
        const char *end = line_end(from[turn]);
        memcpy(out.at + out.length, from[turn], (size_t)(end - from[turn]));
        out.length += (size_t)(end - from[turn]);
        from[turn] = end;
    }
    return out;
}

// The text with each `from` replaced; both have the same length.
static void replace(struct text text, const char *from, const char *to)
{
    size_t length = strlen(from);
    for (char *at = text.at; (at = strstr(at, from)); at += length)
        memcpy(at, to, length);
}

static void two_logs_at_once_are_taken_apart_by_their_callers(void **state)
{
    (void)state;
    for (size_t i = 0; i < MACHINE_COUNT; i++) {
        struct text one = log_of(machines[i], "kasan-past");
        struct text two = log_of(machines[i], "lock-order");
        struct seen first = report_look(one), second = report_look(two);
        replace(one, "[   T", "[  T1");
        struct text both = mixed(one, two);
        struct seen seen = report_look(both);
        assert_int_equal(seen.count, 2);
        // Their order is that of their first lines.
        bool swapped = strcmp(seen.signatures[0], first.signatures[0]) != 0;
        assert_string_equal(seen.signatures[swapped], first.signatures[0]);
        assert_string_equal(seen.signatures[!swapped], second.signatures[0]);
        free(one.at);
        free(two.at);
        free(both.at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_mistake_has_one_title_on_all_machines),
        cmocka_unit_test(a_log_that_is_cut_off_names_no_other_function),
        cmocka_unit_test(two_logs_at_once_are_taken_apart_by_their_callers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
