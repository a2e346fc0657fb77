// SPDX-License-Identifier: MIT
// Who it happened to, in Linux: the CPU, the task, and the version of the kernel.
#include <ctype.h>
#include <elf.h>
#include <string.h>

#include "symbolizer/report/linux.h"

// The last word of the line, where the kernel prints its own build-id.
static const char *parse_build_id(struct report_parser *parser, struct report_span word)
{
    struct report_cursor digits = report_span_cursor(word);
    while (report_left(&digits) && isxdigit((unsigned char)*digits.at))
        digits.at++;
    return word.length == 40 && !report_left(&digits) ? report_copy(parser, word) : NULL;
}

// Traces of calls alone look alike on x86-64 and RISC-V; a distribution's version tells.
static void guess_machine(struct report *report, struct report_span version)
{
    static const struct {
        const char *pattern;
        uint16_t machine;
    } flavours[] = {{"*amd64", EM_X86_64},
                    {"*x86_64", EM_X86_64},
                    {"*arm64", EM_AARCH64},
                    {"*aarch64", EM_AARCH64},
                    {"*riscv64", EM_RISCV}};
    struct report_match match;
    for (size_t i = 0; i < sizeof(flavours) / sizeof(*flavours) && !report->machine; i++)
        if (report_match(flavours[i].pattern, version, &match))
            report->machine = flavours[i].machine;
}

void report_linux_guess_machine(struct report *report, const struct report_frame *frame)
{
    static const struct {
        const char *entry; // of system calls and exceptions
        uint16_t machine;
    } entries[] = {{"entry_SYSCALL_64_after_hwframe", EM_X86_64},
                   {"el0t_64_sync", EM_AARCH64},
                   {"el1h_64_irq", EM_AARCH64},
                   {"ret_from_syscall", EM_RISCV},
                   {"do_trap_ecall_u", EM_RISCV},
                   {"ret_from_exception", EM_RISCV}};
    if (report->machine || !frame->name)
        return;
    for (size_t i = 0; i < sizeof(entries) / sizeof(*entries); i++)
        if (!strcmp(frame->name, entries[i].entry))
            report->machine = entries[i].machine;
}

// The version stands behind the taint flags: "Tainted: G           OE      6.1.0-56-amd64 #1 ...".
static void parse_version(struct report_parser *parser, struct report_cursor cursor)
{
    struct report *report = parser->report;
    while (report_left(&cursor)) {
        report_skip_spaces(&cursor);
        struct report_span word = report_word(&cursor);
        if (cursor.failed)
            return;
        const char *build_id = parse_build_id(parser, word);
        if (build_id)
            report->build_id = build_id;
        if (report->version || !isdigit((unsigned char)*word.at))
            continue;
        report->version = report_copy(parser, word);
        guess_machine(report, word);
        struct report_match hash;
        if (report_match("*-g*", word, &hash)) {
            struct report_cursor digits = report_span_cursor(hash.captures[1]);
            struct report_span git = report_until(&digits, "-+_ ");
            if (git.length >= 7)
                report->git = report_copy(parser, git);
        }
    }
}

static void parse_who(struct report_parser *parser, struct report_span cpu, struct report_span task,
                      struct report_span rest)
{
    struct report *report = parser->report;
    if (!report->first_stack.count)
        report_return_to_first_stack(parser); // those before it were taken earlier
    else if (report->stack->count && !report->ended &&
             !(report->stack->count == 1 && report->stack->first->role == REPORT_EXACT))
        report_add_stack(parser, NULL);
    if (report->task || report->ended)
        return;
    struct report_cursor number = report_span_cursor(cpu);
    report->cpu = (int)report_decimal(&number);
    report->task = report_copy(parser, task);
    parse_version(parser, report_span_cursor(rest));
}

enum report_verdict report_linux_who(struct report_parser *parser, const struct report_match *match)
{
    parse_who(parser, match->captures[0], match->captures[2], match->rest);
    return REPORT_PART;
}

enum report_verdict report_linux_who_with_user(struct report_parser *parser,
                                               const struct report_match *match)
{
    parse_who(parser, match->captures[0], match->captures[3], match->rest);
    return REPORT_PART;
}

// "INFO: task stuckworker:86 blocked for more than 3 seconds."
enum report_verdict report_linux_hung_task(struct report_parser *parser,
                                           const struct report_match *match)
{
    parser->report->task = report_copy(parser, match->captures[0]);
    return REPORT_PART;
}

// A hung task's report has the version on a line of its own.
enum report_verdict report_linux_hung_version(struct report_parser *parser,
                                              const struct report_match *match)
{
    if (!parser->report->version)
        parse_version(parser, report_span_cursor(match->rest));
    return REPORT_PART;
}
