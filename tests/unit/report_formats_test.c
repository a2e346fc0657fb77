// SPDX-License-Identifier: MIT
// What is read out of the panics in tests/data/panics, which three kernels of ours and Debian's
// Linux have printed in QEMU, or which are written as theirs and others' are. No ELF file is at
// hand here: everything comes from the text.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <elf.h>
#include <jansson.h>

#include "symbolizer/report/writers.h"
#include "tests/unit/report_logs.h"

// -- the first report of each log -----------------------------------------------------------------

struct checked {
    const struct expected *expected;
    unsigned reports;
};

static const char *or_none(const char *text)
{
    return text ? text : "-";
}

static void check_facts(const struct report *report, const struct expected *expected)
{
    size_t stacks = 0;
    for (const struct report_stack *stack = &report->first_stack; stack; stack = stack->next)
        stacks++;
    char facts[256];
    snprintf(facts, sizeof(facts), "%u %s cpu %d %s %s +%llx %zu:%zu", report->machine,
             report->kind, report->cpu, or_none(report->task), or_none(report->version),
             (unsigned long long)report->slide, stacks, report->first_stack.count);
    assert_string_equal(facts, expected->facts);
}

static void check_names(const struct report *report, const struct expected *expected)
{
    char names[512] = "";
    size_t length = 0;
    const struct report_frame *frame = report->first_stack.first;
    for (; frame && length < strlen(expected->names); frame = frame->next_in_stack)
        if (!frame->unreliable)
            length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%s",
                                       length ? " " : "", frame->name ? frame->name : "?");
    assert_string_equal(names, expected->names);
}

static void check_report(void *context, const struct report *report)
{
    struct checked *checked = context;
    if (checked->reports++)
        return;
    check_facts(report, checked->expected);
    assert_string_equal(report->title, checked->expected->title);
    check_names(report, checked->expected);
    assert_false(report->corrupted);
}

static void check_logs(bool live, size_t step)
{
    for (size_t i = 0; i < report_log_count; i++) {
        struct checked checked = {&report_logs[i], 0};
        struct report_sink sink = {NULL, check_report, &checked};
        struct text text = report_log(report_logs[i].file);
        report_read(text, &sink, live, step);
        free(text.at);
        assert_true(checked.reports > 0);
    }
}

static void each_log_says_what_it_says(void **state)
{
    (void)state;
    check_logs(false, SIZE_MAX);
}

static void a_log_may_come_in_any_pieces_and_live(void **state)
{
    (void)state;
    check_logs(true, 1);
    check_logs(false, 7);
}

// -- noise ----------------------------------------------------------------------------------------

// The text with `what` put in before each line feed.
static struct text before_feeds(struct text text, const char *what)
{
    struct text out = {malloc(text.length * (strlen(what) + 2)), 0};
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] == '\n') {
            memcpy(out.at + out.length, what, strlen(what));
            out.length += strlen(what);
        }
        out.at[out.length++] = text.at[i];
    }
    return out;
}

static void ends_of_lines_and_foreign_lines_change_no_signature(void **state)
{
    (void)state;
    static const char *const between[] = {"\r", "\r\r", "\n\r\nlink is up\r", "\033[0m"};
    for (size_t i = 0; i < report_log_count; i++) {
        if (!strncmp(report_logs[i].file, "redox", 5)) // a name is whatever the next line holds
            continue;
        struct text text = report_log(report_logs[i].file);
        struct seen plain = report_look(text);
        for (size_t k = 0; k < 4; k++) {
            struct text noisy = before_feeds(text, between[k]);
            struct seen seen = report_look(noisy);
            assert_string_equal(seen.signatures[0], plain.signatures[0]);
            free(noisy.at);
        }
        free(text.at);
    }
}

static void a_report_without_its_end_is_told_to_be_cut(void **state)
{
    (void)state;
    struct text text = report_log("fathom-x86_64-null");
    char *log = strstr(text.at, "last log");
    struct seen seen = report_look((struct text){text.at, (size_t)(log - text.at)});
    assert_int_equal(seen.count, 1);
    assert_true(seen.corrupted[0]);
    assert_string_equal(seen.titles[0], "null pointer dereference in crash_null");
    free(text.at);
}

static void lost_bytes_lose_only_their_line(void **state)
{
    (void)state;
    struct text text = report_log("linux-x86_64-null");
    struct seen plain = report_look(text);
    // Far down the trace, behind what the signature is made of.
    char *name = strstr(text.at, "entry_SYSCALL");
    memset(name, '\001', 9);
    struct seen seen = report_look(text);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.signatures[0], plain.signatures[0]);
    free(text.at);
}

