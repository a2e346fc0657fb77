// SPDX-License-Identifier: MIT
// Every packet of gdbstub against the fake machine: what is right is done and answered, what is
// wrong changes nothing and names the argument, what is unknown gets the empty reply.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/gdbstub_chat.h"

struct fake fake;

static const char greeting[] = "qSupported:multiprocess+;swbreak+;hwbreak+;vContSupported+";

static int tiny(void **state)
{
    (void)state;
    fake_init(&fake, &fake_tiny, 3);
    ask(greeting);
    return 0;
}

static int large(void **state)
{
    (void)state;
    fake_init(&fake, &fake_x86_64, 40);
    ask(greeting);
    return 0;
}

// -- terms ------------------------------------------------------------------------------------

static void greeting_tells_what_we_can_do(void **state)
{
    (void)state;
    assert_string_equal(ask(greeting), "PacketSize=4000;QStartNoAckMode+;qXfer:features:read+;"
                                       "qXfer:threads:read+;swbreak+;hwbreak+;vContSupported+");
    assert_true(gdb_attached(&fake.stub));
}

static void unknown_packets_get_the_empty_reply(void **state)
{
    static const char *const unknown[] = {
        "vMustReplyEmpty",
        "qTStatus",
        "qOffsets",
        "qL1200000000000000000",
        "vFile:open",
        "qXfer:auxv:read::0,100",
        "Q",
        "vCont!",
        "qSupportedX",
        "Z9,100000,1",
        "Hx1",
        "vRun",
        "",
        "qRcmdX",
        "gg",
    };

    (void)state;
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        assert_string_equal(ask(unknown[i]), "");
}

static void small_questions_have_small_answers(void **state)
{
    (void)state;
    assert_string_equal(ask("qAttached"), "1");
    assert_string_equal(ask("qAttached:1"), "1");
    assert_string_equal(ask("qSymbol::"), "OK");
    assert_string_equal(ask("!"), "OK");
    assert_string_equal(ask("vCont?"), "vCont;c;C;s;S;r");
}

// -- threads ----------------------------------------------------------------------------------

static void threads_are_listed_in_one_packet(void **state)
{
    (void)state;
    assert_string_equal(ask("qfThreadInfo"), "m1,2,3");
    assert_string_equal(ask("qsThreadInfo"), "l");
    assert_string_equal(ask("qfThreadInfo"), "m1,2,3");
    assert_string_equal(ask("qC"), "QC1");
}

static void a_thread_is_described(void **state)
{
    // "worker/1: ready, CPU 1"
    (void)state;
    assert_string_equal(ask("qThreadExtraInfo,1"), "776f726b65722f313a2072656164792c204350552031");
    assert_string_equal(ask("qThreadExtraInfo,9"), "E02");
}

static void a_selected_thread_answers_for_itself(void **state)
{
    (void)state;
    fake_register_set(&fake, 2, 0, 0x12345678);
    assert_string_equal(ask("Hg2"), "OK");
    assert_string_equal(ask("p0"), "78563412");
    assert_string_equal(ask("qC"), "QC2");
    assert_string_equal(ask("Hg0"), "OK");
    assert_string_equal(ask("p0"), "00001000");
}

static void a_thread_that_is_not_there_is_refused(void **state)
{
    (void)state;
    assert_string_equal(ask("T3"), "OK");
    assert_string_equal(ask("T4"), "E.no thread 0x4");
    assert_string_equal(ask("Hg4"), "E.no thread 0x4");
    assert_string_equal(ask("vCont;s:4"), "E.no thread 0x4");
    assert_string_equal(ask("Hgzz"), "E.thread expected at 'zz'");
    assert_int_equal(fake.resumes, 0);
}

