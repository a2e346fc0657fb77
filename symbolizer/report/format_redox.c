// SPDX-License-Identifier: MIT
// Redox: "KERNEL PANIC: panicked at file:line:column:", the message, and the walk of the frames,
// three lines each: the frame pointer and the return address, the symbol and the offset in it, its
// name.
#include <string.h>

#include "symbolizer/report/format.h"

// "FP ffff80000001fe90: PC ffffffff80123456"
static enum report_verdict frame(struct report_parser *parser, const struct report_match *match)
{
    struct report_cursor pointer = report_span_cursor(match->captures[0]);
    struct report_cursor cursor = report_span_cursor(match->rest);
    report_hex(&pointer);
    struct report_frame frame = {.role = REPORT_RETURN, .has_address = true};
    frame.address = report_hex(&cursor);
    if (pointer.failed || cursor.failed)
        return REPORT_NOT_OURS;
    report_add_frame(parser, &frame);
    parser->report->in_trace = true;
    return REPORT_PART;
}

// "FFFFFFFF80123400+0056": adds the offset to the frame of the line before.
static enum report_verdict place(struct report_parser *parser, const struct report_match *match)
{
    struct report_frame *last = parser->report->stack->last;
    struct report_cursor start = report_span_cursor(match->captures[0]);
    struct report_cursor offset = report_span_cursor(match->rest);
    uint64_t symbol = report_hex(&start);
    uint64_t bytes = report_hex(&offset);
    if (!last || start.failed || report_left(&start) || offset.failed || report_left(&offset) ||
        symbol + bytes != last->address)
        return REPORT_NOT_OURS;
    last->offset = bytes;
    last->has_offset = true;
    return REPORT_PART;
}

// Behind the line that says where the panic was stands what it was.
static enum report_verdict message(struct report_parser *parser, const struct report_match *match)
{
    (void)match;
    struct report *report = parser->report;
    if (report->first_stack.count || !report->words || strcmp(report->words, "panic") != 0)
        return REPORT_NOT_OURS;
    struct report_match words = {.captures = {parser->line->body}};
    report->words = report_fill_words(parser->arena, "panic: %1", &words);
    return REPORT_PART;
}

// The name has the line behind it to itself. It is demangled, so it finds nothing in the symbol
// table, and the address has to; but it is there where no ELF file is.
static enum report_verdict name(struct report_parser *parser, const struct report_match *match)
{
    (void)match;
    struct report_frame *last = parser->report->stack->last;
    if (!parser->report->in_trace || !last || !last->has_offset || last->name)
        return REPORT_NOT_OURS;
    last->name = report_copy(parser, parser->line->body);
    return REPORT_PART;
}

static enum report_verdict who(struct report_parser *parser, const struct report_match *match)
{
    struct report_cursor cursor = report_span_cursor(match->captures[0]);
    report_accept(&cursor, "#");
    uint64_t number = report_decimal(&cursor);
    if (cursor.failed || number > 65535)
        return REPORT_NOT_OURS;
    parser->report->cpu = (int)number;
    parser->report->in_trace = false;
    return REPORT_PART;
}

static enum report_verdict task(struct report_parser *parser, const struct report_match *match)
{
    parser->report->task = report_copy(parser, match->captures[0]);
    return REPORT_PART;
}

static const struct report_beginning beginnings[] = {
    {"KERNEL PANIC: panicked at '*', ", "panic", "panic: %1", REPORT_NEW, REPORT_ENDS, 0},
    {"KERNEL PANIC: panicked at ", "panic", "panic", REPORT_NEW, REPORT_ENDS, 0},
    {"KERNEL PANIC: *", "panic", "panic: %1", REPORT_NEW, REPORT_ENDS, 0},
    {0},
};

static const struct report_rule rules[] = {
    {"KERNEL PANIC: ", report_part},
    {"FP *: PC ", frame},
    {"*: GUARD PAGE", report_part},
    {"*: EMPTY RETURN", report_part},
    {"CPU *, CID ", who},
    {"CPU *, PID ", who},
    {"NAME: *, ", task},
    {"SYSCALL: ", report_part},
    {"HALT", report_end},
    {"*+", place},
    {"", message},
    {"", name},
    {0},
};

static const char *const skips[] = {
    "rust_begin_unwind",
    "kernel::panic::rust_begin_unwind",
    "kernel::panic::stack_trace",
    "kernel::panic::panic_handler",
    "core::panicking::panic_fmt",
    "core::panicking::panic",
    "core::panicking::panic_bounds_check",
    "core::result::unwrap_failed",
    "core::option::unwrap_failed",
    "core::option::expect_failed",
    "core::panicking::assert_failed_inner",
    "core::panicking::assert_failed",
    "stack_trace",
    NULL,
};

const struct report_format report_format_redox = {
    .name = "Redox",
    .beginnings = beginnings,
    .rules = rules,
    .skips = skips,
    .patience = 10,
};
