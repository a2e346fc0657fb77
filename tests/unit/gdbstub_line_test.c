// SPDX-License-Identifier: MIT
// gdbstub on a bad line: framing, run-length encoding, acknowledgements, repeats, noise, Ctrl-C,
// and gdbs that die and come again. The rules under test stand at the top of gdbstub/session.c.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/gdbstub_chat.h"

struct fake fake;

static const struct gdb_stop trap = {.kind = GDB_STOP_SIGNAL, .signal = 5, .thread = 1};

static int fresh(void **state)
{
    (void)state;
    fake_init(&fake, &fake_tiny, 3);
    return 0;
}

static int greeted(void **state)
{
    fresh(state);
    ask("qSupported:swbreak+");
    take_raw();
    return 0;
}

// A gdb in no-ack mode.
static int reliable(void **state)
{
    greeted(state);
    ask("QStartNoAckMode");
    take_raw();
    return 0;
}

// -- framing ----------------------------------------------------------------------------------

static void checksums_are_of_what_is_on_the_line(void **state)
{
    (void)state;
    send_raw("$qAttached#8f");
    assert_string_equal(take_raw(), "+$1#31");
}

static void bytes_may_come_in_any_split(void **state)
{
    (void)state;
    for (const char *p = "+$qAttached#8f"; *p != '\0'; p++) {
        char one[2] = {*p, 0};
        assert_int_equal(fake.output_length, 0);
        send_raw(one);
    }
    assert_string_equal(take_raw(), "+$1#31");
}

// The text of a run of `count` equal characters, as memory bytes 0x55 in hex.
static void check_run(size_t count)
{
    char request[32];

    memset(fake.memory, 0x55, count / 2);
    snprintf(request, sizeof request, "m100000,%zx", count / 2);
    fake.output_length = 0;
    send_packet(request);
    const char *raw = take_raw();
    assert_null(strpbrk(raw + 2, "$+-"));
    assert_ptr_equal(strchr(raw, '#'), raw + strlen(raw) - 3);
    const char *at = raw + 1;
    const char *body = take_frame(&at);
    assert_int_equal(strlen(body), count);
    assert_int_equal(strspn(body, "5"), count);
    // 98 characters a group of three, never longer than the run itself.
    assert_true(strlen(raw) <= 5 + count);
    assert_true(strlen(raw) <= 5 + 3 * (count / 98 + 1) + 4);
    send_raw("+");
}

static void runs_of_every_length_are_encoded_within_the_rules(void **state)
{
    (void)state;
    for (size_t count = 2; count <= 600; count += 2)
        check_run(count);
}

static void unavailable_registers_are_encoded_too(void **state)
{
    // 16 x's: one and 15 more, which is the character 29 + 15.
    (void)state;
    send_packet("p2");
    const char *at = take_raw() + 1;
    assert_memory_equal(at, "$x*,#", 5);
}

// -- acknowledgement --------------------------------------------------------------------------

static void a_damaged_packet_is_refused_and_not_executed(void **state)
{
    (void)state;
    send_raw("$M100000,1:55#00");
    assert_string_equal(take_raw(), "-");
    send_raw("$M100000,1:55#zz");
    assert_string_equal(take_raw(), "-");
    assert_int_equal(fake.writes, 0);
    assert_string_equal(ask("M100000,1:55"), "OK");
}

static void a_refused_reply_is_sent_again(void **state)
{
    (void)state;
    send_packet("qC");
    assert_string_equal(take_raw(), "+$QC1#c5");
    send_raw("-");
    assert_string_equal(take_raw(), "$QC1#c5");
    send_raw("-+");
    assert_string_equal(take_raw(), "$QC1#c5");
}

static void an_acknowledged_reply_is_not_sent_again(void **state)
{
    (void)state;
    ask("qC");
    send_raw("-");
    assert_string_equal(take_raw(), "");
}

static void a_line_full_of_refusals_does_not_keep_us_busy(void **state)
{
    (void)state;
    send_packet("qC");
    take_raw();
    for (int i = 0; i < 1000; i++)
        send_raw("-");
    assert_true(strlen(take_raw()) <= 8 * strlen("$QC1#c5"));
    assert_string_equal(ask("qAttached"), "1");
}

static void without_acks_damage_is_dropped_in_silence(void **state)
{
    (void)state;
    send_raw("$qC#00");
    assert_string_equal(take_raw(), "");
    send_packet("qC");
    assert_string_equal(take_raw(), "$QC1#c5");
    send_raw("-");
    assert_string_equal(take_raw(), "");
}

