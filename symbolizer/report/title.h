// SPDX-License-Identifier: MIT
// What a fleet's tools need of a panic: a title for people and signatures to group by. Neither
// holds addresses, lines, CPUs or tasks, so the same mistake has the same ones on every machine and
// in every build, with ELF files at hand or without.
#pragma once

#include "symbolizer/report/report.h"

// Sets title, alt_titles and the signatures of a report whose frames have been looked up.
void report_make_title(struct report_arena *arena, struct report *report);
// Sets the subject as soon as the frame is there that the title is going to name. For lines that
// are written before the report is complete.
void report_note_subject(struct report_arena *arena, struct report *report);
// A function's name without what compilers add: .cold, .constprop.0, .isra.1, .part.2, .llvm.3,
// Rust's ::h0123456789abcdef.
const char *report_plain_name(struct report_arena *arena, const char *name);