static void two_that_print_at_once_are_told_apart_by_the_caller(void **state)
{
    (void)state;
    struct seen seen =
        report_look_at("[    1.000001][  T10] BUG: kernel NULL pointer dereference, address: 0\n"
                       "[    1.000002][  T11] general protection fault, maybe: 0000 [#2]\n"
                       "[    1.000003][  T10] RIP: 0010:parcel_post+0x2/0x9\n"
                       "[    1.000004][  T11] RIP: 0010:parcel_weigh+0x2/0x9\n"
                       "[    1.000005][  T11] Call Trace:\n"
                       "[    1.000006][  T10] Call Trace:\n"
                       "[    1.000007][  T11]  one+0x1/0x2\n"
                       "[    1.000008][  T10]  two+0x1/0x2\n"
                       "[    1.000009][  T10] ---[ end trace 0000000000000000 ]---\n"
                       "[    1.000010][  T11] ---[ end trace 0000000000000000 ]---\n");
    assert_int_equal(seen.count, 2);
    assert_string_equal(seen.titles[0], "null pointer dereference in parcel_post");
    assert_string_equal(seen.titles[1], "general protection fault in parcel_weigh");
}

static void one_log_may_hold_many_reports(void **state)
{
    (void)state;
    struct text text = report_log("linux-x86_64-atomic-sleep");
    struct seen seen = report_look(text);
    assert_int_equal(seen.count, 2);
    assert_string_equal(seen.titles[0], "scheduling while atomic in msleep");
    assert_string_equal(seen.titles[1], "WARNING in do_one_initcall");
    free(text.at);
}

// On AArch64 and RISC-V the trace has the interrupted context as one line among others.
static void the_frame_below_an_exceptions_entry_is_exact(void **state)
{
    (void)state;
    struct text text = report_log("linux-riscv64-softirq-null");
    struct seen seen = report_look(text);
    assert_int_equal(seen.first.frames, 9);
    assert_int_equal(seen.first.exact, 2); // parcel_weigh and arch_cpu_idle
    free(text.at);
    text = report_log("freebsd-trap");
    assert_int_equal(report_look(text).first.exact, 1); // parcel_read, below calltrap
    free(text.at);
    text = report_log("freebsd-ddb");
    assert_int_equal(report_look(text).first.exact, 1); // parcel_poll, below calltrap
    free(text.at);
    text = report_log("freebsd-double-fault");
    assert_int_equal(report_look(text).first.exact, 1); // parcel_nest, by "--- trap"
    free(text.at);
    text = report_log("freebsd-arm64");
    assert_int_equal(report_look(text).first.exact, 1); // parcel_read, by "--- exception"
    free(text.at);
    text = report_log("freebsd-riscv");
    assert_int_equal(report_look(text).first.exact, 1);
    free(text.at);
}

// On x86-64 a trace tells the interrupted context as it tells the place of the fault, by RIP.
static void the_context_an_interrupt_came_into_is_exact(void **state)
{
    (void)state;
    struct seen seen =
        report_look_at("WARNING: CPU: 0 PID: 1 at a.c:1 tick+0x1/0x2\n"
                       "RIP: 0010:tick+0x1/0x2\nRAX: 0000000000000001 RBX: 0000000000000002\n"
                       "Call Trace:\n <IRQ>\n timer+0x1/0x2\n </IRQ>\n <TASK>\n"
                       " asm_sysvec_apic_timer_interrupt+0x1a/0x20\n"
                       "RIP: 0010:idle+0x1/0x2\nRAX: 0000000000000003\n"
                       " do_idle+0x1/0x2\n </TASK>\n---[ end trace 0 ]---\n");
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.first.frames, 5);
    assert_int_equal(seen.first.exact, 2);
}

static void signatures_know_neither_addresses_nor_machines_nor_compilers(void **state)
{
    (void)state;
    struct text x86 = report_log("fathom-x86_64-null"), arm = report_log("fathom-aarch64-null");
    struct seen first = report_look(x86), second = report_look(arm);
    assert_string_equal(first.signatures[0], second.signatures[0]);
    assert_string_equal(first.signatures[0], "fsig1:951cd41e5cd402f9");
    free(x86.at);
    free(arm.at);
    struct seen plain =
        report_look_at("WARNING: CPU: 0 PID: 1 at a.c:1 f+0x1/0x2\nRIP: 0010:f+0x1/0x2\n");
    struct seen cold = report_look_at("WARNING: CPU: 7 PID: 9 at a.c:5 f.cold+0x7/0x9\n"
                                      "RIP: 0010:f.constprop.0.cold+0x7/0x9\n");
    assert_string_equal(plain.signatures[0], cold.signatures[0]);
}