static void the_last_acknowledged_reply_can_be_refused(void **state)
{
    (void)state;
    send_packet("QStartNoAckMode");
    assert_string_equal(take_raw(), "+$OK#9a");
    send_raw("-");
    assert_string_equal(take_raw(), "$OK#9a");
}

// -- repeats ----------------------------------------------------------------------------------

static void a_repeated_request_is_answered_once(void **state)
{
    (void)state;
    // Both lay in the FIFO: gdb lost patience with us.
    send_raw("$qC#b4$qC#b4");
    assert_string_equal(take_raw(), "+$QC1#c5+");
    send_raw("+");
    // The next request, and the same one asked anew, are not repeats.
    assert_string_equal(ask("qC"), "QC1");
    assert_string_equal(ask("qC"), "QC1");
}

static void a_repeated_greeting_is_answered_once(void **state)
{
    (void)state;
    // A gdb that waited for the machine to boot: it repeats itself, then refuses the silence.
    send_raw("+$qSupported#37$qSupported#37$qSupported#37---");
    const char *at = take_raw();
    assert_int_equal(*at++, '+');
    assert_non_null(take_frame(&at));
    assert_string_equal(at, "");
    assert_int_equal(fake.attaches, 1);
}

static void a_repeated_step_steps_once(void **state)
{
    (void)state;
    send_raw("$s#73$s#73");
    assert_int_equal(fake.resumes, 1);
    assert_string_equal(take_raw(), "++");
    gdb_report_stop(&fake.stub, &trap);
    take_raw();
    // Still the same one, later than the stop.
    send_raw("$s#73");
    assert_int_equal(fake.resumes, 1);
    assert_string_equal(take_raw(), "+");
}

static void a_lost_reply_to_a_repeat_can_be_asked_for(void **state)
{
    (void)state;
    send_packet("qC");
    take_raw();
    send_packet("qC");
    assert_string_equal(take_raw(), "+");
    send_raw("-");
    assert_string_equal(take_raw(), "$QC1#c5");
}

// gdb's '+' was lost, and the user steps again: we take it for a repeat, gdb waits.
static void ctrl_c_ends_the_wait_for_a_misjudged_step(void **state)
{
    (void)state;
    send_packet("s");
    gdb_report_stop(&fake.stub, &trap);
    take_raw();
    send_packet("s");
    assert_string_equal(take_raw(), "+");
    send_raw("\x03");
    assert_memory_equal(take_raw(), "$T05", 4);
    send_raw("\x03");
    assert_string_equal(take_raw(), "");
    send_raw("+");
    go("s");
    assert_int_equal(fake.resumes, 2);
}

// -- noise ------------------------------------------------------------------------------------

static void a_packet_too_long_is_an_error_and_the_next_one_works(void **state)
{
    static char body[3 * GDB_PACKET_BYTES];

    (void)state;
    memset(body, '0', sizeof body);
    memcpy(body, "M100000,1:", 10);
    assert_string_equal(ask_body(body, sizeof body), "E.packet longer than PacketSize");
    assert_string_equal(ask_body(body, GDB_PACKET_BYTES + 1), "E.packet longer than PacketSize");
    assert_memory_equal(ask_body(body, GDB_PACKET_BYTES), "E.as many bytes", 15);
    assert_int_equal(fake.writes, 0);
    send_raw("$M100000,1:0000");
    assert_string_equal(ask("qC"), "QC1");
}

static void the_largest_packet_is_accepted(void **state)
{
    static char body[GDB_PACKET_BYTES];
    size_t head = strlen("X100000,3ff4:");

    (void)state;
    memset(body, 'z', sizeof body);
    snprintf(body, sizeof body, "X100000,%zx:", sizeof body - head);
    body[head] = 'z';
    assert_int_equal(head, strlen("X100000,3ff3:"));
    assert_string_equal(ask_body(body, sizeof body), "OK");
    assert_int_equal(fake.memory[sizeof body - head - 1], 'z');
    assert_int_equal(fake.memory[sizeof body - head], 0);
}

static void a_packet_that_ends_in_an_escape_is_damaged(void **state)
{
    (void)state;
    send_body("X100000,1:}", 11);
    assert_string_equal(take_raw(), "-");
    send_body("}", 1);
    assert_string_equal(take_raw(), "-");
    assert_int_equal(fake.writes, 0);
    assert_string_equal(ask("qC"), "QC1");
}

