// SPDX-License-Identifier: MIT
// The panic report of our own kernel (kdebug/panic.c): registers as "name value", a stack for each
// CPU, the end of the log, and a last line.
#include <elf.h>
#include <string.h>

#include "symbolizer/report/format.h"

// "cpu 0 thread 7 (crash), Fathom 0.1.0, up 3.315810 s"
static enum report_verdict where(struct report_parser *parser, const struct report_match *match)
{
    struct report *report = parser->report;
    struct report_cursor cpu = report_span_cursor(match->captures[0]);
    report->cpu = (int)report_decimal(&cpu);
    report->task = report_copy(parser, match->captures[2]);
    struct report_cursor system = report_span_cursor(match->captures[3]);
    report->os = report_copy(parser, report_word(&system));
    report_skip_spaces(&system);
    report->version = report_copy(parser, report_word(&system));
    struct report_cursor up = report_span_cursor(match->captures[4]);
    uint64_t seconds = report_decimal(&up);
    report_expect(&up, ".");
    uint64_t micros = report_decimal(&up);
    if (!up.failed) {
        report->clock = REPORT_CLOCK_BOOT;
        report->time_s = (double)seconds + (double)micros / 1e6;
    }
    return REPORT_PART;
}

// "cpu 1 thread 4 (cpu1):", behind which its frames follow
static enum report_verdict stack(struct report_parser *parser, const struct report_match *match)
{
    struct report *report = parser->report;
    report->in_trace = true;
    struct report_span title = {parser->line->body.at,
                                (size_t)(match->rest.at - parser->line->body.at - 1)};
    // The one that panicked comes first.
    report_add_stack(parser, report->first_stack.count ? report_copy(parser, title) : NULL);
    return REPORT_PART;
}

// "#0 0xffffffff80215d55 crash_null+0x15/0x1f", or ? where the kernel does not know; the innermost
// and those marked are where something was, the others where a call returns to.
static enum report_verdict frame(struct report_parser *parser, const struct report_match *match)
{
    struct report_span digits = match->captures[0]; // none: they were lost
    struct report_cursor number = report_span_cursor(digits);
    struct report_cursor cursor = report_span_cursor(match->rest);
    bool innermost = digits.length ? report_decimal(&number) == 0 : !parser->report->stack->count;
    struct report_frame frame = {.has_address = true, .address = report_hex(&cursor)};
    if (number.failed || report_left(&number) || cursor.failed)
        return REPORT_NOT_OURS;
    report_skip_spaces(&cursor);
    report_token(parser, &cursor, &frame);
    bool exact = innermost || report_accept(&cursor, REPORT_INTERRUPTED);
    frame.role = exact ? REPORT_EXACT : REPORT_RETURN;
    if (innermost)
        parser->report->exact_next = false;
    report_add_frame(parser, &frame);
    return REPORT_PART;
}

// "build-id fc99ae532e96..., load offset 0x0, boot 5be0cd19137e..."
static enum report_verdict build_id(struct report_parser *parser, const struct report_match *match)
{
    struct report_cursor cursor = report_span_cursor(match->rest);
    report_accept(&cursor, ":");
    report_skip_spaces(&cursor);
    struct report_span id = report_until(&cursor, ", ");
    if (id.length)
        parser->report->build_id = report_copy(parser, id);
    if (!report_accept(&cursor, ", load offset "))
        return REPORT_PART;
    bool down = report_accept(&cursor, "-");
    uint64_t value = report_hex(&cursor);
    if (cursor.failed)
        return REPORT_PART;
    parser->report->slide = down ? -value : value;
    if (report_accept(&cursor, ", boot "))
        parser->report->boot_id = report_copy(parser, report_word(&cursor));
    return REPORT_PART;
}

// "~c0001 BASE64 CRC" (kdebug/format/capsule.h): for programs, behind the report.
static enum report_verdict capsule(struct report_parser *parser, const struct report_match *match)
{
    struct report_cursor cursor = report_span_cursor(match->rest);
    if (!report_accept(&cursor, "C"))
        report_expect(&cursor, "c");
    report_hex(&cursor);
    report_expect(&cursor, " ");
    if (cursor.failed)
        return REPORT_NOT_OURS;
    parser->line->capsule = true;
    return REPORT_PART;
}

static enum report_verdict trap(struct report_parser *parser, const struct report_match *match)
{
    (void)match;
    parser->report->trapped = true;
    return REPORT_PART;
}

static enum report_verdict log_tail(struct report_parser *parser, const struct report_match *match)
{
    (void)match;
    parser->report->in_trace = false;
    return REPORT_PART;
}

