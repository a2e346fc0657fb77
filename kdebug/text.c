// SPDX-License-Identifier: MIT
// The one text formatter of the target: the debugger, the kernel's log, its shell and snprintf all
// end here. Any context may call it; it calls nothing but the text's sink and touches no memory
// but its arguments.
#include "kdebug/text.h"

void kd_text_init(struct kd_text *text, char *buffer, size_t size)
{
    *text = (struct kd_text){.buffer = buffer, .size = size};
    if (size > 0)
        buffer[0] = '\0';
}

void kd_text_init_sink(struct kd_text *text, char *buffer, size_t size, kd_text_sink *sink,
                       void *context)
{
    *text = (struct kd_text){.buffer = buffer, .size = size, .sink = sink, .context = context};
}

void kd_text_flush(struct kd_text *text)
{
    if (text->sink != NULL && text->length > 0) {
        size_t length = text->length;
        // Emptied first, so that a sink which itself prints to this text does not send it twice.
        text->length = 0;
        text->sink(text, text->buffer, length);
    }
}

void kd_text_char(struct kd_text *text, char c)
{
    text->total++;
    if (text->sink != NULL) {
        if (text->length == text->size)
            kd_text_flush(text);
        if (text->length < text->size)
            text->buffer[text->length++] = c;
        return;
    }
    if (text->length + 1 < text->size) {
        text->buffer[text->length++] = c;
        text->buffer[text->length] = '\0';
    }
}

void kd_text_write(struct kd_text *text, const char *characters, size_t length)
{
    for (size_t i = 0; i < length; i++)
        kd_text_char(text, characters[i]);
}

void kd_text_string(struct kd_text *text, const char *string)
{
    if (string == NULL)
        string = "(null)";
    while (*string != '\0')
        kd_text_char(text, *string++);
}

// One conversion specification of C17 7.21.6.1 p4, after parsing.
struct conversion {
    bool left, plus, space, alternate, zero;
    int width;
    int precision; // -1: none given
    enum { LENGTH_HH, LENGTH_H, LENGTH_INT, LENGTH_LONG } length;
    char letter;
};

static void pad(struct kd_text *text, char c, int count)
{
    for (; count > 0; count--)
        kd_text_char(text, c);
}

// prefix is the sign or 0x; it stands before the zeros and after the blanks.
static void put_field(struct kd_text *text, const struct conversion *conversion, const char *prefix,
                      int prefix_length, const char *digits, int digit_count, int zeros)
{
    int blanks = conversion->width - prefix_length - zeros - digit_count;
    if (!conversion->left)
        pad(text, ' ', blanks);
    kd_text_write(text, prefix, (size_t)prefix_length);
    pad(text, '0', zeros);
    kd_text_write(text, digits, (size_t)digit_count);
    if (conversion->left)
        pad(text, ' ', blanks);
}

static void put_number(struct kd_text *text, const struct conversion *conversion, uint64_t value,
                       unsigned base, const char *prefix)
{
    static const char lower[] = "0123456789abcdef";
    static const char upper[] = "0123456789ABCDEF";
    const char *alphabet = conversion->letter == 'X' ? upper : lower;
    char digits[24]; // 2^64 has 22 octal digits
    int first = sizeof(digits);
    while (value != 0) {
        digits[--first] = alphabet[value % base];
        value /= base;
    }
    int count = (int)sizeof(digits) - first;
    int prefix_length = 0;
    while (prefix[prefix_length] != '\0')
        prefix_length++;
    int minimum = conversion->precision < 0 ? 1 : conversion->precision;
    if (conversion->letter == 'o' && conversion->alternate && minimum <= count)
        minimum = count + 1;
    if (conversion->zero && !conversion->left && conversion->precision < 0 &&
        minimum < conversion->width - prefix_length)
        minimum = conversion->width - prefix_length;
    int zeros = minimum > count ? minimum - count : 0;
    put_field(text, conversion, prefix, prefix_length, digits + first, count, zeros);
}

static void put_string(struct kd_text *text, const struct conversion *conversion,
                       const char *string)
{
    if (string == NULL)
        string = "(null)";
    int length = 0;
    while ((conversion->precision < 0 || length < conversion->precision) && string[length] != '\0')
        length++;
    put_field(text, conversion, "", 0, string, length, 0);
}

static int64_t signed_of_length(int64_t value, int length)
{
    switch (length) {
    case LENGTH_HH:
        return (signed char)value;
    case LENGTH_H:
        return (short)value;
    default:
        return value;
    }
}

static uint64_t unsigned_of_length(uint64_t value, int length)
{
    switch (length) {
    case LENGTH_HH:
        return (unsigned char)value;
    case LENGTH_H:
        return (unsigned short)value;
    default:
        return value;
    }
}

