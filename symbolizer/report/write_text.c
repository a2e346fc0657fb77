// SPDX-License-Identifier: MIT
// The log as text, with what was found out beneath each line. See writers.h.
#include <string.h>

#include "symbolizer/report/writers.h"

#define SOURCE_AROUND 2 // lines before and behind

// ECMA-48 SGR, one for each kind of thing.
static const char *const plain[] = {"", "", "", "", "", ""};
static const char *const coloured[] = {"\033[0m", "\033[1m",    "\033[36m",
                                       "\033[2m", "\033[1;31m", "\033[33m"};
enum colour { NORMAL, FUNCTION, FILE_NAME, DIM, FAULT, WARNING };

static const char *colour(const struct report_show *show, enum colour which)
{
    return (show->colour ? coloured : plain)[which];
}

static void put_place(const struct report_show *show, const struct report_place_text *place,
                      bool within)
{
    fprintf(show->to, "---    %s%s%s%s", within ? "inlined by " : "", colour(show, FUNCTION),
            place->function, colour(show, NORMAL));
    if (place->file) {
        fprintf(show->to, " at %s%s", colour(show, FILE_NAME), place->file);
        if (place->line)
            fprintf(show->to, ":%u", place->line);
        if (place->line && place->column)
            fprintf(show->to, ":%u", place->column);
        fputs(colour(show, NORMAL), show->to);
    }
    fputc('\n', show->to);
}

static void put_source(struct report_show *show, const struct report_place_text *place)
{
    if (!show->source || !place->file || !place->line)
        return;
    uint32_t first = place->line > SOURCE_AROUND ? place->line - SOURCE_AROUND : 1;
    if (!report_source_line(show->sources, place->file, place->line).at)
        return;
    for (uint32_t number = first; number <= place->line + SOURCE_AROUND; number++) {
        struct report_span line = report_source_line(show->sources, place->file, number);
        if (!line.at)
            break;
        bool here = number == place->line;
        report_arena_reset(&show->scratch);
        const char *text = report_printable(&show->scratch, line.at, line.length, NULL);
        fprintf(show->to, "---    %s%c %5u  %s%s\n", colour(show, here ? FAULT : DIM),
                here ? '>' : ' ', number, text, colour(show, NORMAL));
    }
}

static void put_listing(struct report_show *show, const struct report_listing *listing)
{
    for (size_t i = 0; i < listing->count; i++) {
        const struct report_instruction *row = &listing->rows[i];
        fprintf(show->to, "---    %s%c ", colour(show, row->fault ? FAULT : DIM),
                row->fault ? '>' : ' ');
        long long distance = (long long)row->address;
        if (listing->from_file)
            fprintf(show->to, "0x%llx", (unsigned long long)row->address);
        else
            fprintf(show->to, "%+4lld", distance);
        if (listing->symbol)
            fprintf(show->to, " <+0x%llx>", (unsigned long long)(row->address - listing->start));
        fputs("  ", show->to);
        if (*row->text)
            fputs(row->text, show->to);
        for (size_t k = 0; !*row->text && k < row->length; k++)
            fprintf(show->to, k ? " %02x" : ".byte %02x", row->bytes[k]);
        fprintf(show->to, "%s\n", colour(show, NORMAL));
    }
}

static void put_frame(struct report_show *show, const struct report_line *line,
                      const struct report_frame *frame)
{
    size_t count = report_place_count(frame);
    for (size_t i = 0; i < count; i++) {
        struct report_place_text place = report_place_text(frame, i);
        put_place(show, &place, i > 0);
        if (i == 0 && report_is_subject(line->report, frame))
            put_source(show, &place);
    }
    if (count && frame->others)
        fprintf(show->to, "---    %s(%u more of that name)%s\n", colour(show, WARNING),
                frame->others, colour(show, NORMAL));
    bool few = !line->report || line->report->contradictions < 3; // else it is said once
    if (count && frame->contradicts && few)
        fprintf(show->to, "---    %s(the address is of another place)%s\n", colour(show, WARNING),
                colour(show, NORMAL));
    struct report_listing listing = report_listing_at(show, line, frame);
    put_listing(show, &listing);
}

static void text_line(void *context, const struct report_line *line)
{
    struct report_show *show = context;
    if (line->capsule) {
        show->hidden++;
        return;
    }
    if (show->hidden)
        fprintf(show->to, "---  %u lines of the capsule are left out here\n", show->hidden);
    show->hidden = 0;
    fwrite(line->text, 1, line->length, show->to);
    fputc('\n', show->to);
    for (const struct report_frame *frame = line->frames; frame; frame = frame->next_on_line)
        put_frame(show, line, frame);
    struct report_listing listing = report_listing_at(show, line, NULL);
    put_listing(show, &listing);
    if (show->flush)
        fflush(show->to);
}

static void text_report(void *context, const struct report *report)
{
    struct report_show *show = context;
    const char *remark;
    report_arena_reset(&show->scratch);
    for (unsigned i = 0; (remark = report_remark(&show->scratch, report, i)); i++) {
        bool warning = !strncmp(remark, "warning: ", 9);
        fprintf(show->to, "---  %s%s%s\n",
                colour(show, warning ? WARNING
                             : i     ? DIM
                                     : FUNCTION),
                remark, colour(show, NORMAL));
    }
    show->reports++;
    if (show->flush)
        fflush(show->to);
}

struct report_sink report_text_sink(struct report_show *show)
{
    return (struct report_sink){text_line, text_report, show};
}
