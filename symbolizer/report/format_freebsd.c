// SPDX-License-Identifier: MIT
// FreeBSD on amd64, arm64 and riscv: "panic:", "Fatal trap" and its relatives, witness's and kdb's
// backtraces, of kdb_backtrace() ("#1 0x... at vpanic+0x1b0") and of ddb ("vpanic() at
// vpanic+0x182/frame 0xfffffe00...", without the frame on arm64 and riscv).
#include <ctype.h>
#include <elf.h>
#include <string.h>

#include "symbolizer/report/format.h"

// "name+0x12", without the size Linux prints; "name" where the offset is 0; or an address that has
// no name.
static bool parse_place(struct report_parser *parser, struct report_cursor *cursor,
                        struct report_frame *frame)
{
    if (report_span_begins((struct report_span){cursor->at, report_left(cursor)}, "0x")) {
        frame->has_address = true;
        frame->address = report_hex(cursor);
        return !cursor->failed;
    }
    struct report_span name = report_until(cursor, "+/: ");
    if (report_accept(cursor, "+"))
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

// "vpanic() at vpanic+0x182/frame 0xfffffe00c5d9a7b0", "data_abort() at data_abort+0x188"
static enum report_verdict ddb_frame(struct report_parser *parser, const struct report_match *match)
{
    struct report_span name = match->captures[0];
    struct report_cursor place = report_span_cursor(match->rest);
    struct report_frame frame = {.role = REPORT_RETURN};
    if (memchr(name.at, ' ', name.length) || !parse_place(parser, &place, &frame) ||
        (frame.name && !report_span_is(name, frame.name)))
        return REPORT_NOT_OURS;
    report_add_frame(parser, &frame);
    return REPORT_PART;
}

// "--- trap 0xc, rip = 0xffffffff80a1b2c3, rsp = ..., rbp = ... ---", "--- exception, esr 0x...":
// the next frame is where that came.
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

// "Stopped at      kdb_enter+0x37: movq $0,0x..."
static enum report_verdict stopped(struct report_parser *parser, const struct report_match *match)
{
    struct report_cursor place = report_span_cursor(match->rest);
    struct report_frame frame = {.role = REPORT_EXACT, .aside = true};
    report_skip_spaces(&place);
    if (!parse_place(parser, &place, &frame))
        return REPORT_NOT_OURS;
    report_add_frame(parser, &frame);
    return REPORT_PART;
}

// -- registers ------------------------------------------------------------------------------------

// Each machine's dump has a counter no other has.
static const struct {
    const char *name;
    uint16_t machine;
} counters[] = {{"rip", EM_X86_64}, {"elr", EM_AARCH64}, {"sepc", EM_RISCV}};

static bool is_register(struct report_span name)
{
    static const char *const words[] = {"sp",  "lr",  "elr", "spsr",   "esr",    "far",
                                        "ra",  "gp",  "tp",  "sepc",   "stval",  "scause",
                                        "rip", "rsp", "rbp", "rax",    "rbx",    "rcx",
                                        "rdx", "rsi", "rdi", "rflags", "sstatus"};
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (report_span_is(name, words[i]))
            return true;
    // r8 to r15, x0 to x30, t[0] and the like
    return name.length >= 2 && strchr("rxtsa", *name.at) &&
           (isdigit((unsigned char)name.at[1]) || name.at[1] == '[');
}

// The counter is where it happened.
static void add_register(struct report_parser *parser, struct report_span name, uint64_t value)
{
    report_add_register(parser, name, value);
    for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++) {
        if (!report_span_is(name, counters[i].name))
            continue;
        parser->report->machine = counters[i].machine;
        report_add_frame(parser, &(struct report_frame){.role = REPORT_EXACT,
                                                        .has_address = true,
                                                        .address = value,
                                                        .aside = true});
    }
}

