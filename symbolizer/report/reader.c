// SPDX-License-Identifier: MIT
// See reader.h. States of a report, told by its fields:
//
//   open     in the reader's list; lines of its caller are offered to its format's rules
//   ended    its last line was seen; it stays open for the aftermath, until foreign lines come
//   complete out of the list; waits in the queue for the lines before it
//
// The queue holds lines, oldest first, from the first line of the oldest report that is not
// complete. All of it lives in one arena, which is emptied whenever the queue is.
#include "symbolizer/report/reader.h"

#include <stdlib.h>
#include <string.h>

#include "symbolizer/report/format.h"
#include "symbolizer/report/title.h"

#define OPEN_MAX    16         // reports at once
#define AFTERMATH   8          // foreign lines behind the end of a report
#define LINES_MAX   50000      // sysrq's list of all tasks on a large machine
#define EPOCH_BYTES (64 << 20) // of the arena, then everything open is closed

static const struct report_format *const formats[] = {
    &report_format_fathom, &report_format_redox,   &report_format_zircon,
    &report_format_linux,  &report_format_freebsd,
};
#define FORMAT_COUNT (sizeof(formats) / sizeof(*formats))

struct report_reader {
    struct report_images *images;
    struct report_sink sink;
    bool live;
    struct report_arena arena;
    struct report_line *first, **end; // the queue
    size_t lines;
    struct report *open; // newest first
    unsigned open_count;
    struct report_slide slide; // of the kernel whose log this is
    bool voted;                // not known yet, but one frame says so
    uint64_t offset;           // in the log, of the line being assembled
    size_t raw;                // bytes of the log it has taken so far
    bool carriage_return;      // was the last byte
    size_t length;
    char bytes[REPORT_LINE_MAX];
};

struct report_reader *report_reader_create(struct report_images *images,
                                           const struct report_sink *sink, bool live)
{
    struct report_reader *reader = calloc(1, sizeof(*reader));
    if (!reader)
        abort();
    reader->images = images;
    reader->sink = *sink;
    reader->live = live;
    reader->end = &reader->first;
    return reader;
}

void report_reader_destroy(struct report_reader *reader)
{
    if (!reader)
        return;
    report_arena_deinit(&reader->arena);
    free(reader);
}

// -- writing out ----------------------------------------------------------------------------------

static void find_line(struct report_reader *reader, struct report_line *line)
{
    struct report *report = line->report;
    struct report_slide slide = reader->slide;
    if (report && report->has_slide)
        slide = (struct report_slide){true, report->slide};
    for (struct report_frame *frame = line->frames; frame; frame = frame->next_on_line)
        report_images_find(reader->images, &reader->arena, report, slide, frame);
}

static void write_line(struct report_reader *reader, struct report_line *line)
{
    if (reader->sink.line)
        reader->sink.line(reader->sink.context, line);
}

static void write_report(struct report_reader *reader, struct report *report)
{
    if (reader->sink.report)
        reader->sink.report(reader->sink.context, report);
}

// Is the line the beginning of one that waits for more?
static bool is_waiting(const struct report_reader *reader, const struct report_line *line)
{
    for (const struct report *report = reader->open; report; report = report->next)
        if (report->first_line == line)
            return true;
    return false;
}

// Writes what waits for nothing any more. A live log's lines have been written when they came.
static void flush(struct report_reader *reader)
{
    while (reader->first && !is_waiting(reader, reader->first)) {
        struct report_line *line = reader->first;
        if (!reader->live)
            write_line(reader, line);
        if (line->report && line->report->last_line == line && line->report->complete)
            write_report(reader, line->report);
        reader->first = line->next;
        reader->lines--;
    }
    if (!reader->first) {
        reader->end = &reader->first;
        if (!reader->open)
            report_arena_reset(&reader->arena);
    }
}

// -- reports --------------------------------------------------------------------------------------

// One frame may lie: its bytes were damaged, or the ELF file is of another build and only happens
// to have that distance. Two that agree are believed.
static void learn_slide(struct report_reader *reader, const struct report *report,
                        const struct report_frame *frame)
{
    uint64_t value;
    if (reader->slide.known || !report_images_slide(reader->images, report, frame, &value))
        return;
    reader->slide.known = reader->voted && reader->slide.value == value;
    reader->slide.value = value;
    reader->voted = true;
}

static void settle_slide(struct report_reader *reader, struct report *report)
{
    if (report->has_slide) {
        reader->slide = (struct report_slide){true, report->slide};
        return;
    }
    for (struct report_stack *stack = &report->first_stack; stack; stack = stack->next)
        for (struct report_frame *frame = stack->first; frame; frame = frame->next_in_stack)
            learn_slide(reader, report, frame);
    report->has_slide = reader->slide.known;
    report->slide = reader->slide.known ? reader->slide.value : 0;
}

