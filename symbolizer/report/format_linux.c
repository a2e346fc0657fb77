// SPDX-License-Identifier: MIT
// Linux on x86-64, AArch64 and RISC-V: oopses, BUG, WARNING, panics, stalls, hung tasks, lockups,
// sysrq's backtraces, KASAN and its relatives. The lines are those of arch/*/kernel/{dumpstack,
// traps,process}.c, kernel/{panic,hung_task,watchdog}.c, kernel/rcu/tree_stall.h and
// mm/kasan/report.c of versions 4.4 to 6.14; what differs between versions has a row each.
#include <ctype.h>
#include <elf.h>
#include <string.h>

#include "symbolizer/report/format.h"

// -- traces ---------------------------------------------------------------------------------------

// One frame of a trace: "? [<ffffffff81000000>] name+0x1/0x2 [module]", any part of which but the
// place may be missing, and nothing else on the line.
static bool parse_frame(struct report_parser *parser, struct report_cursor *cursor,
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
    if (!parse_frame(parser, &cursor, &frame) || !ends_frame(cursor))
        return REPORT_NOT_OURS;
    if (!parser->report->in_trace && !frame.has_offset)
        return REPORT_NOT_OURS; // a number by itself
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

static enum report_verdict titled_stack(struct report_parser *parser,
                                        const struct report_match *match)
{
    (void)match;
    struct report_span title = parser->line->body;
    if (title.length && title.at[title.length - 1] == ':')
        title.length--;
    report_add_stack(parser, report_copy(parser, title));
    return REPORT_PART;
}

// -- where it happened ----------------------------------------------------------------------------

static void exact_frame(struct report_parser *parser, struct report_cursor cursor, uint16_t machine)
{
    struct report *report = parser->report;
    report->machine = machine;
    struct report_frame frame = {.role = REPORT_EXACT};
    if (!parse_frame(parser, &cursor, &frame))
        return;
    // The registers are printed once more behind the trace, and below a trace those of the
    // interrupted context.
    frame.aside = report->ended;
    report->user = false;
    report_add_frame(parser, &frame);
    report->exact_next = false;
}

// "RIP: 0010:name+0x1/0x2"; a code segment of privilege 3 is a process's (SDM vol. 3, 3.4.2).
static enum report_verdict rip(struct report_parser *parser, const struct report_match *match)
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

static enum report_verdict pc(struct report_parser *parser, const struct report_match *match)
{
    exact_frame(parser, report_span_cursor(match->rest), EM_AARCH64);
    return REPORT_PART;
}

static enum report_verdict beside(struct report_parser *parser, struct report_span text)
{
    struct report_cursor cursor = report_span_cursor(text);
    struct report_frame frame = {.role = REPORT_RETURN, .aside = true};
    if (parse_frame(parser, &cursor, &frame))
        report_add_frame(parser, &frame);
    return REPORT_PART;
}

static enum report_verdict lr(struct report_parser *parser, const struct report_match *match)
{
    return beside(parser, match->rest);
}

// "epc : name+0x1/0x2", "ra : name+0x1/0x2"; before 5.16 "epc: ffffffe000201234 ra : ..." with
// addresses only, all on one line with sp.
static enum report_verdict epc(struct report_parser *parser, const struct report_match *match)
{
    struct report_cursor cursor = report_span_cursor(match->rest);
    struct report_frame frame = {.role = REPORT_EXACT, .aside = parser->report->ended};
    struct report_cursor token = cursor;
    parser->report->machine = EM_RISCV;
    parser->report->user = false;
    if (!report_token(parser, &token, &frame)) {
        frame.address = report_hex(&cursor);
        frame.has_address = !cursor.failed;
        token = cursor;
    }
    struct report_frame *named = parser->report->first_stack.first;
    if (!frame.name && named && named->role == REPORT_EXACT && !named->has_address) {
        named->address = frame.address; // the same place once more, as a number
        named->has_address = frame.has_address;
        frame.aside = true;
    }
    if (frame.has_offset || frame.has_address)
        report_add_frame(parser, &frame);
    report_skip_spaces(&token);
    if (report_accept(&token, "ra :")) {
        report_skip_spaces(&token);
        struct report_frame caller = {.role = REPORT_RETURN, .aside = true};
        if (!report_token(parser, &token, &caller)) {
            caller.address = report_hex(&token);
            caller.has_address = !token.failed;
        }
        if (caller.has_offset || caller.has_address)
            report_add_frame(parser, &caller);
    }
    report_add_registers(parser, report_span_cursor(parser->line->body));
    return REPORT_PART;
}

// "Code: 48 89 <8b> 00", "Code: d503201f (b9000000) d65f03c0", "Code: 8793 0007 (b023) 00a7":
// bytes, or units of 4 or 2 bytes in the machine's order, the faulting one marked.
static enum report_verdict code(struct report_parser *parser, const struct report_match *match)
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

static enum report_verdict registers(struct report_parser *parser, const struct report_match *match)
{
    (void)match;
    struct report_cursor cursor = report_span_cursor(parser->line->body);
    return report_add_registers(parser, cursor) ? REPORT_PART : REPORT_NOT_OURS;
}

// -- who ------------------------------------------------------------------------------------------

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
    if (report->stack->count && !report->ended &&
        !(report->stack->count == 1 && report->stack->first->role == REPORT_EXACT))
        report_add_stack(parser, NULL);
    if (report->task || report->ended)
        return;
    struct report_cursor number = report_span_cursor(cpu);
    report->cpu = (int)report_decimal(&number);
    report->task = report_copy(parser, task);
    parse_version(parser, report_span_cursor(rest));
}

