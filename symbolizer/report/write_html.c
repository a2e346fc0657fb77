// SPDX-License-Identifier: MIT
// The log as a page of HTML that needs nothing beside itself: what was found out folds out beneath
// its line. See writers.h.
#include <string.h>

#include "symbolizer/report/writers.h"

#define SOURCE_AROUND 4

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n<title>fathom decode</title>\n"
    "<style>\n"
    ":root{color-scheme:light dark}\n"
    "body{font:14px/1.4 ui-monospace,monospace;margin:1.5em;max-width:120ch}\n"
    ".l{white-space:pre-wrap;overflow-wrap:anywhere}\n"
    "details,.r{margin:0 0 0 2ch}summary{cursor:pointer}\n"
    ".f{font-weight:bold}.p{color:#07818d}.h{color:#c22;font-weight:bold}.w{color:#a60}\n"
    "pre{margin:.2em 0 .6em 2ch;opacity:.85}\n"
    ".o{opacity:.6;font-style:italic}\n"
    ".r{border-left:3px solid #c22;padding-left:1ch;margin:.5em 0 1em}\n"
    "</style></head><body>\n";

static void put_escaped(const char *text, size_t length, FILE *to)
{
    for (size_t i = 0; i < length; i++) {
        switch (text[i]) {
        case '<':
            fputs("&lt;", to);
            break;
        case '>':
            fputs("&gt;", to);
            break;
        case '&':
            fputs("&amp;", to);
            break;
        case '"':
            fputs("&quot;", to);
            break;
        default:
            fputc(text[i], to);
        }
    }
}

static void put_text(const char *text, FILE *to)
{
    put_escaped(text, strlen(text), to);
}

void report_html_begin(struct report_show *show)
{
    fputs(head, show->to);
}

void report_html_end(struct report_show *show)
{
    fputs("</body></html>\n", show->to);
}

static void put_place(struct report_show *show, const struct report_place_text *place, bool within)
{
    fprintf(show->to, "%s<span class=\"f\">", within ? "inlined by " : "");
    put_text(place->function, show->to);
    fputs("</span>", show->to);
    if (place->file) {
        fputs(" at <span class=\"p\">", show->to);
        put_text(place->file, show->to);
        if (place->line)
            fprintf(show->to, ":%u", place->line);
        fputs("</span>", show->to);
    }
}

static void put_source(struct report_show *show, const struct report_place_text *place)
{
    if (!show->source || !place->file || !place->line ||
        !report_source_line(show->sources, place->file, place->line).at)
        return;
    fputs("<pre>", show->to);
    uint32_t first = place->line > SOURCE_AROUND ? place->line - SOURCE_AROUND : 1;
    for (uint32_t number = first; number <= place->line + SOURCE_AROUND; number++) {
        struct report_span line = report_source_line(show->sources, place->file, number);
        if (!line.at)
            break;
        report_arena_reset(&show->scratch);
        const char *text = report_printable(&show->scratch, line.at, line.length, NULL);
        fprintf(show->to, "%s%5u  ", number == place->line ? "<span class=\"h\">" : "", number);
        put_text(text, show->to);
        fputs(number == place->line ? "</span>\n" : "\n", show->to);
    }
    fputs("</pre>", show->to);
}

static void put_listing(struct report_show *show, const struct report_listing *listing)
{
    if (!listing->count)
        return;
    fputs("<pre>", show->to);
    for (size_t i = 0; i < listing->count; i++) {
        const struct report_instruction *row = &listing->rows[i];
        if (row->fault)
            fputs("<span class=\"h\">", show->to);
        if (listing->from_file)
            fprintf(show->to, "0x%llx  ", (unsigned long long)row->address);
        else
            fprintf(show->to, "%+4lld  ", (long long)row->address);
        put_text(row->text, show->to);
        for (size_t k = 0; !*row->text && k < row->length; k++)
            fprintf(show->to, k ? " %02x" : ".byte %02x", row->bytes[k]);
        fputs(row->fault ? "</span>\n" : "\n", show->to);
    }
    fputs("</pre>", show->to);
}

static void put_frame(struct report_show *show, const struct report_line *line,
                      const struct report_frame *frame)
{
    size_t count = report_place_count(frame);
    bool subject = report_is_subject(line->report, frame);
    for (size_t i = 0; i < count; i++) {
        struct report_place_text place = report_place_text(frame, i);
        fprintf(show->to, "<details%s><summary>", subject ? " open" : "");
        put_place(show, &place, i > 0);
        fputs("</summary>", show->to);
        put_source(show, &place);
        fputs("</details>\n", show->to);
    }
    struct report_listing listing = report_listing_at(show, line, frame);
    put_listing(show, &listing);
}

static void html_line(void *context, const struct report_line *line)
{
    struct report_show *show = context;
    if (line->capsule) {
        show->hidden++;
        return;
    }
    if (show->hidden)
        fprintf(show->to, "<div class=\"l o\">%u lines of the capsule are left out here</div>\n",
                show->hidden);
    show->hidden = 0;
    fputs("<div class=\"l\">", show->to);
    put_escaped(line->text, line->length, show->to);
    fputs("</div>\n", show->to);
    for (const struct report_frame *frame = line->frames; frame; frame = frame->next_on_line)
        put_frame(show, line, frame);
    struct report_listing listing = report_listing_at(show, line, NULL);
    put_listing(show, &listing);
}

static void html_report(void *context, const struct report *report)
{
    struct report_show *show = context;
    const char *remark;
    fputs("<div class=\"r\">", show->to);
    report_arena_reset(&show->scratch);
    for (unsigned i = 0; (remark = report_remark(&show->scratch, report, i)); i++) {
        fprintf(show->to, "<div class=\"%s\">",
                i == 0                             ? "h"
                : !strncmp(remark, "warning: ", 9) ? "w"
                                                   : "l");
        put_text(remark, show->to);
        fputs("</div>", show->to);
    }
    fputs("</div>\n", show->to);
    show->reports++;
}

struct report_sink report_html_sink(struct report_show *show)
{
    return (struct report_sink){html_line, html_report, show};
}