// An 8-bit checksum alone would let one in 256 through.
static void binary_bytes_belong_into_x_packets_only(void **state)
{
    (void)state;
    send_body("M100000,1:55\x01", 13);
    assert_string_equal(take_raw(), "-");
    send_body("qC\x80", 3);
    assert_string_equal(take_raw(), "-");
}

static void a_new_packet_ends_a_truncated_one(void **state)
{
    (void)state;
    send_raw("$M100000,4:00");
    assert_string_equal(ask("qC"), "QC1");
    send_raw("$qC#b");
    assert_string_equal(ask("qC"), "QC1");
}

static void a_megabyte_of_noise_does_nothing(void **state)
{
    uint8_t noise[4096];

    (void)state;
    srand(2); // any seed: the sequence is only to be the same every time
    for (int block = 0; block < 256; block++) {
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (uint8_t)(rand() >> 8);
        gdb_receive(&fake.stub, noise, sizeof noise);
        fake.output_length = 0;
    }
    assert_int_equal(fake.writes + fake.resumes + fake.detaches + fake.kills + fake.restarts, 0);
    assert_int_equal(gdb_state(&fake.stub), GDB_STOPPED);
    assert_string_equal(ask("qC"), "QC1");
}

// Every damage of one byte to a packet that does something: dropped, flipped or doubled, it must
// not do anything else. A flip that the sum does not see does not exist: one byte changes it.
static void one_damaged_byte_never_writes(void **state)
{
    static const char good[] = "$M100000,2:1234#";
    char frame[32];

    (void)state;
    unsigned sum = 0;
    for (const char *p = good + 1; *p != '#'; p++)
        sum += (uint8_t)*p;
    snprintf(frame, sizeof frame, "%s%02x", good, sum & 255);
    for (size_t at = 1; at < strlen(good) - 1; at++) {
        for (int flip = 1; flip < 256; flip <<= 1) {
            char damaged[32];
            strcpy(damaged, frame);
            damaged[at] = (char)(damaged[at] ^ flip);
            if (damaged[at] == '\0')
                continue;
            send_raw(damaged);
            take_raw();
        }
    }
    assert_int_equal(fake.writes, 0);
    send_raw(frame);
    assert_int_equal(fake.writes, 1);
}

// -- running ----------------------------------------------------------------------------------

static void ctrl_c_is_seen_once(void **state)
{
    const struct gdb_stop interrupt = {.kind = GDB_STOP_SIGNAL, .signal = 2, .thread = 2};

    (void)state;
    go("c");
    assert_false(gdb_interrupt_pending(&fake.stub));
    send_raw("\x03\x03");
    assert_true(gdb_interrupt_pending(&fake.stub));
    assert_false(gdb_interrupt_pending(&fake.stub));
    assert_memory_equal(stopped(&interrupt), "T02thread:2;", 12);
    // One that crossed the stop reply is answered by it.
    send_raw("\x03");
    assert_string_equal(take_raw(), "");
    assert_false(gdb_interrupt_pending(&fake.stub));
}

static void a_stop_answers_the_ctrl_c_before_it(void **state)
{
    (void)state;
    go("c");
    send_raw("\x03");
    gdb_report_stop(&fake.stub, &trap);
    assert_false(gdb_interrupt_pending(&fake.stub));
}

static void ctrl_c_directly_behind_the_resume_is_seen(void **state)
{
    (void)state;
    send_raw("$c#63\x03");
    assert_true(gdb_interrupt_pending(&fake.stub));
}

static void ctrl_c_is_seen_behind_a_stray_dollar(void **state)
{
    (void)state;
    go("c");
    send_raw("$noise\x03");
    assert_true(gdb_interrupt_pending(&fake.stub));
    // And the packet that never was does not swallow what comes next.
    gdb_report_stop(&fake.stub, &trap);
    take_raw();
    send_raw("-");
    assert_memory_equal(take_raw(), "$T05", 4);
}

static void ctrl_c_of_nobody_is_not_heeded(void **state)
{
    (void)state;
    ask("D");
    send_raw("\x03");
    assert_false(gdb_interrupt_pending(&fake.stub));
}

static void packets_are_not_executed_while_running(void **state)
{
    (void)state;
    go("c");
    send_packet("M100000,1:55");
    send_packet("k");
    assert_string_equal(take_raw(), "++");
    assert_int_equal(fake.writes + fake.kills, 0);
    assert_false(gdb_interrupt_pending(&fake.stub));
}

