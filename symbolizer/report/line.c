// SPDX-License-Identifier: MIT
// See line.h.
#include "symbolizer/report/line.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MIDDLE_MAX         400 // a time stamp farther in is somebody's text
#define LINE_NUMBER_DIGITS 6

// -- printable text -------------------------------------------------------------------------------

// How many bytes of a terminal's control sequence begin here (ECMA-48 5.4, 5.6): ESC [ parameters
// final; ESC ] text BEL or ESC \; ESC, intermediates and a final. What is cut off at the line's end
// goes as far as it is there.
static size_t escape_length(const char *at, size_t left)
{
    if (left < 2)
        return left;
    size_t i = 2;
    if (at[1] == '[') {
        while (i < left && at[i] >= 0x20 && at[i] <= 0x3f)
            i++;
        return i < left && at[i] >= 0x40 && at[i] <= 0x7e ? i + 1 : i;
    }
    if (at[1] == ']' || at[1] == 'P' || at[1] == '_' || at[1] == '^') {
        while (i < left && at[i] != '\a' && at[i] != '\033')
            i++;
        if (i < left && at[i] == '\a')
            return i + 1;
        return i + 1 < left && at[i + 1] == '\\' ? i + 2 : i;
    }
    size_t final = 1; // behind intermediate bytes, as in ESC ( B
    while (final < left && at[final] >= 0x20 && at[final] <= 0x2f)
        final++;
    return final < left && at[final] >= 0x30 && at[final] <= 0x7e ? final + 1 : final;
}

