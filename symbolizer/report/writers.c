// SPDX-License-Identifier: MIT
// See writers.h: what the writers of text and HTML have in common.
#include "symbolizer/report/writers.h"

#include <string.h>

#include "symbolizer/report/capstone.h"
#include "symbolizer/report/format.h"

void report_show_deinit(struct report_show *show)
{
    report_arena_deinit(&show->scratch);
}

bool report_is_fault(const struct report *report, const struct report_frame *frame)
{
    return report && !frame->aside && frame->role == REPORT_EXACT &&
           frame == report->first_stack.first && (report->trapped || !report->format->tells_traps);
}

bool report_is_subject(const struct report *report, const struct report_frame *frame)
{
    return report_is_fault(report, frame) || (report && frame == report->subject);
}

size_t report_place_count(const struct report_frame *frame)
{
    if (!frame->image)
        return 0;
    return frame->call_count ? frame->call_count : frame->symbol.name != NULL;
}

struct report_place_text report_place_text(const struct report_frame *frame, size_t index)
{
    const char *symbol = frame->symbol.name ? frame->symbol.name : "?";
    if (!frame->call_count)
        return (struct report_place_text){.function = symbol};
    const struct sym_frame *call = &frame->calls[index];
    return (struct report_place_text){
        .function = call->function ? call->function : symbol,
        .file = call->file,
        .line = call->line,
        .column = call->column,
        .inlined = index + 1 < frame->call_count,
    };
}

struct report_listing report_listing_at(struct report_show *show, const struct report_line *line,
                                        const struct report_frame *frame)
{
    struct report_listing none = {0};
    const struct report *report = line->report;
    if (!show->disassembly || !report)
        return none;
    report_arena_reset(&show->scratch);
    if (frame)
        return report_is_fault(report, frame)
                   ? report_disassemble_frame(&show->scratch, frame, &report->code)
                   : none;
    if (!line->code)
        return none;
    const struct report_frame *fault = report->first_stack.first;
    if (fault && report_is_fault(report, fault) && fault->image) {
        struct report_listing shown = report_disassemble_frame(&show->scratch, fault, NULL);
        if (shown.count)
            return none;
    }
    return report_disassemble_code(&show->scratch, report->machine, &report->code);
}

const char *report_remark(struct report_arena *arena, const struct report *report, unsigned index)
{
    const char *remarks[8] = {0};
    unsigned count = 0;
    remarks[count++] = report->title;
    remarks[count++] =
        report_printf(arena, "%s  %s%s%s%s%s", report->signature, report->os ? report->os : "",
                      report->version ? " " : "", report->version ? report->version : "",
                      report->task ? ", " : "", report->task ? report->task : "");
    if (report->has_slide && report->slide)
        remarks[count++] =
            report_printf(arena, "kernel moved by 0x%llx", (unsigned long long)report->slide);
    if (report->wrong_build)
        remarks[count++] = report_printf(
            arena, "warning: %s is another build than the one that wrote this; lines may be wrong",
            report->wrong_build);
    else if (report->contradictions > 2)
        remarks[count++] = "warning: addresses and names do not agree: the ELF file is another "
                           "build than the one that wrote this; lines may be wrong";
    if (report->expects_end && !report->ended)
        remarks[count++] = "warning: the end of this report is missing";
    else if (report->corrupted && report->contradictions <= 2)
        remarks[count++] = "warning: parts of this report are damaged or contradict each other";
    if (report_capstone_missing())
        remarks[count++] = "warning: " REPORT_CAPSTONE " is missing: no instructions are shown";
    return index < count ? remarks[index] : NULL;
}