// "rdi: 0000000000000000 rsi: ...", "rip 0xffffffff80a1b2c3 rsp ...", "  x0: 0x1 (name + 0x2)",
// " elr: ffff000000612a34", "t[0] == 0x0000000000000000"
static enum report_verdict registers(struct report_parser *parser, const struct report_match *match)
{
    (void)match;
    struct report_cursor cursor = report_span_cursor(parser->line->body);
    unsigned count = 0;
    while (report_left(&cursor) && *cursor.at != '(') {
        struct report_span name = report_until(&cursor, ": ");
        report_accept(&cursor, ":");
        report_skip_spaces(&cursor);
        report_accept(&cursor, "== ");
        uint64_t value = is_register(name) ? report_hex(&cursor) : 0;
        if (cursor.failed || !is_register(name))
            break;
        add_register(parser, name, value);
        count++;
        report_skip_spaces(&cursor);
    }
    return count ? REPORT_PART : REPORT_NOT_OURS;
}

// -- who ------------------------------------------------------------------------------------------

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

// "current process		= 1234 (name)", "current thread		= 1234/100123 (name/thread's
// name)"
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
    {"Fatal data abort:", "page-fault", "data abort", REPORT_NEW, 0, EM_AARCH64},
    {"t[0] == 0x", NULL, NULL, REPORT_PENDING, 0, EM_RISCV},
    {"t[0]: 0x", NULL, NULL, REPORT_PENDING, 0, EM_RISCV},
    {"panic: Fatal page fault at 0x", "page-fault", "page fault", REPORT_JOIN, 0, EM_RISCV},
    {"panic: Memory access exception at 0x", "access-fault", "memory access exception", REPORT_JOIN,
     0, EM_RISCV},
    {"panic: Illegal instruction at 0x", "illegal-instruction", "illegal instruction", REPORT_JOIN,
     0, EM_RISCV},
    {"panic: * at /", "panic", "panic: %1", REPORT_JOIN, 0, 0},
    {"panic: *", "panic", "panic: %1", REPORT_JOIN, 0, 0},
    {"lock order reversal:", "lock-order", "lock order reversal", REPORT_NEW, 0, 0},
    {"KDB: stack backtrace:", "backtrace", "backtrace", REPORT_JOIN, 0, 0},
    {0},
};

static const struct report_rule rules[] = {
    {"#* * at ", kdb_frame},
    {"*() at ", ddb_frame},
    {"--- trap ", trap},
    {"--- interrupt", trap},
    {"--- exception", trap},
    {"--- system error", trap},
    {"--- unhandled exception", trap},
    {"--- syscall", report_part},
    {"instruction pointer\t= *:", pointer},
    {"instruction pointer = *:", pointer},
    {"cpuid =", cpu},
    {"current process*= * (*)", process},
    {"current thread*= * (*/*)", process},
    {"Stopped at ", stopped},
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
    {"1st ", report_part},
    {"2nd ", report_part},
    {"lock order ", report_part},
    {"[ thread pid ", report_part},
    {"Uptime: ", report_end},
    {"Automatic reboot in ", report_end},
    {"", registers},
    {0},
};

static const char *const skips[] = {
    "kdb_backtrace",
    "kdb_enter",
    "kdb_trap",
    "kassert_panic",
    "vpanic",
    "panic",
    "trap_fatal",
    "trap_pfault",
    "trap",
    "calltrap",
    "Xdblfault",
    "db_trace_self",
    "db_stack_trace_cmd",
    "db_trace_self_wrapper",
    "trap_check",
    "do_el1h_sync",
    "handle_el1h_sync",
    "data_abort",
    "do_serror",
    "unhandled_exception",
    "dblfault_handler",
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
static const char *const entries[] = {
    "calltrap",
    "nmi_calltrap",
    "Xdblfault",
    "handle_el1h_sync",
    "handle_el1h_irq",
    "handle_serror",
    "handle_empty_exception",
    "cpu_exception_handler_supervisor",
    NULL,
};

const struct report_format report_format_freebsd = {
    .name = "FreeBSD",
    .beginnings = beginnings,
    .rules = rules,
    .skips = skips,
    .entries = entries,
    .patience = 20,
};
