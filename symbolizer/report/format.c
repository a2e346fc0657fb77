// SPDX-License-Identifier: MIT
// See format.h: what the parsers of all formats share.
#include "symbolizer/report/format.h"

#include <ctype.h>
#include <string.h>

#define NAME_MAX_BYTES  512 // the longest mangled names are shorter by far
#define WORDS_MAX_BYTES 200
#define REGISTERS_MAX   256 // no machine prints more

const char *report_copy(struct report_parser *parser, struct report_span span)
{
    return report_strndup(parser->arena, span.at, span.length);
}

enum report_verdict report_part(struct report_parser *parser, const struct report_match *match)
{
    (void)parser, (void)match;
    return REPORT_PART;
}

enum report_verdict report_end(struct report_parser *parser, const struct report_match *match)
{
    (void)match;
    parser->report->in_trace = false;
    return REPORT_END;
}

// -- tokens ---------------------------------------------------------------------------------------

// Mangled Rust, C++ and the suffixes of compilers: letters, digits and _ . $ @ : < > , & ~ -.
static bool is_name_character(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("_.$@:<>,&~-*", c));
}

static void parse_module(struct report_parser *parser, struct report_cursor *cursor,
                         struct report_frame *frame)
{
    struct report_cursor try = *cursor;
    report_skip_spaces(&try);
    report_expect(&try, "[");
    struct report_span name = report_until(&try, "] ");
    struct report_span id = {0};
    if (report_accept(&try, " "))
        id = report_until(&try, "] ");
    report_expect(&try, "]");
    if (try.failed || !name.length)
        return;
    frame->module = report_copy(parser, name);
    if (id.length)
        frame->build_id = report_copy(parser, id);
    *cursor = try;
}

bool report_token(struct report_parser *parser, struct report_cursor *cursor,
                  struct report_frame *frame)
{
    struct report_cursor try = *cursor;
    const char *start = try.at;
    while (report_left(&try) && is_name_character(*try.at))
        try.at++;
    struct report_span name = {start, (size_t)(try.at - start)};
    if (!name.length || name.length > NAME_MAX_BYTES || isdigit((unsigned char)*start))
        return false;
    report_expect(&try, "+0x");
    uint64_t offset = report_hex(&try);
    report_expect(&try, "/0x");
    uint64_t size = report_hex(&try);
    if (try.failed)
        return false;
    frame->name = report_copy(parser, name);
    frame->has_offset = true;
    frame->offset = offset;
    frame->size = size;
    *cursor = try;
    parse_module(parser, cursor, frame);
    return true;
}

// -- what a report collects -----------------------------------------------------------------------

static bool is_entry(const struct report_format *format, const char *name)
{
    for (const char *const *entry = format->entries; name && entry && *entry; entry++)
        if (!strcmp(*entry, name))
            return true;
    return false;
}

static bool same_frame(const struct report_frame *a, const struct report_frame *b)
{
    if (a->name && b->name)
        return !strcmp(a->name, b->name) && a->offset == b->offset;
    return a->has_address && b->has_address && a->address == b->address;
}

static void append_to_stack(struct report *report, struct report_frame *frame)
{
    struct report_stack *stack = report->stack;
    // Some traces begin with the place the registers told already, and its caller with it.
    if (stack->count && stack->count <= 2 && stack->first->role == REPORT_EXACT &&
        same_frame(stack->first, frame)) {
        frame->role = REPORT_EXACT;
        frame->aside = true;
        return;
    }
    if (report->exact_next && frame->role == REPORT_RETURN && !frame->unreliable)
        frame->role = REPORT_EXACT;
    if (!frame->unreliable)
        report->exact_next = is_entry(report->format, frame->name);
    if (stack->last)
        stack->last->next_in_stack = frame;
    else
        stack->first = frame;
    stack->last = frame;
    stack->count++;
}

struct report_frame *report_add_frame(struct report_parser *parser,
                                      const struct report_frame *frame)
{
    struct report_frame *copy = report_alloc(parser->arena, sizeof(*copy));
    *copy = *frame;
    struct report_frame **end = &parser->line->frames;
    while (*end)
        end = &(*end)->next_on_line;
    *end = copy;
    if (parser->report && !copy->aside)
        append_to_stack(parser->report, copy);
    return copy;
}

static void begin_stack(struct report *report, struct report_stack *stack)
{
    report->exact_next = false;
    report->user = false;
    report->stack = stack;
}

