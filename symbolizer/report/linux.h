// SPDX-License-Identifier: MIT
// The parts of the format of Linux, of which format_linux.c makes the whole. Parsers of lines are
// rows of its table: see struct report_rule.
#pragma once

#include "symbolizer/report/format.h"

extern const struct report_beginning report_linux_beginnings[];
extern const char *const report_linux_skips[], *const report_linux_entries[];

// One frame of a trace: "? [<ffffffff81000000>] name+0x1/0x2 [module]", any part of which but the
// place may be missing. False: there is none; what stands behind it is left in the cursor.
bool report_linux_frame(struct report_parser *parser, struct report_cursor *cursor,
                        struct report_frame *frame);

// Traces look alike on all machines, but for the functions they end in.
void report_linux_guess_machine(struct report *report, const struct report_frame *frame);

// Where it happened.
enum report_verdict report_linux_rip(struct report_parser *, const struct report_match *);
enum report_verdict report_linux_pc(struct report_parser *, const struct report_match *);
enum report_verdict report_linux_lr(struct report_parser *, const struct report_match *);
enum report_verdict report_linux_epc(struct report_parser *, const struct report_match *);
enum report_verdict report_linux_code(struct report_parser *, const struct report_match *);
enum report_verdict report_linux_registers(struct report_parser *, const struct report_match *);

// Who it happened to.
enum report_verdict report_linux_who(struct report_parser *, const struct report_match *);
enum report_verdict report_linux_who_with_user(struct report_parser *, const struct report_match *);
enum report_verdict report_linux_hung_task(struct report_parser *, const struct report_match *);
enum report_verdict report_linux_hung_version(struct report_parser *, const struct report_match *);