static void close_report(struct report_reader *reader, struct report *report)
{
    for (struct report **at = &reader->open; *at; at = &(*at)->next) {
        if (*at == report) {
            *at = report->next;
            break;
        }
    }
    reader->open_count--;
    report->complete = true;
    if (!report->kind) {
        report->kind = "unknown";
        report->words = "unknown";
    }
    if (report->expects_end && !report->ended)
        report->corrupted = true;
    if (!reader->live) {
        settle_slide(reader, report);
        for (struct report_line *line = report->first_line; line; line = line->next) {
            if (line->report == report)
                find_line(reader, line);
            if (line == report->last_line)
                break;
        }
    }
    report_make_title(&reader->arena, report);
}

static struct report *open_report(struct report_reader *reader, const struct report_format *format,
                                  struct report_line *line)
{
    while (reader->open_count >= OPEN_MAX) {
        struct report *oldest = reader->open;
        while (oldest->next)
            oldest = oldest->next;
        close_report(reader, oldest);
    }
    struct report *report = report_alloc(&reader->arena, sizeof(*report));
    report->format = format;
    report->os = format->name;
    report->cpu = -1;
    report->has_slide = format->fixed;
    report->caller = line->caller;
    report->host = line->host;
    report->stack = &report->first_stack;
    report->registers_end = &report->registers;
    report->first_line = report->last_line = line;
    if (line->has_time) {
        report->clock = line->wall ? REPORT_CLOCK_WALL : REPORT_CLOCK_BOOT;
        report->time_s = line->time_s;
    }
    report->next = reader->open;
    reader->open = report;
    reader->open_count++;
    return report;
}

static bool same_caller(const struct report *report, const struct report_line *line)
{
    if (!report->caller || !line->caller)
        return true;
    return !strcmp(report->caller, line->caller);
}

static struct report *report_of(const struct report_reader *reader, const struct report_line *line)
{
    for (struct report *report = reader->open; report; report = report->next)
        if (same_caller(report, line))
            return report;
    return NULL;
}

static const struct report_beginning *find_beginning(const struct report_format *format,
                                                     struct report_span body,
                                                     struct report_match *match)
{
    for (const struct report_beginning *row = format->beginnings; row->pattern; row++)
        if (report_match(row->pattern, body, match))
            return row;
    return NULL;
}

static void set_kind(struct report_reader *reader, struct report *report,
                     const struct report_beginning *row, const struct report_match *match,
                     struct report_span body)
{
    if (row->machine && !report->machine)
        report->machine = row->machine;
    report->expects_end |= (row->flags & REPORT_ENDS) != 0;
    report->placeless |= (row->flags & REPORT_PLACELESS) != 0;
    if (report->kind || !row->kind)
        return;
    report->kind = row->kind;
    report->words = report_fill_words(&reader->arena, row->words, match);
    report->reason = report_strndup(&reader->arena, body.at, body.length);
}

// The report this line begins or joins, or NULL if it does neither.
static struct report *begin(struct report_reader *reader, struct report_line *line)
{
    struct report *open = report_of(reader, line);
    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        struct report_match match = {0};
        const struct report_beginning *row = find_beginning(formats[i], line->body, &match);
        if (!row)
            continue;
        bool joins = open && open->format == formats[i] &&
                     (row->how == REPORT_JOIN || (!open->kind && row->how == REPORT_NEW));
        // Another kernel's words within a report are a coincidence: "panic: " is a reason, too.
        if (open && open->format != formats[i] && row->how == REPORT_JOIN)
            continue;
        if (open && !joins)
            close_report(reader, open);
        struct report *report = joins ? open : open_report(reader, formats[i], line);
        set_kind(reader, report, row, &match, line->body);
        return report;
    }
    return NULL;
}

// A foreign line between those of a report, or the end of the report.
static void foreign_line(struct report_reader *reader, struct report *report)
{
    unsigned patience = report->ended ? AFTERMATH : report->format->patience;
    if (++report->idle_lines > patience)
        close_report(reader, report);
}

static void parse(struct report_reader *reader, struct report *report, struct report_line *line,
                  bool began)
{
    struct report_parser parser = {&reader->arena, report, line, reader->images};
    enum report_verdict verdict = REPORT_NOT_OURS;
    for (const struct report_rule *rule = report->format->rules;
         rule->pattern && verdict == REPORT_NOT_OURS; rule++) {
        struct report_match match = {0};
        if (report_match(rule->pattern, line->body, &match))
            verdict = rule->parse(&parser, &match);
    }
    if (verdict == REPORT_NOT_OURS && !began) {
        foreign_line(reader, report);
        return;
    }
    line->report = report;
    report->last_line = line;
    report->idle_lines = 0;
    report->corrupted |= line->damaged;
    report->ended |= verdict == REPORT_END;
}