static void the_console_speaks_while_running_only(void **state)
{
    (void)state;
    assert_int_equal(gdb_console_write(&fake.stub, "x", 1), -EAGAIN);
    go("c");
    assert_int_equal(gdb_console_write(&fake.stub, "hi\n", 3), 0);
    assert_string_equal(take_raw(), "$O68690a#bd");
    gdb_report_stop(&fake.stub, &trap);
    take_raw();
    assert_int_equal(gdb_console_write(&fake.stub, "x", 1), -EAGAIN);
    send_raw("++");
    ask("D");
    assert_int_equal(gdb_console_write(&fake.stub, "x", 1), -EAGAIN);
}

static void long_console_text_is_split(void **state)
{
    static char text[20000];

    (void)state;
    memset(text, 'U', sizeof text);
    go("c");
    assert_int_equal(gdb_console_write(&fake.stub, text, sizeof text), 0);
    const char *at = take_raw();
    size_t total = 0;
    for (const char *body; (body = take_frame(&at));) {
        assert_int_equal(body[0], 'O');
        assert_true(strlen(body) <= GDB_PACKET_BYTES);
        total += strlen(body + 1) / 2;
    }
    assert_int_equal(total, sizeof text);
}

// gdb acknowledges the text and the stop reply in turn; refusing the second must bring it again.
static void a_stop_reply_behind_console_text_can_be_refused(void **state)
{
    (void)state;
    go("c");
    gdb_console_write(&fake.stub, "hi\n", 3);
    gdb_report_stop(&fake.stub, &trap);
    take_raw();
    send_raw("+");
    send_raw("-");
    assert_memory_equal(take_raw(), "$T05", 4);
}

static void a_stop_nobody_waits_for_is_kept(void **state)
{
    const struct gdb_stop panic = {.kind = GDB_STOP_SIGNAL, .signal = 6, .thread = 3};

    (void)state;
    ask("D");
    gdb_report_stop(&fake.stub, &panic);
    assert_string_equal(take_raw(), "");
    assert_int_equal(gdb_state(&fake.stub), GDB_STOPPED);
    ask("qSupported");
    assert_memory_equal(ask("?"), "T06thread:3;", 12);
}

// -- operations that do not return ----------------------------------------------------------------

// What gdb gets when the target faults in `request` and the owner abandons it.
static const char *faulting(const char *request)
{
    jmp_buf out;

    fake.output_length = 0;
    fake.fault = &out;
    if (setjmp(out) == 0)
        send_packet(request);
    fake.fault = NULL;
    gdb_abandon(&fake.stub, "fault at $0x10#");
    return take_raw();
}

static void a_request_cut_short_is_answered_with_an_error(void **state)
{
    (void)state;
    assert_string_equal(faulting("g"), "+$E.fault at ?0x10?#2b");
    send_raw("-");
    assert_memory_equal(take_raw(), "$E.", 3);
    send_raw("+");
    assert_memory_equal(faulting("vCont;c"), "+$E.", 4);
    assert_int_equal(gdb_state(&fake.stub), GDB_STOPPED);
    send_raw("+");
    assert_string_equal(ask("qC"), "QC1");
}

static void what_has_its_answer_is_not_answered_again(void **state)
{
    (void)state;
    gdb_abandon(&fake.stub, "nothing was open");
    assert_string_equal(take_raw(), "");
    assert_string_equal(faulting("D"), "+$OK#9a");
    assert_false(gdb_attached(&fake.stub));
}

// -- one gdb after the other ------------------------------------------------------------------

static void a_second_gdb_begins_with_acks_again(void **state)
{
    (void)state;
    ask("Hg2");
    ask("Z0,100004,4");
    assert_int_equal(fake.attaches, 1);
    // The first one dies without a word.
    send_raw("+$qSupported:swbreak+#8b");
    const char *at = take_raw();
    assert_int_equal(*at++, '+');
    assert_non_null(strstr(take_frame(&at), "PacketSize"));
    send_raw("+");
    assert_int_equal(fake.attaches, 2);
    assert_false(fake.breakpoints[0].used);
    assert_string_equal(ask("qC"), "QC1");
    send_raw("$qC#00");
    assert_string_equal(take_raw(), "-");
}

