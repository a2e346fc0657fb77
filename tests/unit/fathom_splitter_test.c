// SPDX-License-Identifier: MIT
// The contract of fathom/splitter.h: console text and packets that come mixed over one line reach
// the terminal and gdb unmixed and whole, however the bytes are cut into pieces, and what is typed
// never gets between gdb and a stopped machine.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fathom/splitter.h"

struct sink {
    char text[65536];
    size_t length;
};
static struct {
    struct splitter splitter;
    struct sink line, gdb, terminal;
} fixture;

static void put(struct sink *sink, const uint8_t *bytes, size_t length)
{
    assert_true(sink->length + length < sizeof(sink->text));
    memcpy(sink->text + sink->length, bytes, length);
    sink->length += length;
    sink->text[sink->length] = 0;
}

static void put_line(void *context, const uint8_t *bytes, size_t length)
{
    (void)context;
    put(&fixture.line, bytes, length);
}

static void put_gdb(void *context, const uint8_t *bytes, size_t length)
{
    (void)context;
    put(&fixture.gdb, bytes, length);
}

static void put_terminal(void *context, const uint8_t *bytes, size_t length)
{
    (void)context;
    put(&fixture.terminal, bytes, length);
}

static int start(void **state)
{
    (void)state;
    static const struct splitter_ends ends = {put_line, put_gdb, put_terminal};
    memset(&fixture, 0, sizeof(fixture));
    splitter_init(&fixture.splitter, &ends, NULL);
    return 0;
}

// Both cut their text into pieces of one byte: the hardest way it can arrive.
static void from_line(const char *text)
{
    for (; *text; text++)
        splitter_from_line(&fixture.splitter, (const uint8_t *)text, 1);
}

static void from_gdb(const char *text)
{
    for (; *text; text++)
        splitter_from_gdb(&fixture.splitter, (const uint8_t *)text, 1);
}

static void packet(char *to, size_t size, const char *body)
{
    uint8_t sum = 0;
    for (const char *at = body; *at; at++)
        sum = (uint8_t)(sum + (uint8_t)*at);
    snprintf(to, size, "$%s#%02x", body, sum);
}

static void gdb_says(const char *body)
{
    char text[1024];
    packet(text, sizeof(text), body);
    from_gdb(text);
}

static void kernel_says(const char *body)
{
    char text[1024];
    packet(text, sizeof(text), body);
    from_line(text);
}

static void typed(const char *text)
{
    splitter_from_terminal(&fixture.splitter, (const uint8_t *)text, strlen(text));
}

static void forget_output(void)
{
    fixture.line.length = fixture.gdb.length = fixture.terminal.length = 0;
    fixture.line.text[0] = fixture.gdb.text[0] = fixture.terminal.text[0] = 0;
}

static void attach_and_continue(void)
{
    gdb_says("?");
    from_line("+");
    kernel_says("T05thread:1;");
    from_gdb("+");
    gdb_says("vCont;c");
    from_line("+");
    forget_output();
}

static void without_gdb_everything_is_console(void **state)
{
    (void)state;
    from_line("cost: $5 #1 +-\n$O4142#89\n");
    assert_string_equal(fixture.terminal.text, "cost: $5 #1 +-\n$O4142#89\n");
    typed("ps $x#00\003\n");
    assert_string_equal(fixture.line.text, "ps $x#00\003\n");
}

static void packets_and_acks_go_to_gdb_and_text_between_them_to_the_terminal(void **state)
{
    (void)state;
    gdb_says("g");
    from_line("ab\n+");
    assert_string_equal(fixture.gdb.text, "+");
    from_line("$0011#c2c+");
    assert_string_equal(fixture.gdb.text, "+$0011#c2");
    assert_string_equal(fixture.terminal.text, "ab\nc+");
}

static void an_ack_behind_half_a_line_is_told_from_text_by_what_follows(void **state)
{
    (void)state;
    gdb_says("g");
    from_line("fathom> +");
    assert_true(splitter_holds(&fixture.splitter));
    from_line("$0011#c2");
    assert_string_equal(fixture.gdb.text, "+$0011#c2");
    assert_string_equal(fixture.terminal.text, "fathom> ");
    forget_output();
    gdb_says("g");
    from_line("prompt> +");
    splitter_idle(&fixture.splitter);
    assert_string_equal(fixture.gdb.text, "+");
    assert_string_equal(fixture.terminal.text, "prompt> ");
}

static void a_line_of_base64_loses_nothing_while_gdb_waits(void **state)
{
    (void)state;
    gdb_says("g");
    from_line("~c0017 D6AA+mIE++5w 12345678\n");
    assert_string_equal(fixture.terminal.text, "~c0017 D6AA+mIE++5w 12345678\n");
    assert_string_equal(fixture.gdb.text, "");
    from_line("+$0011#c2");
    assert_string_equal(fixture.gdb.text, "+$0011#c2");
}

static void an_answer_implies_the_ack_that_was_taken_for_text(void **state)
{
    (void)state;
    gdb_says("g");
    from_line("half a +line\n");
    kernel_says("0011");
    assert_string_equal(fixture.gdb.text, "+$0011#c2");
}

static void console_packets_reach_gdb_whole_and_the_terminal_as_text(void **state)
{
    (void)state;
    attach_and_continue();
    kernel_says("O68690a");
    assert_string_equal(fixture.gdb.text, "$O68690a#bd");
    assert_string_equal(fixture.terminal.text, "hi\n");
}

