// SPDX-License-Identifier: MIT
// Linux on x86-64, AArch64 and RISC-V: oopses, BUG, WARNING, panics, stalls, hung tasks, lockups,
// sysrq's backtraces, KASAN and its relatives. Here are the traces and the table of all lines; what
// begins a report, and how the place and the task are told, is in files of its own (linux.h).
#include "symbolizer/report/linux.h"

// -- traces ---------------------------------------------------------------------------------------

// One frame of a trace: "? [<ffffffff81000000>] name+0x1/0x2 [module]", any part of which but the
// place may be missing, and nothing else on the line.
bool report_linux_frame(struct report_parser *parser, struct report_cursor *cursor,
                        struct report_frame *frame)
{
    report_skip_spaces(cursor);
    if (report_accept(cursor, "? "))
        frame->unreliable = true;
    // Kernels before 4.10 print it twice for RIP.
    while (report_accept(cursor, "[")) {
        report_accept(cursor, "<");
        frame->address = report_hex(cursor);
        frame->has_address = !cursor->failed;
        report_accept(cursor, ">");
        report_expect(cursor, "]");
        report_skip_spaces(cursor);
        if (report_accept(cursor, "? "))
            frame->unreliable = true;
    }
    if (cursor->failed)
        return false;
    if (report_token(parser, cursor, frame))
        return true;
    if (!report_accept(cursor, "0x"))
        return frame->has_address && !report_left(cursor);
    uint64_t address = report_hex(cursor);
    if (!frame->has_address)
        frame->address = address;
    frame->has_address = true;
    return !cursor->failed;
}

// What may stand behind a frame: newer AArch64 kernels tell how they found it.
static bool ends_frame(struct report_cursor cursor)
{
    report_skip_spaces(&cursor);
    return !report_left(&cursor) || *cursor.at == '(';
}

static enum report_verdict trace_frame(struct report_parser *parser,
                                       const struct report_match *match)
{
    (void)match;
    struct report_cursor cursor = report_span_cursor(parser->line->body);
    struct report_frame frame = {.role = REPORT_RETURN, .aside = parser->report->ended};
    if (!report_linux_frame(parser, &cursor, &frame) || !ends_frame(cursor))
        return REPORT_NOT_OURS;
    if (!parser->report->in_trace && !frame.has_offset)
        return REPORT_NOT_OURS; // a number by itself
    report_linux_guess_machine(parser->report, &frame);
    report_add_frame(parser, &frame);
    return REPORT_PART;
}

static enum report_verdict trace_begins(struct report_parser *parser,
                                        const struct report_match *match)
{
    (void)match;
    parser->report->in_trace = true;
    return REPORT_PART;
}

// The places that stand among the words of a line, which are frames of no trace.
static unsigned add_tokens(struct report_parser *parser, enum report_role role)
{
    struct report_cursor cursor = report_span_cursor(parser->line->body);
    unsigned count = 0;
    while (report_left(&cursor)) {
        report_skip_spaces(&cursor);
        struct report_frame frame = {.role = role, .aside = true};
        if (report_token(parser, &cursor, &frame)) {
            report_add_frame(parser, &frame);
            count++;
        } else {
            report_word(&cursor);
        }
    }
    return count;
}

static const char *stack_title(struct report_parser *parser)
{
    struct report_span title = parser->line->body;
    if (title.length && title.at[title.length - 1] == ':')
        title.length--;
    return report_copy(parser, title);
}

// The heading of a trace that the report is about, or of one of several.
static enum report_verdict titled_stack(struct report_parser *parser,
                                        const struct report_match *match)
{
    (void)match;
    report_add_stack(parser, stack_title(parser));
    return REPORT_PART;
}

// The heading of a trace that was taken earlier, wherever it stands.
static enum report_verdict side_stack(struct report_parser *parser,
                                      const struct report_match *match)
{
    (void)match;
    report_add_side_stack(parser, stack_title(parser));
    add_tokens(parser, REPORT_RETURN);
    return REPORT_PART;
}

// "HARDIRQ-ON-W at:", "Preemption disabled at:"
static enum report_verdict stack_of_place(struct report_parser *parser,
                                          const struct report_match *match)
{
    return match->rest.length ? REPORT_NOT_OURS : side_stack(parser, match);
}

// What a panic prints is a stack of its own, unless it is all that there is. Behind a whole report
// it prints none.
static enum report_verdict panic_begins(struct report_parser *parser,
                                        const struct report_match *match)
{
    (void)match;
    if (!parser->report->ended)
        report_add_stack(parser, NULL);
    return REPORT_PART;
}

static enum report_verdict main_stack(struct report_parser *parser,
                                      const struct report_match *match)
{
    (void)match;
    report_return_to_first_stack(parser);
    return REPORT_PART;
}

// -- the rest -------------------------------------------------------------------------------------