static void a_second_gdb_stops_a_running_machine(void **state)
{
    (void)state;
    go("vCont;c");
    send_raw("+$qSupported:swbreak+#8b");
    assert_string_equal(take_raw(), "+");
    // It lost patience before the machine stood still.
    send_raw("$qSupported:swbreak+#8b");
    assert_string_equal(take_raw(), "+");
    assert_true(gdb_interrupt_pending(&fake.stub));
    assert_int_equal(gdb_console_write(&fake.stub, "x", 1), -EAGAIN);
    gdb_report_stop(&fake.stub, &trap);
    const char *at = take_raw();
    assert_non_null(strstr(take_frame(&at), "PacketSize"));
    assert_string_equal(at, "");
    assert_int_equal(fake.attaches, 2);
    send_raw("+");
    assert_memory_equal(ask("?"), "T05", 3);
}

static void lldb_may_do_without_acks_first(void **state)
{
    (void)state;
    assert_string_equal(ask("QStartNoAckMode"), "OK");
    fake.output_length = 0;
    send_packet("qSupported:xmlRegisters=i386");
    assert_memory_equal(take_raw(), "$Pack", 5);
    send_packet("qC");
    send_packet("qC");
    assert_string_equal(take_raw(), "$QC1#c5$QC1#c5");
}

static void after_a_detach_the_next_gdb_has_acks(void **state)
{
    (void)state;
    ask("D");
    send_raw("$qSupported#37");
    assert_string_equal(take_raw(), "+");
    assert_true(gdb_interrupt_pending(&fake.stub));
    gdb_report_stop(&fake.stub, &trap);
    const char *at = take_raw();
    assert_non_null(take_frame(&at));
    assert_true(gdb_attached(&fake.stub));
}

#define FRESH(test)    cmocka_unit_test_setup(test, fresh)
#define GREETED(test)  cmocka_unit_test_setup(test, greeted)
#define RELIABLE(test) cmocka_unit_test_setup(test, reliable)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GREETED(checksums_are_of_what_is_on_the_line),
        GREETED(bytes_may_come_in_any_split),
        GREETED(runs_of_every_length_are_encoded_within_the_rules),
        GREETED(unavailable_registers_are_encoded_too),
        GREETED(a_damaged_packet_is_refused_and_not_executed),
        GREETED(a_refused_reply_is_sent_again),
        GREETED(an_acknowledged_reply_is_not_sent_again),
        GREETED(a_line_full_of_refusals_does_not_keep_us_busy),
        RELIABLE(without_acks_damage_is_dropped_in_silence),
        GREETED(the_last_acknowledged_reply_can_be_refused),
        GREETED(a_repeated_request_is_answered_once),
        FRESH(a_repeated_greeting_is_answered_once),
        GREETED(a_repeated_step_steps_once),
        GREETED(a_lost_reply_to_a_repeat_can_be_asked_for),
        GREETED(ctrl_c_ends_the_wait_for_a_misjudged_step),
        GREETED(a_packet_too_long_is_an_error_and_the_next_one_works),
        GREETED(the_largest_packet_is_accepted),
        GREETED(a_packet_that_ends_in_an_escape_is_damaged),
        GREETED(binary_bytes_belong_into_x_packets_only),
        GREETED(a_new_packet_ends_a_truncated_one),
        GREETED(a_megabyte_of_noise_does_nothing),
        RELIABLE(a_megabyte_of_noise_does_nothing),
        GREETED(one_damaged_byte_never_writes),
        GREETED(ctrl_c_is_seen_once),
        GREETED(a_stop_answers_the_ctrl_c_before_it),
        GREETED(ctrl_c_directly_behind_the_resume_is_seen),
        GREETED(ctrl_c_is_seen_behind_a_stray_dollar),
        GREETED(ctrl_c_of_nobody_is_not_heeded),
        GREETED(packets_are_not_executed_while_running),
        GREETED(the_console_speaks_while_running_only),
        GREETED(long_console_text_is_split),
        GREETED(a_stop_reply_behind_console_text_can_be_refused),
        GREETED(a_stop_nobody_waits_for_is_kept),
        GREETED(a_request_cut_short_is_answered_with_an_error),
        GREETED(what_has_its_answer_is_not_answered_again),
        RELIABLE(a_second_gdb_begins_with_acks_again),
        GREETED(a_second_gdb_stops_a_running_machine),
        RELIABLE(a_second_gdb_stops_a_running_machine),
        FRESH(lldb_may_do_without_acks_first),
        GREETED(after_a_detach_the_next_gdb_has_acks),
        RELIABLE(after_a_detach_the_next_gdb_has_acks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