static void run_lengths_in_console_text_are_expanded(void **state)
{
    (void)state;
    attach_and_continue();
    kernel_says("O2d2d3* 0a"); // '3', then '*' and ' ' (32 - 29 = 3 more)
    assert_string_equal(fixture.terminal.text, "--33\n");
}

static void output_of_a_monitor_command_is_gdbs_alone(void **state)
{
    (void)state;
    gdb_says("qRcmd,7073");
    from_line("+");
    kernel_says("O68690a");
    kernel_says("OK");
    assert_string_equal(fixture.terminal.text, "");
}

static void typing_waits_while_the_machine_stands_still(void **state)
{
    (void)state;
    attach_and_continue();
    kernel_says("T05thread:1;");
    forget_output();
    typed("help\n");
    assert_string_equal(fixture.line.text, "");
    gdb_says("vCont;c");
    assert_string_equal(fixture.line.text, "$vCont;c#a8help\n");
}

static void an_interrupt_typed_during_a_conversation_is_not_gdbs(void **state)
{
    (void)state;
    attach_and_continue();
    typed("a\003b");
    assert_string_equal(fixture.line.text, "ab");
}

static void a_dollar_in_text_is_text_after_all(void **state)
{
    (void)state;
    attach_and_continue();
    from_line("price: $5");
    assert_string_equal(fixture.terminal.text, "price: ");
    assert_true(splitter_holds(&fixture.splitter));
    splitter_idle(&fixture.splitter);
    assert_string_equal(fixture.terminal.text, "price: $5");
}

static void a_dollar_before_a_packet_costs_nothing(void **state)
{
    (void)state;
    attach_and_continue();
    from_line("$5 $T05#b9");
    assert_string_equal(fixture.terminal.text, "$5 ");
    assert_string_equal(fixture.gdb.text, "$T05#b9");
    assert_true(splitter_stopped(&fixture.splitter));
}

static void a_damaged_reply_reaches_gdb_so_that_it_asks_again(void **state)
{
    (void)state;
    gdb_says("g");
    from_line("+");
    forget_output();
    from_line("$0011#c3");
    assert_string_equal(fixture.gdb.text, "$0011#c3");
    assert_string_equal(fixture.terminal.text, "");
}

static void a_detach_ends_the_conversation_with_its_answer(void **state)
{
    (void)state;
    gdb_says("D;1");
    from_line("+");
    kernel_says("OK");
    forget_output();
    from_line("$x+");
    assert_string_equal(fixture.terminal.text, "$x+");
    typed("\003");
    assert_string_equal(fixture.line.text, "\003");
}

static void without_acks_a_plus_is_text(void **state)
{
    (void)state;
    gdb_says("QStartNoAckMode");
    from_line("+");
    kernel_says("OK");
    gdb_says("vCont;c");
    forget_output();
    from_line("1+1");
    assert_string_equal(fixture.terminal.text, "1+1");
}

static void a_second_gdb_finds_the_machine_as_it_was_left(void **state)
{
    (void)state;
    gdb_says("g"); // killed before the answer came
    splitter_gdb_connected(&fixture.splitter);
    assert_true(splitter_stopped(&fixture.splitter));
    forget_output();
    gdb_says("?");
    from_line("+");
    kernel_says("T05");
    assert_string_equal(fixture.gdb.text, "+$T05#b9");
}

static void the_plus_gdb_greets_with_is_not_typed_on_the_console(void **state)
{
    (void)state;
    from_gdb("+");
    gdb_says("?");
    assert_string_equal(fixture.line.text, "$?#3f");
}

static void endless_text_behind_a_dollar_is_let_go(void **state)
{
    (void)state;
    attach_and_continue();
    from_line("$");
    for (size_t i = 0; i < 2 * SPLITTER_PACKET_BYTES; i++)
        from_line("x");
    assert_true(fixture.terminal.length >= 2 * SPLITTER_PACKET_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_gdb_everything_is_console, start),
        cmocka_unit_test_setup(an_ack_behind_half_a_line_is_told_from_text_by_what_follows, start),
        cmocka_unit_test_setup(a_line_of_base64_loses_nothing_while_gdb_waits, start),
        cmocka_unit_test_setup(an_answer_implies_the_ack_that_was_taken_for_text, start),
        cmocka_unit_test_setup(packets_and_acks_go_to_gdb_and_text_between_them_to_the_terminal,
                               start),
        cmocka_unit_test_setup(console_packets_reach_gdb_whole_and_the_terminal_as_text, start),
        cmocka_unit_test_setup(run_lengths_in_console_text_are_expanded, start),
        cmocka_unit_test_setup(output_of_a_monitor_command_is_gdbs_alone, start),
        cmocka_unit_test_setup(typing_waits_while_the_machine_stands_still, start),
        cmocka_unit_test_setup(an_interrupt_typed_during_a_conversation_is_not_gdbs, start),
        cmocka_unit_test_setup(a_dollar_in_text_is_text_after_all, start),
        cmocka_unit_test_setup(a_dollar_before_a_packet_costs_nothing, start),
        cmocka_unit_test_setup(a_damaged_reply_reaches_gdb_so_that_it_asks_again, start),
        cmocka_unit_test_setup(a_detach_ends_the_conversation_with_its_answer, start),
        cmocka_unit_test_setup(without_acks_a_plus_is_text, start),
        cmocka_unit_test_setup(a_second_gdb_finds_the_machine_as_it_was_left, start),
        cmocka_unit_test_setup(the_plus_gdb_greets_with_is_not_typed_on_the_console, start),
        cmocka_unit_test_setup(endless_text_behind_a_dollar_is_let_go, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