static void the_list_of_threads_is_xml_in_parts(void **state)
{
    char joined[8192] = "";
    size_t length = 0;
    char request[64];

    (void)state;
    for (;;) {
        snprintf(request, sizeof request, "qXfer:threads:read::%zx,32", length);
        const char *reply = ask(request);
        // No character of this document needs an escape.
        strcpy(joined + length, reply + 1);
        length += strlen(reply + 1);
        if (reply[0] == 'l')
            break;
        assert_int_equal(reply[0], 'm');
        assert_int_equal(strlen(reply), 1 + 0x32);
    }
    assert_ptr_equal(
        strstr(joined, "<threads><thread id=\"1\" name=\"worker/1\">ready, CPU 1</thr"), joined);
    assert_non_null(strstr(joined, "<thread id=\"2\" name=\"a&lt;b&gt;&amp;&quot;c&quot;\">"));
    assert_non_null(strstr(joined, "<thread id=\"28\" name=\"worker/40\">ready, CPU 0</thread>"
                                   "</threads>"));
}

// `fathom threads` of kdebug/gdb/fathom.gdb reads it.
static void where_all_threads_are_is_one_answer(void **state)
{
    struct gdb_stop stop = {.kind = GDB_STOP_SIGNAL, .signal = 5, .thread = 1};

    (void)state;
    go("vCont;s:1;c");
    stopped(&stop);
    fake_register_set(&fake, 2, fake.stub.machine->pc, 0x80201234);
    const char *reply = ask("qXfer:threads:read:places:0,1000");
    // Also after a step, when gdb's own list is brief.
    assert_non_null(strstr(reply, "<thread id=\"2\" name=\"a&lt;b&gt;&amp;&quot;c&quot;\" "
                                  "pc=\"80201234\">"));
    assert_string_equal(
        ask("qXfer:threads:read::0,1000"),
        "l<threads><thread id=\"1\"/><thread id=\"2\"/><thread id=\"3\"/></threads>");
}

static void the_first_list_after_a_stop_is_brief(void **state)
{
    struct gdb_stop stop = {.kind = GDB_STOP_SIGNAL, .signal = 5, .thread = 1};

    (void)state;
    go("vCont;s:1;c");
    stopped(&stop);
    assert_string_equal(
        ask("qXfer:threads:read::0,1000"),
        "l<threads><thread id=\"1\"/><thread id=\"2\"/><thread id=\"3\"/></threads>");
    assert_non_null(strstr(ask("qXfer:threads:read::0,1000"), "worker/3"));
    // gdb shows the name of the thread that hit a breakpoint.
    go("vCont;c");
    stopped(&stop);
    assert_string_equal(ask("qXfer:threads:read::0,1000"),
                        "l<threads><thread id=\"1\" name=\"worker/1\"/><thread id=\"2\"/>"
                        "<thread id=\"3\"/></threads>");
    assert_non_null(strstr(ask("qXfer:threads:read::0,1000"), "worker/3"));
}

// -- description ------------------------------------------------------------------------------

static void the_description_comes_from_the_register_table(void **state)
{
    (void)state;
    assert_string_equal(
        ask("qXfer:features:read:target.xml:0,4000"),
        "l<target><architecture>tiny</architecture><osabi>none</osabi>"
        "<feature name=\"tiny\"><reg name=\"pc\" bitsize=\"32\" type=\"code_ptr\"/>"
        "<reg name=\"sp\" bitsize=\"32\" type=\"data_ptr\"/>"
        "<reg name=\"f0\" bitsize=\"64\" group=\"float\"/></feature>"
        "<feature name=\"tiny.system\"><flags id=\"status\" size=\"2\"/>"
        "<reg name=\"status\" bitsize=\"16\" group=\"system\" save-restore=\"no\"/></feature>"
        "</target>");
}

static void only_target_xml_exists(void **state)
{
    (void)state;
    assert_string_equal(ask("qXfer:features:read:other.xml:0,100"),
                        "E.there is no annex but target.xml");
    assert_string_equal(ask("qXfer:features:read:target.xml:0"), "E.separator expected at the end");
    assert_string_equal(ask("qXfer:features:read:target.xml:ffffffffffffffff,ffffffffffffffff"),
                        "l");
}

// -- registers --------------------------------------------------------------------------------

static void registers_without_a_value_are_x(void **state)
{
    (void)state;
    fake_register_set(&fake, 1, 1, 0xaabbccdd);
    assert_string_equal(ask("g"), "00001000ddccbbaaxxxxxxxxxxxxxxxx");
    assert_string_equal(ask("p2"), "xxxxxxxxxxxxxxxx");
}