static enum report_verdict who(struct report_parser *parser, const struct report_match *match)
{
    parse_who(parser, match->captures[0], match->captures[2], match->rest);
    return REPORT_PART;
}

static enum report_verdict who_with_user(struct report_parser *parser,
                                         const struct report_match *match)
{
    parse_who(parser, match->captures[0], match->captures[3], match->rest);
    return REPORT_PART;
}

// "INFO: task stuckworker:86 blocked for more than 3 seconds."
static enum report_verdict hung_task(struct report_parser *parser, const struct report_match *match)
{
    parser->report->task = report_copy(parser, match->captures[0]);
    return REPORT_PART;
}

// A hung task's report has the version on a line of its own.
static enum report_verdict hung_version(struct report_parser *parser,
                                        const struct report_match *match)
{
    if (!parser->report->version)
        parse_version(parser, report_span_cursor(match->rest));
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
static enum report_verdict tokens_beside(struct report_parser *parser,
                                         const struct report_match *match)
{
    (void)match;
    struct report_cursor cursor = report_span_cursor(parser->line->body);
    while (report_left(&cursor)) {
        report_skip_spaces(&cursor);
        struct report_frame frame = {.role = REPORT_EXACT, .aside = true};
        if (report_token(parser, &cursor, &frame))
            report_add_frame(parser, &frame);
        else
            report_word(&cursor);
    }
    return REPORT_PART;
}

// Order matters: the first that matches counts, so the special ones stand above the general.
static const struct report_beginning beginnings[] = {
    {"------------[ cut here ]------------", NULL, NULL, REPORT_PENDING, REPORT_ENDS, 0},
    {"kernel BUG at *:*!", "bug", "kernel BUG", REPORT_NEW, REPORT_ENDS, 0},
    {"WARNING: CPU: * PID: * at ", "warning", "WARNING", REPORT_NEW, REPORT_ENDS, 0},
    {"WARNING: possible *", "lockdep", "possible %1", REPORT_NEW, 0, 0},
    {"WARNING: suspicious RCU usage", "lockdep", "suspicious RCU usage", REPORT_NEW, 0, 0},
    {"WARNING: inconsistent lock state", "lockdep", "inconsistent lock state", REPORT_NEW, 0, 0},
    {"WARNING: * at *", "warning", "WARNING", REPORT_NEW, REPORT_ENDS, 0},

    {"BUG: KASAN: * in ", "kasan", "KASAN: %1", REPORT_NEW, 0, 0},
    {"BUG: KFENCE: * in ", "kfence", "KFENCE: %1", REPORT_NEW, 0, 0},
    {"BUG: KMSAN: * in ", "kmsan", "KMSAN: %1", REPORT_NEW, 0, 0},
    {"BUG: KCSAN: * in ", "kcsan", "KCSAN: %1", REPORT_NEW, 0, 0},
    {"UBSAN: * in *", "ubsan", "UBSAN: %1", REPORT_NEW, 0, 0},
    {"BUG: kernel NULL pointer dereference", "null-deref", "null pointer dereference", REPORT_NEW,
     REPORT_ENDS, EM_X86_64},
    {"BUG: unable to handle kernel NULL pointer dereference", "null-deref",
     "null pointer dereference", REPORT_NEW, REPORT_ENDS, EM_X86_64},
    {"BUG: unable to handle page fault", "page-fault", "page fault", REPORT_NEW, REPORT_ENDS,
     EM_X86_64},
    {"BUG: unable to handle kernel paging request", "page-fault", "page fault", REPORT_NEW,
     REPORT_ENDS, EM_X86_64},
    {"BUG: stack guard page was hit", "stack-overflow", "stack overflow", REPORT_NEW, REPORT_ENDS,
     EM_X86_64},
    {"BUG: TASK stack guard page was hit", "stack-overflow", "stack overflow", REPORT_NEW,
     REPORT_ENDS, EM_X86_64},
    {"watchdog: BUG: soft lockup", "soft-lockup", "soft lockup", REPORT_NEW, 0, 0},
    {"NMI watchdog: BUG: soft lockup", "soft-lockup", "soft lockup", REPORT_NEW, 0, 0},
    {"watchdog: Watchdog detected hard LOCKUP", "hard-lockup", "hard lockup", REPORT_NEW, 0, 0},
    {"NMI watchdog: Watchdog detected hard LOCKUP", "hard-lockup", "hard lockup", REPORT_NEW, 0, 0},
    {"watchdog: CPU*: Watchdog detected hard LOCKUP", "hard-lockup", "hard lockup", REPORT_NEW, 0,
     0},
    {"BUG: scheduling while atomic", "atomic-sleep", "scheduling while atomic", REPORT_NEW, 0, 0},
    {"BUG: sleeping function called from invalid context", "atomic-sleep",
     "sleeping function called from invalid context", REPORT_NEW, 0, 0},
    {"BUG: workqueue lockup", "workqueue-lockup", "workqueue lockup", REPORT_NEW, 0, 0},
    {"BUG: Bad page *", "bad-page", "bad page %1", REPORT_NEW, 0, 0},
    {"BUG * (*): *", "slab", "slab: %3", REPORT_NEW, 0, 0},
    {"BUG: *", "bug", "BUG: %1", REPORT_NEW, 0, 0},

    {"Unable to handle kernel NULL pointer dereference", "null-deref", "null pointer dereference",
     REPORT_NEW, REPORT_ENDS, 0},
    {"Unable to handle kernel paging request", "page-fault", "page fault", REPORT_NEW, REPORT_ENDS,
     0},
    {"Unable to handle kernel access to user memory", "user-access",
     "access to user memory outside uaccess routines", REPORT_NEW, REPORT_ENDS, 0},
    {"Unable to handle kernel *", "page-fault", "unable to handle kernel %1", REPORT_NEW,
     REPORT_ENDS, 0},
    {"Internal error: Oops - BUG", "bug", "kernel BUG", REPORT_JOIN, REPORT_ENDS, EM_AARCH64},
    {"Internal error: Oops - Undefined instruction", "invalid-opcode", "undefined instruction",
     REPORT_JOIN, REPORT_ENDS, EM_AARCH64},
    {"Internal error: *:", "oops", "%1", REPORT_JOIN, REPORT_ENDS, EM_AARCH64},
    {"Insufficient stack space to handle exception!", "stack-overflow", "stack overflow",
     REPORT_NEW, REPORT_ENDS, 0},
    {"general protection fault", "gpf", "general protection fault", REPORT_JOIN, REPORT_ENDS,
     EM_X86_64},
    {"divide error: ", "divide", "divide error", REPORT_JOIN, REPORT_ENDS, EM_X86_64},
    {"Oops: divide error: ", "divide", "divide error", REPORT_JOIN, REPORT_ENDS, EM_X86_64},
    {"Oops: general protection fault", "gpf", "general protection fault", REPORT_JOIN, REPORT_ENDS,
     EM_X86_64},
    {"invalid opcode: ", "invalid-opcode", "invalid opcode", REPORT_JOIN, REPORT_ENDS, EM_X86_64},
    {"Oops: invalid opcode: ", "invalid-opcode", "invalid opcode", REPORT_JOIN, REPORT_ENDS,
     EM_X86_64},
    {"stack segment: ", "stack-segment", "stack segment fault", REPORT_JOIN, REPORT_ENDS,
     EM_X86_64},
    {"int3: ", "int3", "int3", REPORT_JOIN, REPORT_ENDS, EM_X86_64},
    {"double fault: ", "double-fault", "double fault", REPORT_JOIN, REPORT_ENDS, EM_X86_64},
    {"traps: PANIC: double fault", "double-fault", "double fault", REPORT_NEW, REPORT_ENDS,
     EM_X86_64},
    {"PANIC: double fault", "double-fault", "double fault", REPORT_NEW, REPORT_ENDS, EM_X86_64},
    {"Oops - *[#", "oops", "oops: %1", REPORT_JOIN, REPORT_ENDS, 0},
    {"Oops: ", "oops", "oops", REPORT_JOIN, REPORT_ENDS, 0},
    {"Oops [#", "oops", "oops", REPORT_JOIN, REPORT_ENDS, EM_RISCV},
    {"Kernel BUG [#", "bug", "kernel BUG", REPORT_JOIN, REPORT_ENDS, EM_RISCV},
    {"Kernel panic - not syncing: *", "panic", "panic: %1", REPORT_JOIN, 0, 0},

    {"rcu: INFO: * self-detected stall on CPU", "rcu-stall", "RCU stall", REPORT_NEW, 0, 0},
    {"rcu: INFO: * detected stalls on CPUs", "rcu-stall", "RCU stall", REPORT_NEW, 0, 0},
    {"rcu: INFO: * detected expedited stalls", "rcu-stall", "RCU stall", REPORT_NEW, 0, 0},
    {"INFO: rcu* self-detected stall on CPU", "rcu-stall", "RCU stall", REPORT_NEW, 0, 0},
    {"INFO: rcu* detected stalls on CPUs", "rcu-stall", "RCU stall", REPORT_NEW, 0, 0},
    {"INFO: task *:* blocked for more than * seconds", "hung-task", "hung task", REPORT_NEW, 0, 0},
    {"INFO: task *:* blocked in I/O wait for more than ", "hung-task", "hung task", REPORT_NEW, 0,
     0},
    {"sysrq: Trigger a crash", "sysrq-crash", "sysrq: crash", REPORT_NEW, REPORT_PLACELESS, 0},
    {"sysrq: Show Backtrace", "sysrq", "sysrq: backtrace", REPORT_NEW, REPORT_PLACELESS, 0},
    {"sysrq: Show backtrace of all active CPUs", "sysrq", "sysrq: backtrace of all CPUs",
     REPORT_NEW, REPORT_PLACELESS, 0},
    {"sysrq: Show State", "sysrq", "sysrq: state of the tasks", REPORT_NEW, REPORT_PLACELESS, 0},
    {"sysrq: Show Blocked State", "sysrq", "sysrq: blocked tasks", REPORT_NEW, REPORT_PLACELESS, 0},
    {"sysrq: Show Regs", "sysrq", "sysrq: registers", REPORT_NEW, REPORT_PLACELESS, 0},
    {"NMI backtrace for cpu ", "backtrace", "backtrace of a CPU", REPORT_JOIN, 0, 0},
    {"Call Trace:", "backtrace", "backtrace", REPORT_JOIN, 0, 0},
    {"Call trace:", "backtrace", "backtrace", REPORT_JOIN, 0, EM_AARCH64},
    {0},
};

static const struct report_rule rules[] = {
    {"RIP: *:", rip},
    {"RIP  ", lr},
    {"IP: ", lr},
    {"pc : ", pc},
    {"lr : ", lr},
    {"epc : ", epc},
    {"epc: ", epc},
    {"ra : ", lr},
    {"Code: Unable to access", report_part},
    {"Code: Bad RIP value", report_part},
    {"Code: ", code},
    {"CPU: * UID: * PID: * Comm: * Not tainted ", who_with_user},
    {"CPU: * UID: * PID: * Comm: * Tainted: ", who_with_user},
    {"CPU: * PID: * Comm: * Not tainted ", who},
    {"CPU: * PID: * Comm: * Tainted: ", who},
    {"INFO: task *:* blocked ", hung_task},
    {"Tainted: ", hung_version},
    {"Not tainted ", hung_version},
    {"Call Trace:", trace_begins},
    {"Call trace:", trace_begins},
    {"Backtrace:", trace_begins},
    {"Stack:", report_part},
    {"<", report_part}, // <TASK>, </IRQ>, <EOE>
    {"NMI backtrace for cpu ", titled_stack},
    {"task:", titled_stack},
    {"Allocated by task ", titled_stack},
    {"Freed by task ", titled_stack},
    {"Allocated in ", titled_stack},
    {"Freed in ", titled_stack},
    {"Last potentially related work creation:", titled_stack},
    {"Second to last potentially related work creation:", titled_stack},
    {"Uninit was created at:", titled_stack},
    {"Uninit was stored to memory at:", titled_stack},
    {"race at unknown origin", report_part},
    {"write to 0x", titled_stack},
    {"read to 0x", titled_stack},
    {"read-write to 0x", titled_stack},
    {"Read of size ", report_part},
    {"Write of size ", report_part},
    {"The buggy address ", report_part},
    {"Memory state around the buggy address:", report_part},
    {"WARNING: ", tokens_beside},
    {"BUG: K* in ", tokens_beside},
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
    {"Kernel panic - not syncing: ", report_part},
    {"note: ", report_part},
    {"---[ end trace ", report_end},
    {"---[ end Kernel panic", report_end},
    {"", registers},
    {"", trace_frame},
    {0},
};

static const char *const skips[] = {
    // printing
    "dump_stack",
    "dump_stack_lvl",
    "__dump_stack",
    "show_stack",
    "dump_backtrace",
    "show_regs",
    "sched_show_task",
    "show_state_filter",
    "__warn",
    "warn_slowpath_",
    "report_bug",
    "handle_bug",
    "panic",
    "vpanic",
    "nmi_panic",
    "die",
    "__die",
    "oops_end",
    "oops_enter",
    "check_panic_on_warn",
    "make_task_dead",
    "do_exit",
    // exceptions
    "exc_",
    "asm_exc_",
    "asm_sysvec_",
    "sysvec_",
    "do_error_trap",
    "do_trap",
    "page_fault",
    "page_fault_oops",
    "do_user_addr_fault",
    "do_page_fault",
    "__do_page_fault",
    "no_context",
    "__bad_area",
    "__bad_area_nosemaphore",
    "bad_area",
    "bad_area_nosemaphore",
    "invalid_op",
    "do_invalid_op",
    "general_protection",
    "do_general_protection",
    "el1h_64_",
    "el1_",
    "el0_",
    "do_mem_abort",
    "do_translation_fault",
    "__do_kernel_fault",
    "die_kernel_fault",
    "do_trap_",
    "handle_exception",
    "ret_from_exception",
    "do_DataAbort",
    "brk_handler",
    "do_debug_exception",
    "bug_handler",
    // checkers
    "kasan_",
    "__kasan_",
    "__asan_",
    "print_address_description",
    "print_report",
    "check_memory_region",
    "kfence_",
    "__kfence_",
    "kmsan_",
    "__msan_",
    "kcsan_",
    "__ubsan_",
    "ubsan_",
    "__might_",
    "___might_",
    "__schedule_bug",
    "lockdep_",
    "print_circular_bug",
    "print_usage_bug",
    "mark_lock",
    "__lock_acquire",
    "lock_acquire",
    "check_noncircular",
    "object_err",
    "on_freelist",
    "slab_err",
    "print_trailer",
    "check_bytes_and_report",
    "check_object",
    "free_to_partial_list",
    "slab_pad_check",
    // watching
    "nmi_cpu_backtrace",
    "nmi_trigger_cpumask_backtrace",
    "trigger_all_cpu_backtrace",
    "trigger_single_cpu_backtrace",
    "arch_trigger_cpumask_backtrace",
    "rcu_dump_cpu_stacks",
    "rcu_check_gp_kthread",
    "print_cpu_stall",
    "print_other_cpu_stall",
    "check_cpu_stall",
    "rcu_pending",
    "rcu_sched_clock_irq",
    "watchdog_",
    "is_softlockup",
    "update_process_times",
    "tick_sched_",
    "tick_nohz_",
    "__hrtimer_run_queues",
    "hrtimer_interrupt",
    "check_hung_uninterruptible_tasks",
    // sysrq
    "__handle_sysrq",
    "write_sysrq_trigger",
    "sysrq_",
    "showacpu",
    // waiting is what a hung task does; who waits is the question
    "__schedule",
    "__wait_for_common",
    "wait_for_completion",
    "wait_for_common",
    "__mutex_lock",
    "mutex_lock",
    "__mutex_lock_slowpath",
    "rwsem_down_read_slowpath",
    "rwsem_down_write_slowpath",
    "down_read",
    "down_write",
    "down",
    "__down",
    "__down_common",
    "folio_wait_bit_common",
    "__wait_rcu_gp",
    "synchronize_rcu",
    "schedule",
    "schedule_timeout",
    "schedule_preempt_disabled",
    "__switch_to",
    "context_switch",
    "io_schedule",
    "_printk",
    "vprintk",
    NULL,
};

// On x86-64 the context below an exception's entry is announced by RIP; on the others it is simply
// the next line of the trace.
static const char *const entries[] = {
    "el1h_64_irq", "el1h_64_sync", "el1h_64_fiq",      "el1h_64_error",
    "el1t_64_irq", "el1t_64_sync", "el1_irq",          "el1_sync",
    "el1_fiq",     "el1_error",    "handle_exception", "ret_from_exception",
    NULL};

const struct report_format report_format_linux = {
    .name = "Linux",
    .beginnings = beginnings,
    .rules = rules,
    .skips = skips,
    .entries = entries,
    .patience = 40,
};
