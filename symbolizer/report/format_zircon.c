// SPDX-License-Identifier: MIT
// Symbolizer markup, as Zircon and the sanitizers on Fuchsia print it: {{{reset}}}, {{{module:ID:
// NAME:elf:BUILDID}}}, {{{mmap:ADDRESS:SIZE:load:ID:FLAGS:MODULE-ADDRESS}}}, {{{bt:N:ADDRESS:ra}}},
// {{{pc:ADDRESS}}}, {{{data:ADDRESS}}}, {{{hexdict:NAME: VALUE ...}}} over several lines. Addresses
// mean something only together with the mappings before them, so the elements of a log are read in
// order, several on a line if need be. The format is described in LLVM's SymbolizerMarkupFormat.
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/report/format.h"
#include "symbolizer/report/images.h"

#define FIELDS_MAX 8

struct element {
    struct report_span fields[FIELDS_MAX];
    unsigned count;
};

static uint64_t field_number(const struct element *element, unsigned index, bool *ok)
{
    if (index >= element->count) {
        *ok = false;
        return 0;
    }
    // Hexadecimal behind 0x, octal behind 0, else decimal.
    char digits[24];
    int length = snprintf(digits, sizeof(digits), "%.*s", (int)element->fields[index].length,
                          element->fields[index].at);
    char *end = digits;
    uint64_t value = isdigit((unsigned char)*digits) ? strtoull(digits, &end, 0) : 0;
    *ok &= end != digits && !*end && length < (int)sizeof(digits);
    return value;
}

static void reset(struct report_parser *parser, const struct element *element)
{
    (void)element;
    report_images_forget(parser->images);
}

static void module(struct report_parser *parser, const struct element *element)
{
    bool ok = true;
    uint64_t id = field_number(element, 1, &ok);
    if (!ok || element->count < 5)
        return;
    report_images_module(parser->images, id, report_copy(parser, element->fields[2]),
                         report_copy(parser, element->fields[4]));
}

static void map(struct report_parser *parser, const struct element *element)
{
    bool ok = true;
    uint64_t address = field_number(element, 1, &ok);
    uint64_t size = field_number(element, 2, &ok);
    uint64_t id = field_number(element, 4, &ok);
    uint64_t offset = field_number(element, 6, &ok);
    if (ok && report_span_is(element->fields[3], "load"))
        report_images_map(parser->images, address, size, id, offset);
}

// "ra", the default of a backtrace, or "pc": what kind of address it is.
static enum report_role role(const struct element *element, unsigned index, enum report_role usual)
{
    if (index >= element->count)
        return usual;
    return report_span_is(element->fields[index], "pc") ? REPORT_EXACT : REPORT_RETURN;
}

static void backtrace(struct report_parser *parser, const struct element *element)
{
    bool ok = true;
    uint64_t number = field_number(element, 1, &ok);
    struct report_frame frame = {.has_address = true};
    frame.address = field_number(element, 2, &ok);
    frame.role = role(element, 3, REPORT_RETURN);
    if (!ok)
        return;
    if (number == 0 && parser->report->stack->count)
        report_add_stack(parser, NULL);
    report_images_place(parser->images, &frame);
    report_add_frame(parser, &frame);
}

static void place(struct report_parser *parser, const struct element *element)
{
    bool ok = true;
    struct report_frame frame = {.has_address = true, .aside = true};
    frame.address = field_number(element, 1, &ok);
    frame.role = role(element, 2, REPORT_EXACT);
    report_images_place(parser->images, &frame);
    if (ok)
        report_add_frame(parser, &frame);
}

// The values between "{{{hexdict:" and "}}}", which may be lines apart: a dump of registers.
static void values(struct report_parser *parser, struct report_span text)
{
    struct report_cursor cursor = report_span_cursor(text);
    for (;;) {
        report_skip_spaces(&cursor);
        struct report_span name = report_until(&cursor, ": ");
        report_expect(&cursor, ":");
        report_skip_spaces(&cursor);
        struct report_frame frame = {.role = REPORT_EXACT, .has_address = true, .aside = true};
        frame.address = report_hex(&cursor);
        if (cursor.failed || !name.length)
            break;
        report_add_register(parser, name, frame.address);
        if (!report_span_is(name, "RIP") && !report_span_is(name, "PC") &&
            !report_span_is(name, "pc"))
            continue;
        report_images_place(parser->images, &frame);
        report_add_frame(parser, &frame);
    }
}

