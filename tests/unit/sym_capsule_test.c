// SPDX-License-Identifier: MIT
// What the reader of panic capsules promises: everything of a clean text, whatever stands around
// its lines; of a damaged one all but the blocks that are hit, and a word on each loss; and of a
// hostile one an answer.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "symbolizer/capsule.h"
#include "symbolizer/dead.h"
#include "symbolizer/session.h"
#include "tests/unit/capsule_writer.h"

static void read_text(const char *text, struct sym_capsules *capsules)
{
    assert_null(sym_capsules_read(text, strlen(text), capsules));
}

static void make_whole(struct capsule_writer *writer)
{
    capsule_init(writer, 0xabcd0001);
    capsule_whole(writer);
}

static uint8_t stack_byte(uint64_t address)
{
    uint64_t i = (address - CAPSULE_STACK) % 1024, part = (address - CAPSULE_STACK) / 1024;
    return (uint8_t)((i * 31 + part) ^ (i * i >> 5));
}

// All that capsule_whole() wrote is there.
static void check_whole(const struct sym_capsules *capsules)
{
    assert_int_equal(capsules->count, 1);
    const struct sym_capsule *capsule = &capsules->at[0];
    assert_int_equal(capsule->id, 0xabcd0001);
    assert_true(capsule->whole);
    assert_string_equal(capsule->machine.reason, "page fault at 0x8");
    assert_int_equal(capsule->row_count, CAPSULE_REGISTERS);
    assert_string_equal(capsule->rows[CAPSULE_PC].name, "pc");
    assert_string_equal(capsule->register_types, "<flag/flag>");
    assert_int_equal(capsule->cpu_count, 2);

    assert_int_equal(capsule->thread_count, 3);
    const int64_t order[] = {1, 2, 3}; // panicked, other CPU, the rest
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(capsule->threads[i].id, order[i]);
    assert_true(capsule->threads[0].recorded);
    assert_false(capsule->threads[1].recorded);
    assert_string_equal(capsule->threads[2].record.wait, "disk");
    uint64_t pc;
    for (size_t i = 0; i < 3; i++) {
        const uint8_t *value = sym_capsule_register(capsule, &capsule->threads[i], CAPSULE_PC);
        assert_non_null(value);
        memcpy(&pc, value, sizeof(pc));
        assert_int_equal(pc, 0x1000 * (i + 1));
        assert_null(sym_capsule_register(capsule, &capsule->threads[i], CAPSULE_FLAGS));
    }

    uint8_t bytes[3000];
    assert_int_equal(sym_capsule_memory_read(capsule, CAPSULE_STACK + 100, bytes, sizeof(bytes)),
                     sizeof(bytes)); // over the seams of ranges
    for (size_t i = 0; i < sizeof(bytes); i++)
        assert_int_equal(bytes[i], stack_byte(CAPSULE_STACK + 100 + i));
    const struct sym_capsule_text *log = sym_capsule_text_find(capsule, "log");
    assert_non_null(log);
    assert_string_equal(log->text, "first line\nsecond line\n");
}

static void test_a_clean_capsule_is_read(void **state)
{
    (void)state;
    for (int stored = 0; stored < 2; stored++) {
        struct capsule_writer writer;
        struct sym_capsules capsules;
        capsule_init(&writer, 0xabcd0001);
        writer.stored = stored;
        capsule_whole(&writer);
        read_text(writer.text, &capsules);
        check_whole(&capsules);
        assert_int_equal(capsules.losses.count, 0);
        sym_capsules_deinit(&capsules);
        capsule_deinit(&writer);
    }
}

static void test_prefixes_carriage_returns_and_noise_do_not_matter(void **state)
{
    (void)state;
    struct capsule_writer writer;
    struct sym_capsules capsules;
    capsule_init(&writer, 0xabcd0001);
    writer.newline = "\r\n";
    capsule_text(&writer, "boot: ~ all well ~C and ~C00 and ~c0000");
    writer.prefix = "[   12.345678] console: ";
    capsule_whole(&writer);
    writer.prefix = "\x01\xff ~";
    capsule_text(&writer, "fathom> ~");
    read_text(writer.text, &capsules);
    check_whole(&capsules);
    assert_int_equal(capsules.losses.count, 0);
    sym_capsules_deinit(&capsules);
    capsule_deinit(&writer);
}

static void test_a_text_without_capsule_has_none(void **state)
{
    (void)state;
    struct sym_capsules capsules;
    read_text("", &capsules);
    assert_int_equal(capsules.count, 0);
    sym_capsules_deinit(&capsules);
    read_text("PANIC: nothing\n~~~~C\n~", &capsules);
    assert_int_equal(capsules.count, 0);
    assert_int_equal(capsules.losses.count, 0);
    sym_capsules_deinit(&capsules);
}

