// SPDX-License-Identifier: MIT
// See cursor.h.
#include "symbolizer/report/cursor.h"

#include <string.h>

#define HEX_DIGITS_MAX 16

void report_skip_spaces(struct report_cursor *cursor)
{
    while (report_left(cursor) && (*cursor->at == ' ' || *cursor->at == '\t'))
        cursor->at++;
}

bool report_accept(struct report_cursor *cursor, const char *text)
{
    size_t length = strlen(text);
    if (report_left(cursor) < length || memcmp(cursor->at, text, length))
        return false;
    cursor->at += length;
    return true;
}

void report_expect(struct report_cursor *cursor, const char *text)
{
    if (!report_accept(cursor, text))
        cursor->failed = true;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

static uint64_t number(struct report_cursor *cursor, unsigned base, unsigned digits_max)
{
    uint64_t value = 0;
    unsigned digits = 0;
    const char *start = cursor->at;
    for (; report_left(cursor); cursor->at++, digits++) {
        int digit = digit_value(*cursor->at);
        if (digit >= (int)base)
            break;
        value = value * base + (unsigned)digit;
    }
    if (digits >= 1 && digits <= digits_max)
        return value;
    cursor->failed = true;
    cursor->at = start;
    return 0;
}

uint64_t report_hex(struct report_cursor *cursor)
{
    if (!report_accept(cursor, "0x"))
        report_accept(cursor, "0X");
    return number(cursor, 16, HEX_DIGITS_MAX);
}

uint64_t report_decimal(struct report_cursor *cursor)
{
    return number(cursor, 10, 19);
}

struct report_span report_until(struct report_cursor *cursor, const char *characters)
{
    const char *start = cursor->at;
    while (report_left(cursor) && !strchr(characters, *cursor->at))
        cursor->at++;
    return (struct report_span){start, cursor->failed ? 0 : (size_t)(cursor->at - start)};
}

struct report_span report_word(struct report_cursor *cursor)
{
    struct report_span word = report_until(cursor, " \t");
    if (!word.length)
        cursor->failed = true;
    return word;
}

bool report_span_is(struct report_span span, const char *text)
{
    return span.length == strlen(text) && !memcmp(span.at, text, span.length);
}

bool report_span_begins(struct report_span span, const char *text)
{
    size_t length = strlen(text);
    return span.length >= length && !memcmp(span.at, text, length);
}

bool report_match(const char *pattern, struct report_span text, struct report_match *match)
{
    const char *at = text.at, *end = text.at + text.length;
    unsigned captures = 0;
    // Most patterns are not the line's, and the first character tells.
    if (*pattern && *pattern != '*' && (at == end || *at != *pattern))
        return false;
    for (;;) {
        size_t literal = strcspn(pattern, "*");
        const char *found = at;
        if (captures) {
            found = literal ? memmem(at, (size_t)(end - at), pattern, literal) : end;
            if (!found)
                return false;
            if (captures <= REPORT_CAPTURES)
                match->captures[captures - 1] = (struct report_span){at, (size_t)(found - at)};
        } else if ((size_t)(end - at) < literal || memcmp(at, pattern, literal)) {
            return false;
        }
        at = found + literal;
        pattern += literal;
        if (!*pattern)
            break;
        pattern++;
        captures++;
    }
    match->rest = (struct report_span){at, (size_t)(end - at)};
    return true;
}