static void registers_are_written_and_read_back(void **state)
{
    (void)state;
    assert_string_equal(ask("P1=01020304"), "OK");
    assert_string_equal(ask("p1"), "01020304");
    assert_string_equal(ask("G0a0b0c0d11121314xxxxxxxxxxxxxxxx"), "OK");
    assert_string_equal(ask("g"), "0a0b0c0d11121314xxxxxxxxxxxxxxxx");
}

static void a_read_only_register_takes_the_value_it_has(void **state)
{
    (void)state;
    char request[32];
    snprintf(request, sizeof request, "P3=%s", ask("p3"));
    assert_string_equal(ask(request), "OK");
    assert_int_equal(fake.writes, 0);
}

static void wrong_register_writes_change_nothing(void **state)
{
    (void)state;
    assert_string_equal(ask("P3=0100"), "E.status cannot be written");
    assert_string_equal(ask("P2=0000000000000000"), "E.f0 cannot be written");
    assert_string_equal(ask("P1=0102"), "E.more hex digits expected at the end");
    assert_string_equal(ask("P1=0102030405"), "E.end of packet expected at '05'");
    assert_string_equal(ask("P4=00"), "E.no register 0x4");
    assert_string_equal(ask("pffffffffffffffff"), "E.no register 0xffffffffffffffff");
    assert_string_equal(ask("G0a0b0c0d111213"), "E.more hex digits expected at the end");
    assert_int_equal(fake.writes, 0);
    assert_string_equal(ask("p0"), "00001000");
}

// -- memory -----------------------------------------------------------------------------------

static void memory_is_read(void **state)
{
    (void)state;
    memcpy(fake.memory, "\x00\x7f\x80\xff", 4);
    assert_string_equal(ask("m100000,4"), "007f80ff");
}

static void a_read_over_the_end_is_short(void **state)
{
    (void)state;
    memset(fake.memory + FAKE_BYTES - 2, 0x5a, 2);
    assert_string_equal(ask("m10fffe,100"), "5a5a");
}

static void a_read_never_wraps_around(void **state)
{
    (void)state;
    assert_string_equal(ask("mfffffffffffffff8,100"), "E14");
    assert_int_equal(fake.read_wish, 8);
}

static void the_largest_read_fills_the_packet(void **state)
{
    (void)state;
    for (size_t i = 0; i < FAKE_BYTES; i++)
        fake.memory[i] = (uint8_t)(i * 7 + i / 251);
    const char *reply = ask("m100000,ffffffffffffffff");
    assert_int_equal(strlen(reply), GDB_PACKET_BYTES);
    for (size_t i = 0; i < GDB_PACKET_BYTES / 2; i++) {
        char digits[3] = {reply[2 * i], reply[2 * i + 1], 0};
        assert_int_equal(strtoul(digits, NULL, 16), fake.memory[i]);
    }
}

// gdb 13 takes any text in answer to m for data, so it gets a number unless it can do better.
static void a_failed_read_is_a_number_or_words(void **state)
{
    (void)state;
    assert_string_equal(ask("m10,4"), "E14");
    assert_string_equal(ask("mffffffffffffffff,ffff"), "E14");
    assert_string_equal(ask("m0,0"), "E22");
    assert_string_equal(ask("m,4"), "E22");
    assert_non_null(strstr(ask("qSupported:error-message+"), ";error-message+"));
    assert_string_equal(ask("m10,4"), "E.cannot read memory at 0x10");
    assert_string_equal(ask("m,4"), "E.address expected at ',4'");
}

static void memory_is_written_in_hex_and_in_binary(void **state)
{
    (void)state;
    assert_string_equal(ask("M100000,4:0102aBcD"), "OK");
    assert_memory_equal(fake.memory, "\x01\x02\xab\xcd", 4);
    assert_string_equal(ask("X100010,0:"), "OK");
    // Escaped: '#', '$', '}', '*'; plain: 0, 3, 0xff.
    assert_string_equal(ask_body("X100010,7:}\x03}\x04}\x5d}\x0a\x00\x03\xff", 21), "OK");
    assert_memory_equal(fake.memory + 0x10, "#$}*\x00\x03\xff", 7);
}