// The n-th line of a text that begins with ~; from 0.
static char *capsule_line(char *text, unsigned n)
{
    char *at = text;
    while ((at = strchr(at, '~')) && n-- > 0)
        at++;
    assert_non_null(at);
    return at;
}

static void remove_line(char *line)
{
    char *end = strchr(line, '\n') + 1;
    memmove(line, end, strlen(end) + 1);
}

static bool lost(const struct sym_capsules *capsules, size_t line, const char *words)
{
    for (size_t i = 0; i < capsules->losses.count; i++)
        if (capsules->losses.at[i].line == line && strstr(capsules->losses.at[i].text, words))
            return true;
    for (size_t i = 0; i < capsules->losses.count; i++)
        print_message("line %zu: %s\n", capsules->losses.at[i].line, capsules->losses.at[i].text);
    return false;
}

static unsigned line_count(const char *text)
{
    unsigned count = 0;
    for (; (text = strchr(text, '~')); text++)
        count++;
    return count;
}

static void test_a_lost_line_costs_no_more_than_its_block(void **state)
{
    (void)state;
    struct capsule_writer writer;
    make_whole(&writer);
    unsigned lines = line_count(writer.text);
    for (unsigned n = 0; n < lines; n++) {
        struct sym_capsules capsules;
        char *text = strdup(writer.text);
        remove_line(capsule_line(text, n));
        read_text(text, &capsules);
        assert_int_equal(capsules.count, 1);
        const struct sym_capsule *capsule = &capsules.at[0];
        assert_false(capsule->whole);
        assert_true(capsules.losses.count > 0);
        // The essentials come twice.
        assert_true(capsule->has_machine);
        assert_int_equal(capsule->row_count, CAPSULE_REGISTERS);
        assert_int_equal(capsule->cpu_count, 2);
        assert_non_null(capsule->threads[0].registers);
        uint64_t kept = 0;
        for (size_t i = 0; i < capsule->memory_count; i++)
            kept += capsule->memory[i].bytes;
        assert_true(kept >= 8192 - KD_CAPSULE_BLOCK_BYTES);
        sym_capsules_deinit(&capsules);
        free(text);
    }
    capsule_deinit(&writer);
}

static void test_losses_name_their_lines(void **state)
{
    (void)state;
    struct capsule_writer writer;
    struct sym_capsules capsules;
    make_whole(&writer);
    unsigned last = line_count(writer.text) - 1;
    // Lines of text are numbered from 1, and the begin line is the first.
    capsule_line(writer.text, 2)[20] ^= 1;
    remove_line(capsule_line(writer.text, 4));
    read_text(writer.text, &capsules);
    assert_true(lost(&capsules, 4, "line 0002 is damaged"));
    assert_true(lost(&capsules, 5, "line 0002 is missing"));
    assert_true(lost(&capsules, 6, "line 0004 is missing"));
    sym_capsules_deinit(&capsules);

    remove_line(capsule_line(writer.text, last - 1));
    read_text(writer.text, &capsules);
    assert_true(lost(&capsules, 0, "has no end"));
    sym_capsules_deinit(&capsules);
    capsule_deinit(&writer);
}

static void test_two_damaged_copies_make_a_whole_one(void **state)
{
    (void)state;
    struct capsule_writer writer;
    struct sym_capsules capsules;
    make_whole(&writer);
    char *text;
    unsigned lines = line_count(writer.text);
    assert_true(asprintf(&text, "%sfathom> panic\n%s", writer.text, writer.text) > 0);
    remove_line(capsule_line(text, lines + 1)); // the second copy's block 0
    remove_line(capsule_line(text, lines - 1)); // the first one's summary
    remove_line(capsule_line(text, lines / 2));
    read_text(text, &capsules);
    check_whole(&capsules);
    assert_true(capsules.losses.count > 0);
    sym_capsules_deinit(&capsules);
    free(text);
    capsule_deinit(&writer);
}

static void test_a_line_that_comes_twice_counts_once(void **state)
{
    (void)state;
    struct capsule_writer writer, doubled;
    struct sym_capsules capsules;
    make_whole(&writer);
    capsule_init(&doubled, 0);
    char *copy = strdup(writer.text);
    for (char *rest, *line = strtok_r(copy, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest)) {
        capsule_text(&doubled, line);
        capsule_text(&doubled, line);
    }
    read_text(doubled.text, &capsules);
    check_whole(&capsules);
    assert_int_equal(capsules.losses.count, 0);
    sym_capsules_deinit(&capsules);
    free(copy);
    capsule_deinit(&doubled);
    capsule_deinit(&writer);
}