// -- what is written ------------------------------------------------------------------------------

static void the_log_comes_out_as_it_went_in_but_for_what_is_ours(void **state)
{
    (void)state;
    for (size_t i = 0; i < report_log_count; i++) {
        struct text text = report_log(report_logs[i].file);
        char *out = NULL;
        size_t length = 0;
        struct report_show show = {.to = open_memstream(&out, &length)};
        struct report_sink sink = report_text_sink(&show);
        report_read(text, &sink, false, SIZE_MAX);
        fclose(show.to);
        report_show_deinit(&show);
        const char *from = text.at;
        for (char *line = strtok(out, "\n"); line; line = strtok(NULL, "\n")) {
            if (!strncmp(line, "---  ", 5))
                continue;
            const char *found = strstr(from, line);
            assert_non_null(found);
            from = found + strlen(line);
        }
        free(out);
        free(text.at);
    }
}

static const char *const keys[] = {
    "schema", "ts",      "clock",   "host",       "boot_id",      "arch",
    "os",     "version", "git",     "build_id",   "kaslr_slide",  "cpu",
    "task",   "kind",    "title",   "alt_titles", "sig",          "sig_loose",
    "frames", "regs",    "log_ref", "corrupted",  "tool_version",
};
static const char *const frame_keys[] = {"i",       "build_id", "off",  "sym",
                                         "sym_off", "inl",      "file", "line"};

static void assert_keys(const json_t *object, const char *const *names, size_t count)
{
    assert_int_equal(json_object_size(object), count);
    for (size_t i = 0; i < count; i++)
        assert_non_null(json_object_get(object, names[i]));
}

static void json_has_the_schemas_keys_and_no_others(void **state)
{
    (void)state;
    for (size_t i = 0; i < report_log_count; i++) {
        struct text text = report_log(report_logs[i].file);
        char *out = NULL;
        size_t length = 0;
        struct report_show show = {.to = open_memstream(&out, &length), .log = "a.log"};
        struct report_sink sink = report_json_sink(&show);
        report_read(text, &sink, false, SIZE_MAX);
        fclose(show.to);
        json_t *object = json_loads(strtok(out, "\n"), 0, NULL);
        assert_keys(object, keys, sizeof(keys) / sizeof(*keys));
        assert_string_equal(json_string_value(json_object_get(object, "schema")), "fathom.panic/1");
        json_t *frames = json_object_get(object, "frames");
        for (size_t k = 0; k < json_array_size(frames); k++)
            assert_keys(json_array_get(frames, k), frame_keys, 8);
        json_t *place = json_object_get(object, "log_ref");
        size_t off = (size_t)json_integer_value(json_object_get(place, "off"));
        size_t len = (size_t)json_integer_value(json_object_get(place, "len"));
        assert_true(len > 0 && off + len <= text.length && (!off || text.at[off - 1] == '\n'));
        json_decref(object);
        free(out);
        free(text.at);
    }
}

static void html_lets_nothing_of_the_log_be_markup(void **state)
{
    (void)state;
    char log[] = "PANIC: <script>alert(1)</script>\n  #0 0x1 f<b>+0x1/0x2\nend of panic report\n";
    char *out = NULL;
    size_t length = 0;
    struct report_show show = {.to = open_memstream(&out, &length)};
    struct report_sink sink = report_html_sink(&show);
    report_read((struct text){log, strlen(log)}, &sink, false, SIZE_MAX);
    fclose(show.to);
    report_show_deinit(&show);
    assert_null(strstr(out, "<script>"));
    assert_null(strstr(out, "<b>"));
    assert_non_null(strstr(out, "&lt;script&gt;"));
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_log_says_what_it_says),
        cmocka_unit_test(a_log_may_come_in_any_pieces_and_live),
        cmocka_unit_test(ends_of_lines_and_foreign_lines_change_no_signature),
        cmocka_unit_test(a_report_without_its_end_is_told_to_be_cut),
        cmocka_unit_test(lost_bytes_lose_only_their_line),
        cmocka_unit_test(two_that_print_at_once_are_told_apart_by_the_caller),
        cmocka_unit_test(one_log_may_hold_many_reports),
        cmocka_unit_test(the_frame_below_an_exceptions_entry_is_exact),
        cmocka_unit_test(the_context_an_interrupt_came_into_is_exact),
        cmocka_unit_test(signatures_know_neither_addresses_nor_machines_nor_compilers),
        cmocka_unit_test(the_log_comes_out_as_it_went_in_but_for_what_is_ours),
        cmocka_unit_test(json_has_the_schemas_keys_and_no_others),
        cmocka_unit_test(html_lets_nothing_of_the_log_be_markup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