static enum report_verdict offset(struct report_parser *parser, const struct report_match *match)
{
    struct report_cursor cursor = report_span_cursor(match->rest);
    bool disabled = report_accept(&cursor, "disabled");
    uint64_t slide = disabled ? 0 : report_hex(&cursor);
    if (!cursor.failed) {
        parser->report->has_slide = true;
        parser->report->slide = slide;
    }
    return REPORT_PART;
}

// "WARNING: CPU: 1 PID: 85 at file.c:22 name+0x1/0x2 [module]": the place once more.
static enum report_verdict exact_beside(struct report_parser *parser,
                                        const struct report_match *match)
{
    (void)match;
    add_tokens(parser, REPORT_EXACT);
    return REPORT_PART;
}

// "#0: ffff888003a4 (outer){+.+.}-{3:3}, at: name+0x1/0x2": where it was called.
static enum report_verdict callers_beside(struct report_parser *parser,
                                          const struct report_match *match)
{
    (void)match;
    return add_tokens(parser, REPORT_RETURN) ? REPORT_PART : REPORT_NOT_OURS;
}

static const struct report_rule rules[] = {
    {"RIP: *:", report_linux_rip},
    {"RIP  ", report_linux_lr},
    {"IP: ", report_linux_lr},
    {"pc : ", report_linux_pc},
    {"lr : ", report_linux_lr},
    {"epc : ", report_linux_epc},
    {"epc: ", report_linux_epc},
    {"ra : ", report_linux_lr},
    {"Code: Unable to access", report_part},
    {"Code: Bad RIP value", report_part},
    {"Code: ", report_linux_code},
    {"CPU: * UID: * PID: * Comm: * Not tainted ", report_linux_who_with_user},
    {"CPU: * UID: * PID: * Comm: * Tainted: ", report_linux_who_with_user},
    {"CPU: * PID: * Comm: * Not tainted ", report_linux_who},
    {"CPU: * PID: * Comm: * Tainted: ", report_linux_who},
    {"INFO: task *:* blocked ", report_linux_hung_task},
    {"Tainted: ", report_linux_hung_version},
    {"Not tainted ", report_linux_hung_version},
    {"Call Trace:", trace_begins},
    {"Call trace:", trace_begins},
    {"Backtrace:", trace_begins},
    {"Stack:", report_part},
    {"<", report_part}, // <TASK>, </IRQ>, <EOE>
    {"NMI backtrace for cpu ", titled_stack},
    {"task:", titled_stack},
    {"sysrq: CPU*: backtrace skipped", report_part},
    {"sysrq: CPU", titled_stack},
    {"Allocated by task ", side_stack},
    {"Freed by task ", side_stack},
    {"Allocated in ", side_stack},
    {"Freed in ", side_stack},
    {"Last potentially related work creation:", side_stack},
    {"Second to last potentially related work creation:", side_stack},
    {"allocated by task ", side_stack}, // KFENCE
    {"freed by task ", side_stack},
    {"-> #", side_stack}, // lockdep's chain of dependencies
    {"stack backtrace:", main_stack},
    {"race at unknown origin", report_part},
    {"write to 0x", titled_stack},
    {"read to 0x", titled_stack},
    {"read-write to 0x", titled_stack},
    {"Read of size ", report_part},
    {"Write of size ", report_part},
    {"The buggy address ", report_part},
    {"Memory state around the buggy address:", report_part},
    {"WARNING: ", exact_beside},
    {"BUG: KFENCE: * in ", exact_beside},
    {"BUG: K* in ", callers_beside},
    {"* at: ", callers_beside},
    {"* at:", stack_of_place},
    {"*irqs last *abled at (", callers_beside},
    {"irq event stamp: ", report_part},
    {"raw: ", report_part},
    {"Modules linked in:", report_part},
    {"Hardware name: ", report_part},
    {"Workqueue: ", report_part},
    {"Sending NMI from CPU ", report_part},
    {"\"echo 0 > ", report_part},
    {"Kernel Offset: ", offset},
    {"PHYS_OFFSET: ", report_part},
    {"CPU features: ", report_part},
    {"Memory Limit: ", report_part},
    {"SMP: stopping secondary CPUs", report_part},
    {"Rebooting in ", report_part},
    {"Mem abort info:", report_part},
    {"Data abort info:", report_part},
    {"ESR = 0x", report_part},
    {"Internal error: ", report_part},
    {"Oops", report_part},
    {"invalid opcode: ", report_part},
    {"Kernel panic - not syncing: ", panic_begins},
    {"note: ", report_part},
    {"---[ end trace ", report_end},
    {"---[ end Kernel panic", report_end},
    {"", report_linux_registers},
    {"", trace_frame},
    {0},
};

const struct report_format report_format_linux = {
    .name = "Linux",
    .beginnings = report_linux_beginnings,
    .rules = rules,
    .skips = report_linux_skips,
    .entries = report_linux_entries,
    .patience = 40,
};