// Which machine it is: the first register of the dump tells.
static enum report_verdict registers(struct report_parser *parser, const struct report_match *match)
{
    static const struct {
        const char *first;
        uint16_t machine;
    } dumps[] = {{"rax ", EM_X86_64}, {"x0 ", EM_AARCH64}, {"zero ", EM_RISCV}};
    (void)match;
    struct report_span body = parser->line->body;
    for (size_t i = 0; i < sizeof(dumps) / sizeof(*dumps); i++)
        if (report_span_begins(body, dumps[i].first))
            parser->report->machine = dumps[i].machine;
    struct report_cursor cursor = report_span_cursor(body);
    return report_add_registers(parser, cursor) ? REPORT_PART : REPORT_NOT_OURS;
}

static const struct report_beginning beginnings[] = {
    {"PANIC: null pointer *", "null-deref", "null pointer dereference", REPORT_NEW, REPORT_ENDS, 0},
    {"PANIC: stack overflow", "stack-overflow", "stack overflow", REPORT_NEW, REPORT_ENDS, 0},
    {"PANIC: KASAN: * (", "kasan", "KASAN: %1", REPORT_NEW, REPORT_ENDS, 0},
    {"PANIC: assertion *", "assert", "assertion failed", REPORT_NEW, REPORT_ENDS, 0},
    {"PANIC: inside the debugger: *", "debugger", "panic inside the debugger", REPORT_JOIN, 0, 0},
    {"PANIC: undefined behaviour", "ub", "undefined behaviour", REPORT_NEW, REPORT_ENDS, 0},
    {"PANIC: double lock: ", "lock", "double lock", REPORT_NEW, REPORT_ENDS, 0},
    {"PANIC: lock order: ", "lock-order", "lock order", REPORT_NEW, REPORT_ENDS, 0},
    {"PANIC: lock stuck: ", "lock", "lock stuck", REPORT_NEW, REPORT_ENDS, 0},
    {"PANIC: stack smashed", "stack-smashed", "stack smashed", REPORT_NEW, REPORT_ENDS, 0},
    {"PANIC: *: execution at ", "wild-jump", "jump to nowhere", REPORT_NEW, REPORT_ENDS, 0},
    {"PANIC: *: * at unmapped address ", "page-fault", "%2 at an unmapped address", REPORT_NEW,
     REPORT_ENDS, 0},
    {"PANIC: *: * at 0x*, which is mapped", "page-fault", "%2 that the mapping forbids", REPORT_NEW,
     REPORT_ENDS, 0},
    {"PANIC: * was written to after it was freed", "use-after-free", "write to freed memory",
     REPORT_NEW, REPORT_ENDS, 0},
    {"PANIC: * was overwritten", "overwritten", "%1 was overwritten", REPORT_NEW, REPORT_ENDS, 0},
    {"PANIC: * is free already", "double-free", "double free", REPORT_NEW, REPORT_ENDS, 0},
    {"PANIC: * at 0x", "panic", "%1", REPORT_NEW, REPORT_ENDS, 0},
    {"PANIC: *: 0x", "panic", "%1", REPORT_NEW, REPORT_ENDS, 0},
    {"PANIC: *", "panic", "%1", REPORT_NEW, REPORT_ENDS, 0},
    {0},
};

static const struct report_rule rules[] = {
    {"cpu * thread * (*), *, up * s", where},
    {"cpu * thread * (*):", stack},
    {"#* ", frame},
    {"trap: ", trap},
    {"cpu * panicked, too: ", report_part},
    {"build-id", build_id},
    {"last log lines:", log_tail},
    {"end of panic report", report_end},
    {"begin panic capsule ", report_part},
    {"~", capsule},
    {"end panic capsule ", report_part},
    {"halted", report_end},
    {"", registers},
    {0},
};

static const char *const skips[] = {
    "panic",       "kd_panic",     "kd_vpanic",         "assert_failed", "__stack_chk_fail",
    "__asan_",     "kasan_report", "held_panic",        "held_check",    "spinlock_take_",
    "mutex_take_", "poison_check", "poison_check_page", "__ubsan_",      NULL,
};

// Below these stands the context an exception or interrupt came into. Kernels of today say so.
static const char *const entries[] = {"trap_common", "vector_stubs", "trap_landing", "vectors",
                                      "save_frame",  "save_rest",    "trap_vector",  NULL};

const struct report_format report_format_fathom = {
    .name = "Fathom",
    .beginnings = beginnings,
    .rules = rules,
    .skips = skips,
    .entries = entries,
    .fixed = true,
    .tells_traps = true,
    .patience = 60,
};