static void test_two_panics_in_one_log_are_kept_apart(void **state)
{
    (void)state;
    struct capsule_writer writer;
    struct sym_capsules capsules;
    make_whole(&writer);
    writer.id = 7;
    writer.line_number = 0;
    writer.block_number = 0;
    capsule_whole(&writer);
    read_text(writer.text, &capsules);
    assert_int_equal(capsules.count, 2);
    assert_int_equal(capsules.at[1].id, 7);
    assert_true(capsules.at[0].whole && capsules.at[1].whole);
    sym_capsules_deinit(&capsules);
    capsule_deinit(&writer);
}

static void test_a_text_with_a_hole_says_so(void **state)
{
    (void)state;
    struct capsule_writer writer;
    struct sym_capsules capsules;
    capsule_init(&writer, 1);
    capsule_words(&writer, "log", 100, "late\033[2J\n");
    capsule_words(&writer, "log", 0, "early\n");
    capsule_words(&writer, "log", 0, "early\n");
    capsule_words(&writer, "locks", 0, "");
    capsule_end(&writer);
    read_text(writer.text, &capsules);
    const struct sym_capsule_text *log = sym_capsule_text_find(&capsules.at[0], "log");
    assert_non_null(log);
    assert_string_equal(log->text, "early\n\n[... lost ...]\nlate?[2J\n");
    assert_string_equal(sym_capsule_text_find(&capsules.at[0], "locks")->text, "");
    assert_null(sym_capsule_text_find(&capsules.at[0], "interrupts"));
    sym_capsules_deinit(&capsules);
    capsule_deinit(&writer);
}

static void test_ranges_that_overlap_are_cut(void **state)
{
    (void)state;
    struct capsule_writer writer;
    struct sym_capsules capsules;
    char bytes[16] = "";
    capsule_init(&writer, 1);
    capsule_memory(&writer, 100, "aaaaaaaaaa", 10);
    capsule_memory(&writer, 105, "bbbbbbbbbb", 10);
    capsule_memory(&writer, 103, "cc", 2);
    capsule_memory(&writer, UINT64_MAX - 3, "dddd", 4);
    capsule_memory(&writer, UINT64_MAX - 2, "dddd", 4); // beyond the end
    capsule_end(&writer);
    read_text(writer.text, &capsules);
    const struct sym_capsule *capsule = &capsules.at[0];
    assert_int_equal(capsule->memory_count, 3);
    assert_int_equal(sym_capsule_memory_read(capsule, 98, bytes, 15), 0);
    assert_int_equal(sym_capsule_memory_read(capsule, 100, bytes, 16), 15);
    assert_memory_equal(bytes, "aaaaaaaaaabbbbb", 15);
    assert_int_equal(sym_capsule_memory_read(capsule, UINT64_MAX - 1, bytes, 16), 2);
    assert_true(lost(&capsules, 1, "MEMORY"));
    sym_capsules_deinit(&capsules);
    capsule_deinit(&writer);
}

static void test_registers_that_do_not_fit_their_table_are_refused(void **state)
{
    (void)state;
    struct capsule_writer writer;
    struct sym_capsules capsules;
    struct kd_capsule_registers registers = {.thread = 1, .known = {0xff}};
    capsule_init(&writer, 1);
    // Too short, and before the table that says so.
    capsule_record(&writer, KD_CAPSULE_REGISTERS, &registers, sizeof(registers), "abc", 3);
    capsule_register_table(&writer);
    capsule_cpu(&writer, 0, 1, KD_CAPSULE_CPU_STOPPED);
    capsule_end(&writer);
    read_text(writer.text, &capsules);
    assert_int_equal(capsules.at[0].thread_count, 1);
    assert_null(sym_capsule_register(&capsules.at[0], &capsules.at[0].threads[0], CAPSULE_PC));
    sym_capsules_deinit(&capsules);
    capsule_deinit(&writer);
}

static void test_records_of_random_contents_are_survived(void **state)
{
    (void)state;
    uint32_t seed = 1;
    for (unsigned round = 0; round < 400; round++) {
        struct capsule_writer writer;
        struct sym_capsules capsules;
        uint8_t body[600];
        capsule_init(&writer, round);
        if (round % 2) {
            capsule_machine(&writer);
            capsule_register_table(&writer);
        }
        for (unsigned i = 0; i < 30; i++) {
            for (size_t j = 0; j < sizeof(body); j++) {
                seed = seed * 1664525 + 1013904223;
                body[j] = seed >> 30 ? (uint8_t)(seed >> 24) & 3 : (uint8_t)(seed >> 16);
            }
            capsule_record(&writer, (uint16_t)(seed >> 8 & 15), body, (seed >> 12) % sizeof(body),
                           NULL, 0);
        }
        capsule_end(&writer);
        read_text(writer.text, &capsules);
        sym_capsules_deinit(&capsules);
        capsule_deinit(&writer);
    }
}

// -- gdb's side -----------------------------------------------------------------------------------

struct answer {
    char text[16384];
    size_t length;
};