// Unicode 15, table 3-7, without the controls.
size_t report_utf8_length(const char *text, size_t left)
{
    const unsigned char *at = (const unsigned char *)text;
    if (left && at[0] < 0x80)
        return at[0] >= 0x20 && at[0] < 0x7f;
    static const struct {
        unsigned char first, last, low, high; // of the first byte, and what the second may be
        size_t length;
    } forms[] = {
        {0xc2, 0xc2, 0xa0, 0xbf, 2}, // U+0080 to U+009F are controls
        {0xc3, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; left && i < sizeof(forms) / sizeof(*forms); i++) {
        if (at[0] < forms[i].first || at[0] > forms[i].last)
            continue;
        if (left < forms[i].length || at[1] < forms[i].low || at[1] > forms[i].high)
            return 0;
        for (size_t k = 2; k < forms[i].length; k++)
            if ((at[k] & 0xc0) != 0x80)
                return 0;
        return forms[i].length;
    }
    return 0;
}

// U+202A to U+202E and U+2066 to U+2069 turn the direction of text around and can make a line say
// what it does not.
static bool is_direction(const unsigned char *at, size_t length)
{
    return length == 3 && at[0] == 0xe2 &&
           ((at[1] == 0x80 && at[2] >= 0xaa && at[2] <= 0xae) ||
            (at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9));
}

char *report_printable(struct report_arena *arena, const char *bytes, size_t length, bool *damaged)
{
    bool nobody;
    damaged = damaged ? damaged : &nobody;
    char *text = report_alloc(arena, 4 * length + 1); // \xNN for each
    char *to = text;
    for (size_t i = 0; i < length;) {
        const unsigned char *at = (const unsigned char *)bytes + i;
        if (*at == 033) {
            i += escape_length(bytes + i, length - i);
            continue;
        }
        size_t whole = *at == '\t' ? 1 : report_utf8_length(bytes + i, length - i);
        if (whole && !is_direction(at, whole)) {
            memcpy(to, at, whole);
            to += whole;
            i += whole;
            continue;
        }
        *damaged = true;
        if (*at) // a line that is not driven reads as zeros
            to += sprintf(to, "\\x%02x", *at);
        i++;
    }
    return text;
}

// -- prefixes -------------------------------------------------------------------------------------

// Each of these passes over one prefix, notes what it says and returns true, or leaves the cursor.
typedef bool prefix_parser(struct report_arena *arena, struct report_cursor *cursor,
                           struct report_line *line);

static bool level(struct report_arena *arena, struct report_cursor *cursor,
                  struct report_line *line)
{
    (void)arena, (void)line;
    struct report_cursor try = *cursor;
    report_expect(&try, "<");
    uint64_t number = report_decimal(&try);
    report_expect(&try, ">");
    if (try.failed || number > 999)
        return false;
    *cursor = try;
    return true;
}

static bool kernel_time(struct report_arena *arena, struct report_cursor *cursor,
                        struct report_line *line)
{
    (void)arena;
    struct report_cursor try = *cursor;
    report_expect(&try, "[");
    report_skip_spaces(&try);
    uint64_t seconds = report_decimal(&try);
    report_expect(&try, ".");
    const char *start = try.at;
    uint64_t micros = report_decimal(&try);
    size_t digits = (size_t)(try.at - start);
    if (report_accept(&try, " <")) // dmesg -d: since the line before
        report_until(&try, "]");
    report_expect(&try, "]");
    if (try.failed || digits != 6)
        return false;
    line->has_time = true;
    line->wall = false;
    line->time_s = (double)seconds + (double)micros / 1e6;
    *cursor = try;
    return true;
}

// printk's caller (CONFIG_PRINTK_CALLER): "[  T123]" or "[C0]".
static bool printk_caller(struct report_arena *arena, struct report_cursor *cursor,
                          struct report_line *line)
{
    struct report_cursor try = *cursor;
    report_expect(&try, "[");
    report_skip_spaces(&try);
    const char *start = try.at;
    if (!report_accept(&try, "T"))
        report_expect(&try, "C");
    report_decimal(&try);
    size_t length = (size_t)(try.at - start);
    report_expect(&try, "]");
    if (try.failed)
        return false;
    line->caller = report_strndup(arena, start, length);
    *cursor = try;
    return true;
}

// /dev/kmsg and extended netconsole: "6,1234,5678901,-,caller=T7;", priority, number, microseconds.
static bool kmsg(struct report_arena *arena, struct report_cursor *cursor, struct report_line *line)
{
    struct report_cursor try = *cursor;
    report_decimal(&try);
    report_expect(&try, ",");
    report_decimal(&try);
    report_expect(&try, ",");
    uint64_t micros = report_decimal(&try);
    report_expect(&try, ",");
    struct report_span flags = report_until(&try, "; ");
    report_expect(&try, ";");
    if (try.failed)
        return false;
    struct report_match caller;
    if (report_match("*caller=", flags, &caller))
        line->caller = report_strndup(arena, caller.rest.at, caller.rest.length);
    line->has_time = true;
    line->wall = false;
    line->time_s = (double)micros / 1e6;
    *cursor = try;
    return true;
}

// Zircon's debug log: "[00012.345] 01024:01042> ", milliseconds, process and thread.
static bool zircon_time(struct report_arena *arena, struct report_cursor *cursor,
                        struct report_line *line)
{
    struct report_cursor try = *cursor;
    report_expect(&try, "[");
    uint64_t seconds = report_decimal(&try);
    report_expect(&try, ".");
    uint64_t millis = report_decimal(&try);
    report_expect(&try, "] ");
    const char *start = try.at;
    report_decimal(&try);
    report_expect(&try, ":");
    report_decimal(&try);
    size_t length = (size_t)(try.at - start);
    report_expect(&try, ">");
    if (try.failed || millis > 999)
        return false;
    line->caller = report_strndup(arena, start, length);
    line->has_time = true;
    line->wall = false;
    line->time_s = (double)seconds + (double)millis / 1e3;
    *cursor = try;
    return true;
}

// What terminal programs and dmesg -H put before a line: "[21:30:01.123]", "[2026-11-22 21:30:01]",
// "[  +0.000012]".
static bool terminal_time(struct report_arena *arena, struct report_cursor *cursor,
                          struct report_line *line)
{
    (void)arena, (void)line;
    struct report_cursor try = *cursor;
    report_expect(&try, "[");
    const char *start = try.at;
    while (report_left(&try) && strchr("0123456789:.- T+Z", *try.at))
        try.at++;
    size_t length = try.failed ? 0 : (size_t)(try.at - start);
    bool clock = length && (memchr(start, ':', length) || memchr(start, '+', length));
    report_expect(&try, "]");
    if (try.failed || !clock)
        return false;
    *cursor = try;
    return true;
}

// The numbers "grep -n" and "cat -n" put before a line.
static bool line_number(struct report_arena *arena, struct report_cursor *cursor,
                        struct report_line *line)
{
    (void)arena, (void)line;
    struct report_cursor try = *cursor;
    const char *start = try.at;
    report_decimal(&try);
    bool few = try.at - start <= LINE_NUMBER_DIGITS;
    if (try.failed || !few || !(report_accept(&try, ":") || report_accept(&try, "\t")))
        return false;
    *cursor = try;
    return true;
}

// "host kernel: ", "host kernel[0]: ": the rest of syslog's and the journal's prefixes.
static bool host_and_tag(struct report_arena *arena, struct report_cursor *cursor,
                         struct report_line *line)
{
    struct report_cursor try = *cursor;
    struct report_span host = report_word(&try);
    report_skip_spaces(&try);
    report_expect(&try, "kernel");
    if (report_accept(&try, "[")) {
        report_decimal(&try);
        report_expect(&try, "]");
    }
    report_expect(&try, ":");
    if (try.failed)
        return false;
    line->host = report_strndup(arena, host.at, host.length);
    *cursor = try;
    return true;
}

// "21:30:01", "21:30:01.123456"
static void clock_time(struct report_cursor *cursor)
{
    for (int i = 0; i < 3; i++) {
        if (i)
            report_expect(cursor, ":");
        report_decimal(cursor);
    }
    if (report_accept(cursor, "."))
        report_decimal(cursor);
}

// "Nov 22 21:30:01"
static void date_and_clock(struct report_cursor *cursor)
{
    static const char months[] = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec ";
    struct report_span month = report_word(cursor);
    char name[5] = {0};
    if (month.length == 3)
        memcpy(name, month.at, 3);
    name[3] = ' ';
    cursor->failed |= month.length != 3 || !strstr(months, name);
    report_skip_spaces(cursor);
    report_decimal(cursor);
    report_expect(cursor, " ");
    clock_time(cursor);
}

// syslog's, and that of ts by itself.
static bool syslog_time(struct report_arena *arena, struct report_cursor *cursor,
                        struct report_line *line)
{
    struct report_cursor try = *cursor;
    date_and_clock(&try);
    report_expect(&try, " ");
    if (try.failed)
        return false;
    host_and_tag(arena, &try, line);
    *cursor = try;
    return true;
}

// dmesg -T: "[Sun Nov 22 21:30:01 2026]"
static bool readable_time(struct report_arena *arena, struct report_cursor *cursor,
                          struct report_line *line)
{
    (void)arena, (void)line;
    struct report_cursor try = *cursor;
    report_expect(&try, "[");
    report_word(&try);
    report_expect(&try, " ");
    date_and_clock(&try);
    report_expect(&try, " ");
    report_decimal(&try);
    report_expect(&try, "]");
    if (try.failed)
        return false;
    *cursor = try;
    return true;
}

// ts -s: "00:00:01 "
static bool bare_time(struct report_arena *arena, struct report_cursor *cursor,
                      struct report_line *line)
{
    (void)arena, (void)line;
    struct report_cursor try = *cursor;
    clock_time(&try);
    report_expect(&try, " ");
    if (try.failed)
        return false;
    *cursor = try;
    return true;
}

static unsigned field(struct report_cursor *cursor, const char *separator, unsigned low,
                      unsigned high)
{
    if (*separator)
        report_expect(cursor, separator);
    uint64_t value = report_decimal(cursor);
    if (value < low || value > high)
        cursor->failed = true;
    return (unsigned)value;
}

// "2026-11-22T21:30:01.123456+01:00 host kernel: " (RFC 3339), the last two or not.
static bool iso_time(struct report_arena *arena, struct report_cursor *cursor,
                     struct report_line *line)
{
    struct report_cursor try = *cursor;
    struct tm when = {0};
    when.tm_year = (int)field(&try, "", 1970, 9999) - 1900;
    when.tm_mon = (int)field(&try, "-", 1, 12) - 1;
    when.tm_mday = (int)field(&try, "-", 1, 31);
    when.tm_hour = (int)field(&try, "T", 0, 23);
    when.tm_min = (int)field(&try, ":", 0, 59);
    when.tm_sec = (int)field(&try, ":", 0, 60);
    double fraction = 0;
    if (report_accept(&try, ".") || report_accept(&try, ",")) {
        const char *start = try.at;
        fraction = (double)report_decimal(&try);
        for (; start < try.at; start++)
            fraction /= 10;
    }
    int sign = report_accept(&try, "+") ? 1 : report_accept(&try, "-") ? -1 : 0;
    long east_s = 0;
    if (sign) {
        unsigned zone = field(&try, "", 0, 2400);
        unsigned minutes = report_accept(&try, ":") ? field(&try, "", 0, 59) : zone % 100;
        unsigned hours = zone > 24 ? zone / 100 : zone;
        east_s = sign * (long)(hours * 3600 + minutes * 60);
    } else {
        report_accept(&try, "Z");
    }
    report_expect(&try, " ");
    if (try.failed)
        return false;
    host_and_tag(arena, &try, line);
    line->has_time = line->wall = true;
    line->time_s = (double)(timegm(&when) - east_s) + fraction;
    *cursor = try;
    return true;
}

// A mail's quotation, and the byte order mark that some editors begin a file with.
static bool quote(struct report_arena *arena, struct report_cursor *cursor,
                  struct report_line *line)
{
    (void)arena, (void)line;
    return report_accept(cursor, "> ") || report_accept(cursor, "\xef\xbb\xbf");
}

static prefix_parser *const prefixes[] = {
    quote,         level,         kmsg,        kernel_time, printk_caller, zircon_time,
    terminal_time, readable_time, syslog_time, iso_time,    bare_time,     line_number,
};
#define PREFIX_COUNT (sizeof(prefixes) / sizeof(*prefixes))

static bool one_prefix(struct report_arena *arena, struct report_cursor *cursor,
                       struct report_line *line)
{
    for (size_t i = 0; i < PREFIX_COUNT; i++)
        if (prefixes[i](arena, cursor, line))
            return true;
    // The journal's monotonic form has the host behind the time.
    return line->has_time && !line->host && host_and_tag(arena, cursor, line);
}

static void all_prefixes(struct report_arena *arena, struct report_cursor *cursor,
                         struct report_line *line)
{
    report_skip_spaces(cursor);
    while (one_prefix(arena, cursor, line))
        report_skip_spaces(cursor);
}

// A kernel's line that lost its beginning to another writer: its time stamp stands in the middle.
static void find_time(struct report_arena *arena, struct report_cursor *cursor,
                      struct report_line *line)
{
    struct report_cursor middle = *cursor;
    for (size_t i = 0; i < MIDDLE_MAX && report_left(&middle); i++, middle.at++) {
        struct report_cursor try = middle;
        if (*try.at == '[' && kernel_time(arena, &try, line)) {
            all_prefixes(arena, &try, line);
            *cursor = try;
            return;
        }
    }
}

struct report_line *report_line_make(struct report_arena *arena, const char *bytes, size_t length)
{
    struct report_line *line = report_alloc(arena, sizeof(*line));
    line->text = report_printable(arena, bytes, length, &line->damaged);
    line->length = strlen(line->text);
    while (line->length && isspace((unsigned char)line->text[line->length - 1]))
        line->length--;
    ((char *)line->text)[line->length] = 0;
    struct report_cursor cursor = report_cursor(line->text, line->length);
    all_prefixes(arena, &cursor, line);
    if (!line->has_time)
        find_time(arena, &cursor, line);
    line->body = (struct report_span){cursor.at, report_left(&cursor)};
    return line;
}