// Reads flags, width, precision and length; `arguments` advances for each *.
static const char *parse(struct conversion *conversion, const char *at, va_list *arguments)
{
    *conversion = (struct conversion){.precision = -1, .length = LENGTH_INT};
    for (bool more = true; more;) {
        switch (*at) {
        case '-':
            conversion->left = true;
            break;
        case '+':
            conversion->plus = true;
            break;
        case ' ':
            conversion->space = true;
            break;
        case '#':
            conversion->alternate = true;
            break;
        case '0':
            conversion->zero = true;
            break;
        default:
            more = false;
            continue;
        }
        at++;
    }
    // A field wider than this is a mistake, and one line of blanks shows it well enough.
    const int limit = 4096;
    if (*at == '*') {
        conversion->width = va_arg(*arguments, int);
        at++;
        if (conversion->width < 0) {
            conversion->left = true;
            conversion->width = conversion->width < -limit ? limit : -conversion->width;
        }
    }
    for (; *at >= '0' && *at <= '9' && conversion->width < limit; at++)
        conversion->width = conversion->width * 10 + (*at - '0');
    if (*at == '.') {
        at++;
        conversion->precision = 0;
        if (*at == '*') {
            conversion->precision = va_arg(*arguments, int);
            at++;
            if (conversion->precision < 0)
                conversion->precision = -1;
        }
        for (; *at >= '0' && *at <= '9' && conversion->precision < limit; at++)
            conversion->precision = conversion->precision * 10 + (*at - '0');
    }
    if (*at == 'h') {
        conversion->length = at[1] == 'h' ? LENGTH_HH : LENGTH_H;
        at += at[1] == 'h' ? 2 : 1;
    } else if (*at == 'l') {
        conversion->length = LENGTH_LONG;
        at += at[1] == 'l' ? 2 : 1;
    } else if (*at == 'z' || *at == 't' || *at == 'j') {
        conversion->length = LENGTH_LONG;
        at++;
    }
    conversion->letter = *at;
    return *at == '\0' ? at : at + 1;
}

_Static_assert(sizeof(long) == sizeof(long long) && sizeof(long) == sizeof(size_t),
               "l, ll, z, t and j are one length");

// Prints one conversion; false: it is unknown and nothing was printed.
static bool convert(struct kd_text *text, struct conversion *conversion, va_list *arguments)
{
    bool wide = conversion->length == LENGTH_LONG;
    switch (conversion->letter) {
    case 'd':
    case 'i': {
        int64_t value = wide ? va_arg(*arguments, long) : va_arg(*arguments, int);
        value = signed_of_length(value, conversion->length);
        uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value;
        const char *sign = conversion->plus ? "+" : conversion->space ? " " : "";
        put_number(text, conversion, magnitude, 10, value < 0 ? "-" : sign);
        return true;
    }
    case 'u':
    case 'x':
    case 'X':
    case 'o': {
        uint64_t value = wide ? va_arg(*arguments, unsigned long) : va_arg(*arguments, unsigned);
        value = unsigned_of_length(value, conversion->length);
        if (conversion->letter == 'u' || conversion->letter == 'o') {
            put_number(text, conversion, value, conversion->letter == 'u' ? 10 : 8, "");
            return true;
        }
        bool prefixed = conversion->alternate && value != 0;
        const char *prefix = conversion->letter == 'X' ? "0X" : "0x";
        put_number(text, conversion, value, 16, prefixed ? prefix : "");
        return true;
    }
    case 'p':
        // Always 16 digits: addresses in a report then line up and are found by one pattern.
        conversion->precision = 16;
        put_number(text, conversion, (uintptr_t)va_arg(*arguments, void *), 16, "0x");
        return true;
    case 'c': {
        char c = (char)va_arg(*arguments, int);
        put_field(text, conversion, "", 0, &c, 1, 0);
        return true;
    }
    case 's':
        put_string(text, conversion, va_arg(*arguments, const char *));
        return true;
    case '%':
        kd_text_char(text, '%');
        return true;
    default:
        return false;
    }
}

size_t kd_text_vprintf(struct kd_text *text, const char *format, va_list arguments)
{
    size_t before = text->total;
    va_list rest;
    va_copy(rest, arguments);
    for (const char *at = format; *at != '\0';) {
        if (*at != '%') {
            kd_text_char(text, *at++);
            continue;
        }
        struct conversion conversion;
        const char *end = parse(&conversion, at + 1, &rest);
        if (!convert(text, &conversion, &rest))
            kd_text_write(text, at, (size_t)(end - at));
        at = end;
    }
    va_end(rest);
    return text->total - before;
}

size_t kd_text_printf(struct kd_text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t length = kd_text_vprintf(text, format, arguments);
    va_end(arguments);
    return length;
}

int kd_vsnprintf(char *to, size_t size, const char *format, va_list arguments)
{
    struct kd_text text;
    kd_text_init(&text, to, size);
    return (int)kd_text_vprintf(&text, format, arguments);
}

int kd_snprintf(char *to, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = kd_vsnprintf(to, size, format, arguments);
    va_end(arguments);
    return length;
}
