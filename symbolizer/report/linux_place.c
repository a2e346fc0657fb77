// SPDX-License-Identifier: MIT
// Where it happened, as Linux tells it before the trace: the program counter, the registers and the
// instructions around it. Each machine has lines of its own, which are told apart by their words.
#include <elf.h>

#include "symbolizer/report/linux.h"

static void exact_frame(struct report_parser *parser, struct report_cursor cursor, uint16_t machine)
{
    struct report *report = parser->report;
    report->machine = machine;
    struct report_frame frame = {.role = REPORT_EXACT};
    if (!report_linux_frame(parser, &cursor, &frame))
        return;
    // The registers are printed once more behind the trace, and below a trace those of the
    // interrupted context.
    frame.aside = report->ended;
    report->user = false;
    report_add_frame(parser, &frame);
    report->exact_next = false;
}

// "RIP: 0010:name+0x1/0x2"; a code segment of privilege 3 is a process's (SDM vol. 3, 3.4.2).
enum report_verdict report_linux_rip(struct report_parser *parser, const struct report_match *match)
{
    struct report_cursor selector = report_span_cursor(match->captures[0]);
    uint64_t segment = report_hex(&selector);
    parser->report->machine = EM_X86_64;
    if (!selector.failed && (segment & 3) == 3)
        parser->report->user = true;
    else
        exact_frame(parser, report_span_cursor(match->rest), EM_X86_64);
    return REPORT_PART;
}

enum report_verdict report_linux_pc(struct report_parser *parser, const struct report_match *match)
{
    exact_frame(parser, report_span_cursor(match->rest), EM_AARCH64);
    return REPORT_PART;
}

// Nothing is known but an address: a jump into nowhere. Who jumped there stands in the register
// that holds the return address, and no trace has it, since nothing was pushed yet.
static bool is_lost(const struct report *report)
{
    const struct report_stack *stack = &report->first_stack;
    return report->stack == stack && stack->count == 1 && !report->ended &&
           stack->first->role == REPORT_EXACT && !stack->first->name;
}

static enum report_verdict beside(struct report_parser *parser, struct report_span text)
{
    struct report_cursor cursor = report_span_cursor(text);
    struct report_frame frame = {.role = REPORT_RETURN, .aside = !is_lost(parser->report)};
    if (report_linux_frame(parser, &cursor, &frame))
        report_add_frame(parser, &frame);
    return REPORT_PART;
}

enum report_verdict report_linux_lr(struct report_parser *parser, const struct report_match *match)
{
    return beside(parser, match->rest);
}

// A name and an offset, or nothing but an address.
static bool parse_place(struct report_parser *parser, struct report_cursor *cursor,
                        struct report_frame *frame)
{
    report_skip_spaces(cursor);
    if (report_token(parser, cursor, frame))
        return true;
    frame->address = report_hex(cursor);
    frame->has_address = !cursor->failed;
    return frame->has_address;
}

// The place that was told by name is told once more as a number.
static bool completes_place(const struct report *report, const struct report_frame *frame)
{
    struct report_frame *named = report->first_stack.first;
    if (frame->name || !named || named->role != REPORT_EXACT || named->has_address)
        return false;
    named->address = frame->address;
    named->has_address = true;
    return true;
}

// "epc : name+0x1/0x2", "ra : name+0x1/0x2"; before 5.16 "epc: ffffffe000201234 ra : ..." with
// addresses only, all on one line with sp.
enum report_verdict report_linux_epc(struct report_parser *parser, const struct report_match *match)
{
    struct report *report = parser->report;
    struct report_cursor cursor = report_span_cursor(match->rest);
    struct report_frame frame = {.role = REPORT_EXACT, .aside = report->ended};
    report->machine = EM_RISCV;
    report->user = false;
    if (parse_place(parser, &cursor, &frame)) {
        frame.aside |= completes_place(report, &frame);
        report_add_frame(parser, &frame);
    }
    report_skip_spaces(&cursor);
    struct report_frame caller = {.role = REPORT_RETURN, .aside = true};
    if (report_accept(&cursor, "ra :") && parse_place(parser, &cursor, &caller))
        report_add_frame(parser, &caller);
    report_add_registers(parser, report_span_cursor(parser->line->body));
    return REPORT_PART;
}

// "Code: 48 89 <8b> 00", "Code: d503201f (b9000000) d65f03c0", "Code: 8793 0007 (b023) 00a7":
// bytes, or units of 4 or 2 bytes in the machine's order, the faulting one marked.
enum report_verdict report_linux_code(struct report_parser *parser,
                                      const struct report_match *match)
{
    struct report *report = parser->report;
    struct report_code code = {.fault = REPORT_CODE_MAX};
    struct report_cursor cursor = report_span_cursor(match->rest);
    for (;;) {
        report_skip_spaces(&cursor);
        bool marked = report_accept(&cursor, "<") || report_accept(&cursor, "(");
        const char *start = cursor.at;
        uint64_t unit = report_hex(&cursor);
        size_t bytes = (size_t)(cursor.at - start) / 2;
        if (cursor.failed || bytes > 4 || code.length + bytes > sizeof(code.bytes))
            break;
        if (marked) {
            code.fault = code.length;
            if (!report_accept(&cursor, ">"))
                report_accept(&cursor, ")");
        }
        for (size_t i = 0; i < bytes; i++)
            code.bytes[code.length++] = (uint8_t)(unit >> 8 * i);
    }
    if (code.fault < code.length && !report->user && !report->ended && !report->code.length)
        report->code = code;
    parser->line->code = code.fault < code.length && !report->user && !report->ended;
    return REPORT_PART;
}

enum report_verdict report_linux_registers(struct report_parser *parser,
                                           const struct report_match *match)
{
    (void)match;
    struct report_cursor cursor = report_span_cursor(parser->line->body);
    return report_add_registers(parser, cursor) ? REPORT_PART : REPORT_NOT_OURS;
}