void report_add_side_stack(struct report_parser *parser, const char *title)
{
    struct report *report = parser->report;
    struct report_stack *stack = report_alloc(parser->arena, sizeof(*stack));
    stack->title = title;
    struct report_stack **end = &report->first_stack.next;
    while (*end)
        end = &(*end)->next;
    *end = stack;
    begin_stack(report, stack);
}

void report_add_stack(struct report_parser *parser, const char *title)
{
    struct report *report = parser->report;
    if (report->stack->count) {
        report_add_side_stack(parser, title);
        return;
    }
    begin_stack(report, report->stack);
    report->stack->title = title ? title : report->stack->title;
}

void report_return_to_first_stack(struct report_parser *parser)
{
    begin_stack(parser->report, &parser->report->first_stack);
}

void report_add_register(struct report_parser *parser, struct report_span name, uint64_t value)
{
    struct report *report = parser->report;
    if (report->user)
        return;
    unsigned count = 0;
    for (struct report_register *old = report->registers; old; old = old->next, count++)
        if (report_span_is(name, old->name) || count == REGISTERS_MAX)
            return;
    struct report_register *fresh = report_alloc(parser->arena, sizeof(*fresh));
    fresh->name = report_copy(parser, name);
    fresh->value = value;
    *report->registers_end = fresh;
    report->registers_end = &fresh->next;
}

// One "NAME: 0123456789abcdef", with a selector before the number or flags behind it.
static bool parse_register(struct report_parser *parser, struct report_cursor *cursor)
{
    struct report_cursor try = *cursor;
    report_skip_spaces(&try);
    const char *start = try.at;
    while (report_left(&try) && (isalnum((unsigned char)*try.at) || *try.at == '_'))
        try.at++;
    struct report_span name = {start, (size_t)(try.at - start)};
    report_skip_spaces(&try);
    report_accept(&try, ":");
    report_skip_spaces(&try);
    struct report_cursor selector = try;
    report_hex(&selector);
    if (report_left(&selector) && *selector.at == ':' && selector.at - try.at == 4) {
        try = selector;
        try.at++;
    }
    const char *digits = try.at;
    uint64_t value = report_accept(&try, "0x") ? 0 : report_hex(&try);
    size_t length = (size_t)(try.at - digits);
    bool ends = !report_left(&try) || strchr(" (", *try.at);
    if (try.failed || name.length < 2 || name.length > 10 || !ends || (length != 8 && length < 16))
        return false;
    if (report_accept(&try, "("))
        report_until(&try, " ");
    report_add_register(parser, name, value);
    *cursor = try;
    return true;
}

unsigned report_add_registers(struct report_parser *parser, struct report_cursor cursor)
{
    unsigned count = 0;
    while (parse_register(parser, &cursor))
        count++;
    return count;
}

// -- words ----------------------------------------------------------------------------------------

// Copies text with each number in it as N and each address as ADDR.
static size_t put_normalised(char *to, size_t room, struct report_span text)
{
    size_t length = 0;
    for (size_t i = 0; i < text.length && length + 5 < room;) {
        const char *at = text.at + i;
        bool inside = i && (isalnum((unsigned char)at[-1]) || at[-1] == '_');
        size_t left = text.length - i, run = 0;
        if (!inside && left > 2 && at[0] == '0' && at[1] == 'x') {
            for (run = 2; run < left && isxdigit((unsigned char)at[run]); run++) {
            }
            strcpy(to + length, "ADDR");
            length += 4;
        } else if (!inside && isdigit((unsigned char)*at)) {
            bool letters = false;
            for (; run < left && isxdigit((unsigned char)at[run]); run++)
                letters |= isalpha((unsigned char)at[run]) != 0;
            if (letters || run >= 12) {
                strcpy(to + length, "ADDR");
                length += 4;
            } else {
                to[length++] = 'N';
            }
        } else {
            to[length++] = *at;
            run = 1;
        }
        i += run;
    }
    return length;
}

const char *report_fill_words(struct report_arena *arena, const char *words,
                              const struct report_match *match)
{
    char text[WORDS_MAX_BYTES];
    size_t length = 0;
    for (; *words && length + 1 < sizeof(text); words++) {
        if (words[0] == '%' && words[1] >= '1' && words[1] <= '0' + REPORT_CAPTURES) {
            struct report_span span = match->captures[words[1] - '1'];
            length += put_normalised(text + length, sizeof(text) - length, span);
            words++;
        } else {
            text[length++] = *words;
        }
    }
    while (length && (text[length - 1] == ' ' || text[length - 1] == ':'))
        length--;
    return report_printable(arena, text, length, NULL); // a character may be cut in the middle
}