// -- lines outside any report ---------------------------------------------------------------------

// Whatever looks like a place is one: a line by itself can be decoded, too. Which kind of address
// it is nobody tells; most are callers.
static void parse_loose(struct report_reader *reader, struct report_line *line)
{
    struct report_parser parser = {&reader->arena, NULL, line, reader->images};
    struct report_cursor cursor = report_span_cursor(line->body);
    if (!memmem(cursor.at, report_left(&cursor), "+0x", 3))
        return;
    struct report_frame frame = {.role = REPORT_RETURN};
    if (report_accept(&cursor, "#0 "))
        frame.role = REPORT_EXACT;
    while (report_left(&cursor)) {
        report_skip_spaces(&cursor);
        struct report_cursor try = cursor;
        report_accept(&try, "[<");
        struct report_span word = {try.at, report_left(&try)};
        bool prefixed = report_span_begins(word, "0x") || try.at != cursor.at;
        uint64_t address = prefixed ? report_hex(&try) : 0;
        if (prefixed && !try.failed) {
            frame.has_address = true;
            frame.address = address;
            report_accept(&try, ">]");
            cursor = try;
            continue;
        }
        if (report_token(&parser, &cursor, &frame)) {
            if (report_accept(&cursor, REPORT_INTERRUPTED))
                frame.role = REPORT_EXACT;
            report_add_frame(&parser, &frame);
            frame = (struct report_frame){.role = REPORT_RETURN};
        } else if (report_left(&cursor)) {
            bool pc = report_accept(&cursor, "RIP:") || report_accept(&cursor, "pc :") ||
                      report_accept(&cursor, "epc :");
            if (pc)
                frame.role = REPORT_EXACT;
            else
                report_word(&cursor);
        }
    }
}

// A new boot has a new place.
static void notice_boot(struct report_reader *reader, const struct report_line *line)
{
    if (report_span_begins(line->body, "Linux version ") ||
        report_span_begins(line->body, "Booting Linux on "))
        reader->slide.known = reader->voted = false;
}

// -- lines ----------------------------------------------------------------------------------------

static void close_all(struct report_reader *reader)
{
    while (reader->open)
        close_report(reader, reader->open);
    flush(reader);
}

static void learn_live(struct report_reader *reader, struct report_line *line)
{
    struct report *report = line->report;
    if (report && report->has_slide)
        reader->slide = (struct report_slide){true, report->slide};
    for (struct report_frame *frame = line->frames; frame; frame = frame->next_on_line)
        learn_slide(reader, report, frame);
    if (report && reader->slide.known) {
        report->has_slide = true;
        report->slide = reader->slide.value;
    }
}

static void end_line(struct report_reader *reader)
{
    struct report_line *line = report_line_make(&reader->arena, reader->bytes, reader->length);
    line->offset = reader->offset;
    line->bytes = reader->raw;
    reader->offset += reader->raw;
    reader->raw = reader->length = 0;
    *reader->end = line;
    reader->end = &line->next;
    reader->lines++;

    // What was decoded before is not decoded again.
    bool ours = report_span_begins((struct report_span){line->text, line->length}, "---  ");
    struct report *report = ours ? NULL : begin(reader, line);
    bool began = report != NULL;
    if (!ours && !report)
        report = report_of(reader, line);
    if (report && line->body.length)
        parse(reader, report, line, began);
    notice_boot(reader, line);
    if (!ours && !line->report)
        parse_loose(reader, line);
    if (reader->live || !line->report) {
        learn_live(reader, line);
        find_line(reader, line);
    }
    if (reader->live && line->report)
        report_note_subject(&reader->arena, line->report);
    if (reader->live)
        write_line(reader, line);
    if (reader->lines > LINES_MAX || reader->arena.total > EPOCH_BYTES)
        close_all(reader);
    flush(reader);
}

// CR LF, CR CR LF and LF CR end one line; a CR by itself ends one that is written over.
static void take_byte(struct report_reader *reader, char byte)
{
    bool over = reader->carriage_return && byte != '\n' && byte != '\r' && reader->length;
    if (over || reader->length == sizeof(reader->bytes))
        end_line(reader);
    reader->carriage_return = byte == '\r';
    reader->raw++;
    if (byte == '\n')
        end_line(reader);
    else if (byte != '\r')
        reader->bytes[reader->length++] = byte;
}

void report_reader_feed(struct report_reader *reader, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        take_byte(reader, bytes[i]);
}

void report_reader_idle(struct report_reader *reader)
{
    close_all(reader);
}

void report_reader_end(struct report_reader *reader)
{
    if (reader->length)
        end_line(reader);
    close_all(reader);
    reader->offset = reader->raw = 0;
    reader->carriage_return = false;
    reader->slide.known = reader->voted = false;
    report_images_forget(reader->images);
}