static void collect(void *context, const uint8_t *bytes, size_t length)
{
    struct answer *answer = context;
    assert_true(answer->length + length < sizeof(answer->text));
    memcpy(answer->text + answer->length, bytes, length);
    answer->length += length;
    answer->text[answer->length] = '\0';
}

static const char *ask(struct sym_session *session, struct answer *answer, const char *packet)
{
    char whole[512];
    uint8_t sum = 0;
    for (const char *at = packet; *at; at++)
        sum = (uint8_t)(sum + (uint8_t)*at);
    snprintf(whole, sizeof(whole), "+$%s#%02x", packet, sum);
    answer->length = 0;
    answer->text[0] = '\0';
    sym_session_receive(session, (const uint8_t *)whole, strlen(whole));
    return answer->text;
}

static void test_gdb_is_answered_and_nothing_can_be_changed(void **state)
{
    (void)state;
    struct capsule_writer writer;
    struct sym_dead *dead;
    struct sym_session *session;
    struct answer answer;
    make_whole(&writer);
    assert_null(sym_dead_open("log", writer.text, writer.length, NULL, &dead));
    assert_null(sym_session_open(dead, collect, &answer, &session));
    assert_non_null(strstr(ask(session, &answer, "qSupported:swbreak+"), "PacketSize"));
    assert_non_null(strstr(ask(session, &answer, "?"), "T0bthread:1;"));
    const char *xml = ask(session, &answer, "qXfer:features:read:target.xml:0,fff");
    assert_non_null(strstr(xml, "<architecture>i386:x86-64</architecture>"));
    assert_non_null(strstr(xml, "<flag/flag><reg name=\"r0\" bitsize=\"64\"/>"));
    assert_non_null(strstr(ask(session, &answer, "g"), "$110*")); // run-length encoded
    assert_non_null(strstr(answer.text, "x*"));                   // the flags register
    assert_non_null(strstr(ask(session, &answer, "qXfer:threads:read::0,fff"),
                           "<thread id=\"3\" name=\"reader\">blocked: disk</thread>"));
    assert_non_null(strstr(answer.text, "CPU 0, panicked"));
    char wanted[16];
    sprintf(wanted, "$%02x%02x#", stack_byte(CAPSULE_STACK + 5), stack_byte(CAPSULE_STACK + 6));
    assert_non_null(strstr(ask(session, &answer, "mffff800000010005,2"), wanted));
    assert_non_null(strstr(ask(session, &answer, "m10,2"), "$E"));
    const char *const refused[] = {
        "Mffff800000010005,1:00", "P0=0000000000000000", "vCont;c", "Z0,1000,1", "c", "s"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
        assert_non_null(strstr(ask(session, &answer, refused[i]), "$E"));
    assert_non_null(strstr(ask(session, &answer, "qRcmd,6c6f67"), "6669727374206c696e65")); // log
    assert_int_equal(sym_session_state(session), SYM_SESSION_OPEN);
    ask(session, &answer, "D");
    assert_int_equal(sym_session_state(session), SYM_SESSION_DETACHED);
    sym_session_close(session);
    sym_dead_close(dead);
    capsule_deinit(&writer);
}

static void test_without_a_register_table_gdb_is_refused_with_a_reason(void **state)
{
    (void)state;
    struct capsule_writer writer;
    struct sym_dead *dead;
    struct sym_session *session;
    struct answer answer;
    capsule_init(&writer, 1);
    capsule_machine(&writer);
    capsule_end(&writer);
    assert_null(sym_dead_open("log", writer.text, writer.length, NULL, &dead));
    struct error *error = sym_session_open(dead, collect, &answer, &session);
    assert_non_null(error);
    assert_non_null(strstr(error_text(error), "register table"));
    error_free(error);
    sym_dead_close(dead);
    capsule_deinit(&writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_clean_capsule_is_read),
        cmocka_unit_test(test_prefixes_carriage_returns_and_noise_do_not_matter),
        cmocka_unit_test(test_a_text_without_capsule_has_none),
        cmocka_unit_test(test_a_lost_line_costs_no_more_than_its_block),
        cmocka_unit_test(test_losses_name_their_lines),
        cmocka_unit_test(test_two_damaged_copies_make_a_whole_one),
        cmocka_unit_test(test_a_line_that_comes_twice_counts_once),
        cmocka_unit_test(test_two_panics_in_one_log_are_kept_apart),
        cmocka_unit_test(test_a_text_with_a_hole_says_so),
        cmocka_unit_test(test_ranges_that_overlap_are_cut),
        cmocka_unit_test(test_registers_that_do_not_fit_their_table_are_refused),
        cmocka_unit_test(test_records_of_random_contents_are_survived),
        cmocka_unit_test(test_gdb_is_answered_and_nothing_can_be_changed),
        cmocka_unit_test(test_without_a_register_table_gdb_is_refused_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