static void wrong_memory_writes_change_nothing(void **state)
{
    (void)state;
    assert_string_equal(ask("M10,1:00"), "E.cannot write memory at 0x10");
    assert_string_equal(ask("M108000,1:00"), "E.read-only memory at 0x108000");
    assert_string_equal(ask("M100000,2:00"), "E.as many bytes as announced expected at '00'");
    assert_string_equal(ask("M100000,1:0g"), "E.hex digit expected at '0g'");
    assert_string_equal(ask("X100000,4:abc"), "E.as many bytes as announced expected at 'abc'");
    assert_string_equal(ask("X100000,ffffffffffffffff:abc"),
                        "E.as many bytes as announced expected at 'abc'");
    assert_int_equal(fake.writes, 0);
}

// -- breakpoints ------------------------------------------------------------------------------

static void breakpoints_are_set_and_cleared(void **state)
{
    (void)state;
    for (int type = 0; type <= 4; type++) {
        char request[32];
        snprintf(request, sizeof request, "Z%d,100004,4", type);
        // The fake machine has no watchpoints that see reads only.
        assert_string_equal(ask(request), type == 3 ? "" : "OK");
        assert_string_equal(ask(request), type == 3 ? "" : "OK");
        assert_true(type == 3 || fake.breakpoints[0].type == (enum gdb_breakpoint_type)type);
        request[0] = 'z';
        assert_string_equal(ask(request), "OK");
        assert_string_equal(ask(request), "OK");
        assert_false(fake.breakpoints[0].used);
    }
}

static void impossible_breakpoints_say_why(void **state)
{
    (void)state;
    assert_string_equal(ask("Z0,10,4"), "E.no breakpoint possible at 0x10");
    assert_string_equal(ask("Z0,100000,3"), "E.no breakpoint has the length 0x3");
    assert_string_equal(ask("Z0,100000,100000004"), "E.no breakpoint has the length 0x100000004");
    assert_string_equal(ask("Z2,100000,0"), "E.no watchpoint has the length 0x0");
    assert_string_equal(ask("Z0,100000"), "E.separator expected at the end");
    for (int i = 0; i < FAKE_BREAKPOINTS; i++) {
        char request[32];
        snprintf(request, sizeof request, "Z0,%x,4", 0x100000 + 4 * i);
        assert_string_equal(ask(request), "OK");
    }
    assert_string_equal(ask("Z0,101000,4"), "E.all 16 breakpoints are in use");
}

// -- running ----------------------------------------------------------------------------------

static void check_resume(const char *packet, enum gdb_resume_action action, gdb_thread_t thread,
                         bool others_run)
{
    struct gdb_stop stop = {.kind = GDB_STOP_SIGNAL, .signal = 5, .thread = 1};

    go(packet);
    assert_int_equal(gdb_state(&fake.stub), GDB_RUNNING);
    assert_int_equal(fake.resumed.action, action);
    assert_int_equal(fake.resumed.thread, thread);
    assert_int_equal(fake.resumed.others_run, others_run);
    assert_non_null(stopped(&stop));
}

static void the_machine_is_let_go_as_asked(void **state)
{
    (void)state;
    check_resume("c", GDB_CONTINUE, 0, true);
    check_resume("s", GDB_STEP, 0, false);
    check_resume("vCont;c", GDB_CONTINUE, 0, true);
    check_resume("vCont;c:-1", GDB_CONTINUE, 0, true);
    check_resume("vCont;c:2", GDB_CONTINUE, 2, false);
    check_resume("vCont;s:2;c", GDB_STEP, 2, true);
    check_resume("vCont;s:2;c:-1", GDB_STEP, 2, true);
    check_resume("vCont;s:3", GDB_STEP, 3, false);
    check_resume("vCont;s", GDB_STEP, 0, false);
    check_resume("vCont;c:2;c", GDB_CONTINUE, 2, true);
    check_resume("vCont;r1000,1010:1;c", GDB_RANGE_STEP, 1, true);
    assert_int_equal(fake.resumed.range_start, 0x1000);
    assert_int_equal(fake.resumed.range_end, 0x1010);
    check_resume("C0b", GDB_CONTINUE, 0, true);
    assert_int_equal(fake.resumed.signal, 11);
    check_resume("vCont;S05:1;c", GDB_STEP, 1, true);
    assert_int_equal(fake.resumed.signal, 5);
    assert_string_equal(ask("Hc2"), "OK");
    check_resume("s", GDB_STEP, 2, false);
}

