// SPDX-License-Identifier: MIT
// The bounded builder of replies: see writer.h. Every byte of a reply passes through keep() or
// keep_window(), which alone know about the capacity.
#include "gdbstub/writer.h"

#include <string.h>

static const char hex_digits[] = "0123456789abcdef";

void gdb_writer_init(struct gdb_writer *writer, void *bytes, size_t capacity)
{
    *writer = (struct gdb_writer){.bytes = bytes, .capacity = capacity};
}

void gdb_writer_reset(struct gdb_writer *writer)
{
    gdb_writer_init(writer, writer->bytes, writer->capacity);
}

void gdb_writer_window(struct gdb_writer *writer, uint64_t offset, uint64_t length)
{
    writer->windowed = true;
    writer->more = false;
    writer->position = 0;
    writer->window_start = offset;
    writer->window_end = length > UINT64_MAX - offset ? UINT64_MAX : offset + length;
}

size_t gdb_writer_room(const struct gdb_writer *writer)
{
    return writer->capacity - writer->length;
}

static void keep(struct gdb_writer *writer, uint8_t byte)
{
    if (writer->length == writer->capacity) {
        writer->full = true;
        return;
    }
    writer->bytes[writer->length++] = byte;
}

static void keep_window(struct gdb_writer *writer, uint8_t byte)
{
    uint64_t position = writer->position++;
    bool escape = byte == '#' || byte == '$' || byte == '}' || byte == '*';

    if (position < writer->window_start || writer->more)
        return;
    if (position >= writer->window_end || gdb_writer_room(writer) < (escape ? 2 : 1)) {
        writer->more = true;
        return;
    }
    if (escape) {
        keep(writer, '}');
        byte ^= 0x20;
    }
    keep(writer, byte);
}

void gdb_put_char(struct gdb_writer *writer, char character)
{
    if (writer->windowed)
        keep_window(writer, (uint8_t)character);
    else
        keep(writer, (uint8_t)character);
}

void gdb_put_text(struct gdb_writer *writer, const char *text)
{
    while (*text != '\0')
        gdb_put_char(writer, *text++);
}

void gdb_put_hex(struct gdb_writer *writer, uint64_t number)
{
    int shift = 60;

    while (shift > 0 && number >> shift == 0)
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        gdb_put_char(writer, hex_digits[number >> shift & 15]);
}

void gdb_put_decimal(struct gdb_writer *writer, uint64_t number)
{
    char digits[20];
    size_t count = 0;

    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (count > 0)
        gdb_put_char(writer, digits[--count]);
}

void gdb_put_hex_bytes(struct gdb_writer *writer, const void *bytes, size_t count)
{
    const uint8_t *byte = bytes;

    for (size_t i = 0; i < count; i++) {
        uint8_t value = byte[i]; // read first: memory replies are expanded in place
        gdb_put_char(writer, hex_digits[value >> 4]);
        gdb_put_char(writer, hex_digits[value & 15]);
    }
}

void gdb_put_printable(struct gdb_writer *writer, const void *bytes, size_t count)
{
    const uint8_t *byte = bytes;

    for (size_t i = 0; i < count; i++) {
        bool plain = byte[i] >= ' ' && byte[i] <= '~' && !strchr("#$*}", byte[i]);
        gdb_put_char(writer, plain ? (char)byte[i] : '?');
    }
}

void gdb_put_xml(struct gdb_writer *writer, const char *text)
{
    for (; *text != '\0'; text++)
        if (*text == '<')
            gdb_put_text(writer, "&lt;");
        else if (*text == '>')
            gdb_put_text(writer, "&gt;");
        else if (*text == '&')
            gdb_put_text(writer, "&amp;");
        else if (*text == '"')
            gdb_put_text(writer, "&quot;");
        else
            gdb_put_char(writer, *text >= ' ' && *text <= '~' ? *text : '?');
}

int gdb_fail(struct gdb_error *error, int code, const char *text)
{
    struct gdb_writer writer;

    if (error->text[0] != '\0')
        return code;
    gdb_writer_init(&writer, error->text, sizeof error->text - 1);
    gdb_put_text(&writer, text);
    error->text[writer.length] = '\0';
    return code;
}

int gdb_fail_at(struct gdb_error *error, int code, const char *text, uint64_t number)
{
    struct gdb_writer writer;

    if (error->text[0] != '\0')
        return code;
    gdb_writer_init(&writer, error->text, sizeof error->text - 1);
    gdb_put_text(&writer, text);
    gdb_put_text(&writer, " 0x");
    gdb_put_hex(&writer, number);
    error->text[writer.length] = '\0';
    return code;
}
