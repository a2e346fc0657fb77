// SPDX-License-Identifier: MIT
// See address_text.h.
#include "fathom/address_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/report/line.h"

// -- text -----------------------------------------------------------------------------------------

void text_deinit(struct text *text)
{
    free(text->bytes);
    *text = (struct text){0};
}

static char *room(struct text *text, size_t bytes)
{
    if (text->capacity - text->used < bytes) {
        text->capacity = 2 * text->capacity + bytes;
        text->bytes = realloc(text->bytes, text->capacity);
        if (!text->bytes)
            abort();
    }
    text->used += bytes;
    return text->bytes + text->used - bytes;
}

void text_add(struct text *text, const char *bytes, size_t count)
{
    memcpy(room(text, count), bytes, count);
}

static void put(struct text *text, const char *string)
{
    text_add(text, string, strlen(string));
}

static void put_number(struct text *text, uint64_t number)
{
    char digits[20], *at = digits + sizeof(digits);
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    text_add(text, at, (size_t)(digits + sizeof(digits) - at));
}

static void put_address(struct text *text, uint64_t address, unsigned digits)
{
    static const char hex[] = "0123456789abcdef";
    put(text, "0x");
    char *to = room(text, digits);
    for (unsigned i = 0; i < digits; i++)
        to[i] = hex[address >> 4 * (digits - 1 - i) & 15];
}

// -- binutils' formats ----------------------------------------------------------------------------

static void put_name(struct text *text, const struct address_style *style, const char *name)
{
    char *readable = name && style->demangle ? sym_demangle(name) : NULL;
    put(text, readable ? readable : name && *name ? name : "??");
    free(readable);
}

static void put_function(struct text *text, const struct address_style *style, const char *name)
{
    if (!style->functions)
        return;
    put_name(text, style, name);
    put(text, style->pretty ? " at " : "\n");
}

static void put_line(struct text *text, const struct address_style *style, const char *file,
                     uint32_t line, uint32_t discriminator)
{
    const char *slash = file && style->basenames ? strrchr(file, '/') : NULL;
    put(text, slash ? slash + 1 : file ? file : "??");
    put(text, ":");
    if (!line) {
        put(text, "?\n");
        return;
    }
    put_number(text, line);
    if (discriminator) {
        put(text, " (discriminator ");
        put_number(text, discriminator);
        put(text, ")");
    }
    put(text, "\n");
}

static void put_unknown(struct text *text, const struct address_style *style)
{
    if (style->functions)
        put(text, style->pretty ? "?? " : "??\n");
    put(text, "??:0\n");
}

// GCC gives a C++ function of one file no linkage name; the symbol table has it. Of an inlined one
// nothing has it.
static const char *name_of(const struct sym_result *result, size_t i,
                           const struct sym_symbol *symbol)
{
    const struct sym_frame *frame = &result->frames[i];
    bool outermost = i + 1 == result->count;
    if (frame->linkage)
        return frame->linkage;
    if (symbol && (!frame->function || (outermost && sym_is_mangled(symbol->name))))
        return symbol->name;
    return frame->function;
}

static void put_frames(struct text *text, const struct address_style *style,
                       const struct sym_result *result, const struct sym_symbol *symbol)
{
    size_t count = style->inlines ? result->count : 1;
    for (size_t i = 0; i < count; i++) {
        const struct sym_frame *frame = &result->frames[i];
        bool named_file = frame->file || frame->function || !symbol;
        if (i && style->pretty)
            put(text, " (inlined by) ");
        put_function(text, style, name_of(result, i, symbol));
        // binutils goes on printing the discriminator of the address itself.
        put_line(text, style, named_file ? frame->file : symbol->file, frame->line,
                 result->frames[0].discriminator);
    }
}

static void put_binutils(struct text *text, const struct address_style *style, uint64_t address,
                         const struct sym_result *result)
{
    if (style->addresses) {
        put_address(text, address, 2 * style->address_bytes);
        put(text, style->pretty ? ": " : "\n");
    }
    const struct sym_symbol *symbol = &result->symbol;
    if (!symbol->name || symbol->object)
        symbol = NULL;
    if (result->count) {
        put_frames(text, style, result, symbol);
    } else if (symbol) {
        put_function(text, style, symbol->name);
        put_line(text, style, symbol->file, 0, 0);
    } else {
        put_unknown(text, style);
    }
}

// -- JSON -----------------------------------------------------------------------------------------

// Names from a file need not be UTF-8, which JSON has to be: other bytes become U+FFFD.
static void put_json_string(struct text *text, const char *string)
{
    put(text, "\"");
    for (const char *end = string + strlen(string); string < end;) {
        unsigned char byte = (unsigned char)*string;
        size_t bytes = report_utf8_length(string, (size_t)(end - string));
        if (byte == '"' || byte == '\\') {
            text_add(text, (char[]){'\\', (char)byte}, 2);
        } else if (bytes) {
            text_add(text, string, bytes);
        } else if (byte < 0x80) {
            char escape[7];
            text_add(text, escape, (size_t)snprintf(escape, sizeof(escape), "\\u%04x", byte));
        } else {
            put(text, "\\ufffd");
        }
        string += bytes ? bytes : 1;
    }
    put(text, "\"");
}

static void put_json_text(struct text *text, const char *key, const char *value)
{
    if (!value)
        return;
    put(text, ",\"");
    put(text, key);
    put(text, "\":");
    put_json_string(text, value);
}

static void put_json_number(struct text *text, const char *key, uint64_t value)
{
    if (!value)
        return;
    put(text, ",\"");
    put(text, key);
    put(text, "\":");
    put_number(text, value);
}

static void put_json_frame(struct text *text, const struct address_style *style,
                           const struct sym_frame *frame, bool inlined)
{
    put(text, "{\"inlined\":");
    put(text, inlined ? "true" : "false");
    put_json_text(text, "function", frame->function);
    put_json_text(text, "linkage", frame->linkage);
    char *readable = frame->linkage && style->demangle ? sym_demangle(frame->linkage) : NULL;
    put_json_text(text, "demangled", readable);
    free(readable);
    put_json_text(text, "file", frame->file);
    put_json_number(text, "line", frame->line);
    put_json_number(text, "column", frame->column);
    put_json_number(text, "discriminator", frame->discriminator);
    put_json_text(text, "declared_file", frame->declared_file);
    put_json_number(text, "declared_line", frame->declared_line);
    put(text, "}");
}

static void put_json(struct text *text, const struct address_style *style, uint64_t address,
                     const struct sym_result *result)
{
    put(text, "{\"address\":\"");
    put_address(text, address, 2 * style->address_bytes);
    put(text, "\",\"frames\":[");
    for (size_t i = 0; i < result->count; i++) {
        if (i)
            put(text, ",");
        put_json_frame(text, style, &result->frames[i], i + 1 < result->count);
    }
    put(text, "]");
    if (result->symbol.name) {
        put(text, ",\"symbol\":{\"name\":");
        put_json_string(text, result->symbol.name);
        put(text, ",\"address\":\"");
        put_address(text, result->symbol.place.address, 2 * style->address_bytes);
        put(text, "\"");
        put_json_number(text, "size", result->symbol.size);
        put(text, "}");
    }
    put(text, "}\n");
}

void address_text(struct text *text, const struct address_style *style, uint64_t address,
                  const struct sym_result *result)
{
    (style->json ? put_json : put_binutils)(text, style, address, result);
}