static void what_cannot_be_resumed_stays_stopped(void **state)
{
    static const char *const wrong[] = {
        "vCont;s:1;s:2", "vCont;s:1;s", "vCont;x", "vCont;", "vCont;s:", "vCont;r10",
        "vCont;r10,:1",  "vCont;s:1c",  "c1x",     "C",      "S",        "vCont",
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_memory_equal(ask(wrong[i]), "E.", 2);
    fake.refuse_resume = true;
    assert_string_equal(ask("vCont;c"), "E.the machine has burnt down");
    assert_int_equal(fake.resumes, 0);
    assert_int_equal(gdb_state(&fake.stub), GDB_STOPPED);
}

static void a_stop_tells_thread_reason_and_registers(void **state)
{
    static const struct {
        struct gdb_stop stop;
        const char *reply;
    } stops[] = {
        {{GDB_STOP_SIGNAL, 2, 2, 0}, "T02thread:2;0:00001000;1:00fe1000;"},
        {{GDB_STOP_SWBREAK, 5, 1, 0}, "T05thread:1;swbreak:;0:00001000;1:00ff1000;"},
        {{GDB_STOP_HWBREAK, 5, 1, 0}, "T05thread:1;hwbreak:;0:00001000;1:00ff1000;"},
        {{GDB_STOP_WATCH_WRITE, 5, 1, 0x1234}, "T05thread:1;watch:1234;0:00001000;1:00ff1000;"},
        {{GDB_STOP_WATCH_READ, 5, 1, 0x1234}, "T05thread:1;rwatch:1234;0:00001000;1:00ff1000;"},
        {{GDB_STOP_WATCH_ACCESS, 5, 1, 0x1234}, "T05thread:1;awatch:1234;0:00001000;1:00ff1000;"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++) {
        go("c");
        assert_string_equal(stopped(&stops[i].stop), stops[i].reply);
        assert_string_equal(ask("?"), stops[i].reply);
    }
}

static void reasons_gdb_does_not_know_are_left_out(void **state)
{
    struct gdb_stop stop = {.kind = GDB_STOP_SWBREAK, .signal = 5, .thread = 1};

    (void)state;
    ask("qSupported");
    go("c");
    assert_string_equal(stopped(&stop), "T05thread:1;0:00001000;1:00ff1000;");
}

static void the_end_of_the_machine_is_told(void **state)
{
    struct gdb_stop stop = {.kind = GDB_STOP_EXITED, .signal = 3};

    (void)state;
    go("c");
    assert_string_equal(stopped(&stop), "W03");
    assert_false(gdb_attached(&fake.stub));
}

static void registers_of_the_stopped_thread_are_meant_after_a_stop(void **state)
{
    struct gdb_stop stop = {.kind = GDB_STOP_SIGNAL, .signal = 5, .thread = 3};

    (void)state;
    ask("Hg2");
    go("c");
    stopped(&stop);
    assert_string_equal(ask("qC"), "QC3");
}

// -- leaving ----------------------------------------------------------------------------------

static void check_left(void)
{
    assert_int_equal(gdb_state(&fake.stub), GDB_RUNNING);
    assert_false(gdb_attached(&fake.stub));
}

static void detach_answers_and_lets_go(void **state)
{
    (void)state;
    assert_string_equal(ask("D"), "OK");
    assert_int_equal(fake.detaches, 1);
    check_left();
}

static void kill_lets_go(void **state)
{
    (void)state;
    go("k");
    assert_int_equal(fake.kills, 1);
    check_left();
}

static void vkill_answers_and_kills(void **state)
{
    (void)state;
    assert_string_equal(ask("vKill;1"), "OK");
    assert_int_equal(fake.kills, 1);
    check_left();
}

static void restart_reboots(void **state)
{
    (void)state;
    go("R00");
    assert_int_equal(fake.restarts, 1);
    check_left();
}

// -- monitor ----------------------------------------------------------------------------------

// The text of all O packets that answer a command; `end` is the packet behind them.
static size_t monitor(const char *command, char *text, const char **end)
{
    char request[128] = "qRcmd,";
    size_t length = 0;

    for (size_t i = 0; command[i] != '\0'; i++)
        sprintf(request + strlen(request), "%02x", (uint8_t)command[i]);
    fake.output_length = 0;
    send_packet(request);
    const char *at = take_raw();
    assert_int_equal(*at++, '+');
    const char *reply;
    while ((reply = take_frame(&at)) && reply[0] == 'O' && reply[1] != 'K') {
        for (const char *p = reply + 1; *p != '\0'; p += 2) {
            char digits[3] = {p[0], p[1], 0};
            text[length++] = (char)strtoul(digits, NULL, 16);
        }
    }
    text[length] = '\0';
    assert_string_equal(at, "");
    *end = reply;
    return length;
}

static void a_console_command_answers_in_text(void **state)
{
    char text[256];
    const char *end;

    (void)state;
    monitor("ps -a\x01\n", text, &end);
    assert_string_equal(fake.monitor_line, "ps -a  ");
    assert_string_equal(text, "you said: ps -a  \n");
    assert_string_equal(end, "OK");
}

static void much_text_comes_in_several_packets(void **state)
{
    static char text[20000];
    const char *end;

    (void)state;
    assert_int_equal(monitor("much", text, &end), 11000);
    assert_string_equal(end, "OK");
    assert_string_equal(text + 11000 - 12, "\n0123456789\n");
}

static void a_command_that_fails_is_an_error(void **state)
{
    char text[256];
    const char *end;

    (void)state;
    monitor("fail", text, &end);
    assert_string_equal(end, "E22");
    assert_string_equal(ask("qRcmd,6"), "E22");
    ask("qSupported:error-message+");
    monitor("fail", text, &end);
    assert_string_equal(end, "E.bad argument");
}

#define TINY(test)  cmocka_unit_test_setup(test, tiny)
#define LARGE(test) cmocka_unit_test_setup(test, large)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TINY(greeting_tells_what_we_can_do),
        TINY(unknown_packets_get_the_empty_reply),
        TINY(small_questions_have_small_answers),
        TINY(threads_are_listed_in_one_packet),
        TINY(a_thread_is_described),
        TINY(a_selected_thread_answers_for_itself),
        TINY(a_thread_that_is_not_there_is_refused),
        LARGE(the_list_of_threads_is_xml_in_parts),
        TINY(the_first_list_after_a_stop_is_brief),
        TINY(where_all_threads_are_is_one_answer),
        TINY(the_description_comes_from_the_register_table),
        TINY(only_target_xml_exists),
        TINY(registers_without_a_value_are_x),
        TINY(registers_are_written_and_read_back),
        TINY(a_read_only_register_takes_the_value_it_has),
        TINY(wrong_register_writes_change_nothing),
        TINY(memory_is_read),
        TINY(a_read_over_the_end_is_short),
        TINY(a_read_never_wraps_around),
        TINY(the_largest_read_fills_the_packet),
        TINY(a_failed_read_is_a_number_or_words),
        TINY(memory_is_written_in_hex_and_in_binary),
        TINY(wrong_memory_writes_change_nothing),
        TINY(breakpoints_are_set_and_cleared),
        TINY(impossible_breakpoints_say_why),
        TINY(the_machine_is_let_go_as_asked),
        TINY(what_cannot_be_resumed_stays_stopped),
        TINY(a_stop_tells_thread_reason_and_registers),
        TINY(reasons_gdb_does_not_know_are_left_out),
        TINY(the_end_of_the_machine_is_told),
        TINY(registers_of_the_stopped_thread_are_meant_after_a_stop),
        TINY(detach_answers_and_lets_go),
        TINY(kill_lets_go),
        TINY(vkill_answers_and_kills),
        TINY(restart_reboots),
        TINY(a_console_command_answers_in_text),
        TINY(much_text_comes_in_several_packets),
        TINY(a_command_that_fails_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
