// SPDX-License-Identifier: MIT
// FreeBSD: "panic:", "Fatal trap", witness's and kdb's backtraces, of kdb_backtrace()
// ("#1 0x... at vpanic+0x1b0") and of ddb ("vpanic() at vpanic+0x182/frame 0xfffffe00...").
#include <elf.h>
#include <string.h>

#include "symbolizer/report/format.h"

// "name+0x12", without the size Linux prints.
static bool parse_place(struct report_parser *parser, struct report_cursor *cursor,
                        struct report_frame *frame)
{
    struct report_span name = report_until(cursor, "+ ");
    report_expect(cursor, "+");
    frame->offset = report_hex(cursor);
    if (cursor->failed || !name.length)
        return false;
    frame->has_offset = true;
    frame->name = report_copy(parser, name);
    return true;
}

// "#1 0xffffffff80c0a3b5 at vpanic+0x175"
static enum report_verdict kdb_frame(struct report_parser *parser, const struct report_match *match)
{
    struct report_cursor number = report_span_cursor(match->captures[0]);
    struct report_cursor cursor = report_span_cursor(match->captures[1]);
    struct report_cursor place = report_span_cursor(match->rest);
    report_decimal(&number);
    struct report_frame frame = {.role = REPORT_RETURN, .has_address = true};
    frame.address = report_hex(&cursor);
    if (number.failed || cursor.failed)
        return REPORT_NOT_OURS;
    parse_place(parser, &place, &frame);
    report_add_frame(parser, &frame);
    return REPORT_PART;
}

// "vpanic() at vpanic+0x182/frame 0xfffffe00c5d9a7b0"
static enum report_verdict ddb_frame(struct report_parser *parser, const struct report_match *match)
{
    struct report_cursor place = report_span_cursor(match->captures[1]);
    struct report_frame frame = {.role = REPORT_RETURN};
    if (memchr(match->captures[0].at, ' ', match->captures[0].length) ||
        !parse_place(parser, &place, &frame))
        return REPORT_NOT_OURS;
    report_add_frame(parser, &frame);
    return REPORT_PART;
}

// "--- trap 0xc, rip = 0xffffffff80a1b2c3, rsp = ..., rbp = ... ---": the next frame is that rip.
static enum report_verdict trap(struct report_parser *parser, const struct report_match *match)
{
    (void)match;
    parser->report->exact_next = true;
    return REPORT_PART;
}

// "instruction pointer	= 0x20:0xffffffff80e3a1b2"
static enum report_verdict pointer(struct report_parser *parser, const struct report_match *match)
{
    struct report_cursor cursor = report_span_cursor(match->rest);
    struct report_frame frame = {.role = REPORT_EXACT, .has_address = true, .aside = true};
    parser->report->machine = EM_X86_64;
    frame.address = report_hex(&cursor);
    if (!cursor.failed)
        report_add_frame(parser, &frame);
    return REPORT_PART;
}

static enum report_verdict cpu(struct report_parser *parser, const struct report_match *match)
{
    struct report_cursor cursor = report_span_cursor(match->rest);
    report_accept(&cursor, " ");
    report_accept(&cursor, "=");
    report_skip_spaces(&cursor);
    uint64_t number = report_decimal(&cursor);
    if (!cursor.failed && number < 65536)
        parser->report->cpu = (int)number;
    return REPORT_PART;
}

// "current process		= 1234 (name)"
static enum report_verdict process(struct report_parser *parser, const struct report_match *match)
{
    parser->report->task = report_copy(parser, match->captures[2]);
    return REPORT_PART;
}

static const struct report_beginning beginnings[] = {
    {"Fatal trap 12: page fault while in kernel mode", "page-fault", "page fault", REPORT_NEW, 0,
     EM_X86_64},
    {"Fatal trap 9: general protection fault", "gpf", "general protection fault", REPORT_NEW, 0,
     EM_X86_64},
    {"Fatal trap *: * while in ", "trap", "%2", REPORT_NEW, 0, EM_X86_64},
    {"Fatal double fault", "double-fault", "double fault", REPORT_NEW, 0, EM_X86_64},
    {"panic: * at /", "panic", "panic: %1", REPORT_JOIN, 0, 0},
    {"panic: *", "panic", "panic: %1", REPORT_JOIN, 0, 0},
    {"lock order reversal:", "lock-order", "lock order reversal", REPORT_NEW, 0, 0},
    {"KDB: stack backtrace:", "backtrace", "backtrace", REPORT_JOIN, 0, 0},
    {0},
};

static const struct report_rule rules[] = {
    {"#* * at ", kdb_frame},
    {"*() at */frame ", ddb_frame},
    {"--- trap ", trap},
    {"--- interrupt, ", trap},
    {"instruction pointer\t= *:", pointer},
    {"instruction pointer = *:", pointer},
    {"cpuid =", cpu},
    {"current process*= * (*)", process},
    {"panic: ", report_part},
    {"KDB: stack backtrace:", report_part},
    {"KDB: enter: ", report_part},
    {"time = ", report_part},
    {"fault ", report_part},
    {"stack pointer", report_part},
    {"frame pointer", report_part},
    {"code segment", report_part},
    {"processor eflags", report_part},
    {"trap number", report_part},
    {"Uptime: ", report_end},
    {0},
};

static const char *const skips[] = {
    "kdb_backtrace",
    "kdb_enter",
    "vpanic",
    "panic",
    "trap_fatal",
    "trap_pfault",
    "trap",
    "calltrap",
    "db_trace_self",
    "db_trace_self_wrapper",
    "trap_check",
    "do_el1h_sync",
    "handle_el1h_sync",
    "data_abort",
    "align_abort",
    "page_fault_handler",
    "do_trap_supervisor",
    "cpu_exception_handler_supervisor",
    "witness_checkorder",
    "witness_debugger",
    "_witness_debugger",
    NULL,
};

// Without "--- trap" lines: kdb_backtrace() prints the frames only.
static const char *const entries[] = {"calltrap", "handle_el1h_sync",
                                      "cpu_exception_handler_supervisor", NULL};

const struct report_format report_format_freebsd = {
    .name = "FreeBSD",
    .beginnings = beginnings,
    .rules = rules,
    .skips = skips,
    .entries = entries,
    .patience = 20,
};