static enum report_verdict dictionary(struct report_parser *parser,
                                      const struct report_match *match)
{
    struct report_match inside;
    parser->report->in_trace = !report_match("*}}}", match->rest, &inside);
    values(parser, parser->report->in_trace ? match->rest : inside.captures[0]);
    return REPORT_PART;
}

// A line of a dictionary that an earlier line began.
static enum report_verdict more_values(struct report_parser *parser,
                                       const struct report_match *match)
{
    return parser->report->in_trace ? dictionary(parser, match) : REPORT_NOT_OURS;
}

static const struct {
    const char *name;
    void (*parse)(struct report_parser *parser, const struct element *element);
} elements[] = {
    {"reset", reset},  {"module", module}, {"mmap", map},
    {"bt", backtrace}, {"pc", place},      {"data", place},
};

static void parse_element(struct report_parser *parser, struct report_span text)
{
    struct element element = {0};
    struct report_cursor cursor = report_span_cursor(text);
    while (element.count < FIELDS_MAX) {
        element.fields[element.count++] = report_until(&cursor, ":");
        if (!report_accept(&cursor, ":"))
            break;
    }
    for (size_t i = 0; i < sizeof(elements) / sizeof(*elements); i++)
        if (report_span_is(element.fields[0], elements[i].name))
            elements[i].parse(parser, &element);
}

static enum report_verdict markup(struct report_parser *parser, const struct report_match *match)
{
    (void)match;
    struct report_span rest = parser->line->body;
    struct report_match inside;
    while (report_match("*{{{*}}}", rest, &inside)) {
        parse_element(parser, inside.captures[1]);
        rest = inside.rest;
    }
    return REPORT_PART;
}

static enum report_verdict cpu(struct report_parser *parser, const struct report_match *match)
{
    struct report_cursor cursor = report_span_cursor(match->captures[1]);
    uint64_t number = report_decimal(&cursor);
    if (!cursor.failed && number < 65536)
        parser->report->cpu = (int)number;
    return REPORT_PART;
}

// "VERSION elf_build_id: 0123..." of the kernel
static enum report_verdict build_id(struct report_parser *parser, const struct report_match *match)
{
    struct report_cursor cursor = report_span_cursor(match->rest);
    report_accept(&cursor, ":");
    report_skip_spaces(&cursor);
    struct report_span id = report_until(&cursor, " ");
    if (id.length)
        parser->report->build_id = report_copy(parser, id);
    return REPORT_PART;
}

static const struct report_beginning beginnings[] = {
    {"ZIRCON KERNEL PANIC", "panic", "panic", REPORT_NEW, 0, 0},
    {"ZIRCON KERNEL OOPS", "oops", "oops", REPORT_NEW, 0, 0},
    {"*{{{reset}}}", "backtrace", "backtrace", REPORT_JOIN, 0, 0},
    {"*{{{module:", "backtrace", "backtrace", REPORT_JOIN, 0, 0},
    {"*{{{bt:", "backtrace", "backtrace", REPORT_JOIN, 0, 0},
    {0},
};

static const struct report_rule rules[] = {
    {"*{{{hexdict:", dictionary},
    {"*{{{*}}}", markup},
    {"", more_values},
    {"*CPU: *", cpu},
    {"UPTIME", report_part},
    {"*elf_build_id", build_id},
    {"VERSION", report_part},
    {"dso: ", report_part},
    {"panic (caller ", report_part},
    {"panic: ", report_part},
    {0},
};

static const char *const skips[] = {
    "panic",           "_panic",       "PanicFinish", "platform_halt",    "platform_panic_start",
    "abort",           "__panic",      "__zx_panic",  "Backtrace::Print", "assert_fail",
    "assert_fail_msg", "__sanitizer_", NULL,
};

const struct report_format report_format_zircon = {
    .name = "Zircon",
    .beginnings = beginnings,
    .rules = rules,
    .skips = skips,
    .patience = 40,
};
