// SPDX-License-Identifier: MIT
// Finds the lines of capsules in a text and puts their blocks together. See capsule_blocks.h, and
// kdebug/format/capsule.h for what a line and a block are.
//
// A line counts when its pattern and its CRC are right, wherever on a line of the text it stands.
// Such lines are taken in the order of the text. The same number again with the same contents is a
// copy and is passed over; any other number than the next one means that lines are missing, and the
// block they belong to is given up. What begins with ~C or ~c and a number but is not right is a
// damaged line and told as such; its block falls by the missing number.
#include "symbolizer/capsule_blocks.h"

#include <lz4.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    LOSSES_MOST = 200,
    NUMBERS = 0x10000, // a line's number wraps here
    FIELD_BYTES = 6,   // "C0000 "
    PACKED_MOST = sizeof(struct kd_capsule_block) + UINT16_MAX,
};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the capsule's structs are read as are");

void sym_capsule_lose_(struct sym_capsule_losses *losses, size_t *capacity, size_t line,
                       const char *format, ...)
{
    if (losses->count == LOSSES_MOST) {
        losses->untold++;
        return;
    }
    if (losses->count == *capacity) {
        size_t wanted = *capacity ? *capacity * 2 : 16;
        struct sym_capsule_loss *at = realloc(losses->at, wanted * sizeof(*at));
        if (!at) {
            losses->untold++;
            return;
        }
        losses->at = at;
        *capacity = wanted;
    }
    struct sym_capsule_loss *loss = &losses->at[losses->count++];
    va_list arguments;
    loss->line = line;
    va_start(arguments, format);
    vsnprintf(loss->text, sizeof(loss->text), format, arguments);
    va_end(arguments);
}

// -- lines ----------------------------------------------------------------------------------------

struct line {
    size_t number_of_text; // from 1
    bool first;            // ~C
    unsigned number;
    uint32_t crc;
    uint8_t bytes[KD_CAPSULE_LINE_BYTES];
    size_t count;
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(const char *text, unsigned digits, uint32_t *out)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < digits; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0)
            return false;
        value = value << 4 | (uint32_t)digit;
    }
    *out = value;
    return true;
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// RFC 4648, section 4. The length is one of whole groups of four, and fits `line`.
static bool read_base64(const char *text, size_t length, struct line *line)
{
    size_t padding = 0;
    while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
        padding++;
    line->count = 0;
    uint32_t group = 0;
    for (size_t i = 0; i < length; i++) {
        int value = i < length - padding ? base64_value(text[i]) : 0;
        if (value < 0)
            return false;
        group = group << 6 | (uint32_t)value;
        if (i % 4 != 3)
            continue;
        for (unsigned shift = 24; shift > 0; shift -= 8)
            line->bytes[line->count++] = (uint8_t)(group >> (shift - 8));
        group = 0;
    }
    line->count -= padding;
    return line->count > 0;
}

enum verdict { NOT_A_LINE, A_LINE, A_DAMAGED_LINE };

// What stands behind a '~'; `text` goes to the end of the text's line.
static enum verdict read_line(const char *text, size_t bytes, struct line *line)
{
    uint32_t number;
    if (bytes < FIELD_BYTES || (text[0] != 'C' && text[0] != 'c') ||
        !read_hex(text + 1, 4, &number) || text[5] != ' ')
        return NOT_A_LINE;
    line->first = text[0] == 'C';
    line->number = number;
    size_t length = 0, left = bytes - FIELD_BYTES;
    const char *packed = text + FIELD_BYTES;
    while (length < left && packed[length] != ' ')
        length++;
    uint32_t crc;
    if (length == 0 || length % 4 != 0 || length / 4 * 3 > KD_CAPSULE_LINE_BYTES ||
        left - length < 1 + 8 || !read_hex(packed + length + 1, 8, &crc))
        return A_DAMAGED_LINE;
    line->crc = (uint32_t)crc32(0, (const Bytef *)text, (uInt)(FIELD_BYTES + length));
    if (line->crc != crc || !read_base64(packed, length, line))
        return A_DAMAGED_LINE;
    return A_LINE;
}

// -- blocks ---------------------------------------------------------------------------------------

struct assembly {
    struct sym_capsule_blocks *out;
    bool any;      // a line came before
    unsigned last; // its number
    uint32_t last_crc;
    bool open;    // a block is being put together
    size_t line;  // where it began, in the text
    size_t count; // of its packed bytes, with the head
    size_t order;
    uint8_t packed[PACKED_MOST + KD_CAPSULE_LINE_BYTES];
    struct error *error;
};

static void lose(struct assembly *assembly, size_t line, const char *what)
{
    sym_capsule_lose_(&assembly->out->losses, &assembly->out->losses_capacity, line, "%s", what);
}

static void give_up(struct assembly *assembly, const char *why)
{
    if (assembly->open)
        lose(assembly, assembly->line, why);
    assembly->open = false;
}

static void keep_block(struct assembly *assembly, const struct kd_capsule_block *head, uint8_t *raw)
{
    struct sym_capsule_blocks *out = assembly->out;
    if (out->count == out->capacity) {
        size_t wanted = out->capacity ? out->capacity * 2 : 64;
        struct sym_capsule_block *at = realloc(out->at, wanted * sizeof(*at));
        if (!at) {
            free(raw);
            assembly->error = error_errno("the panic capsule's %zu blocks", wanted);
            return;
        }
        out->at = at;
        out->capacity = wanted;
    }
    out->at[out->count++] = (struct sym_capsule_block){
        .id = head->id,
        .number = head->number,
        .line = assembly->line,
        .order = assembly->order++,
        .raw = raw,
        .bytes = head->raw_bytes,
    };
    out->raw_bytes += head->raw_bytes;
}

static void unpack_block(struct assembly *assembly, const struct kd_capsule_block *head)
{
    const uint8_t *packed = assembly->packed + sizeof(*head);
    if (assembly->out->raw_bytes + head->raw_bytes > SYM_CAPSULE_BYTES_MOST) {
        give_up(assembly, "a block is left out: the capsules are larger than any kernel's");
        return;
    }
    uint8_t *raw = malloc(head->raw_bytes + 1u);
    if (!raw) {
        assembly->error = error_errno("a block of the panic capsule");
        return;
    }
    bool right = false;
    if (head->method == KD_CAPSULE_STORED && head->packed_bytes == head->raw_bytes) {
        memcpy(raw, packed, head->raw_bytes);
        right = true;
    } else if (head->method == KD_CAPSULE_LZ4) {
        right = LZ4_decompress_safe((const char *)packed, (char *)raw, head->packed_bytes,
                                    head->raw_bytes) == head->raw_bytes;
    }
    if (!right || (uint32_t)crc32(0, raw, head->raw_bytes) != head->crc) {
        free(raw);
        give_up(assembly, "a block's contents do not fit its checksum");
        return;
    }
    assembly->open = false;
    keep_block(assembly, head, raw);
}

// Looks whether the block is there as a whole.
static void try_block(struct assembly *assembly)
{
    struct kd_capsule_block head;
    if (!assembly->open || assembly->count < sizeof(head))
        return;
    memcpy(&head, assembly->packed, sizeof(head));
    if (head.magic != KD_CAPSULE_BLOCK_MAGIC)
        give_up(assembly, "a block does not begin as one");
    else if (head.version != KD_CAPSULE_VERSION)
        give_up(assembly, "a block of a format that this fathom does not know");
    else if (head.raw_bytes == 0 || head.raw_bytes > KD_CAPSULE_BLOCK_BYTES)
        give_up(assembly, "a block of an impossible size");
    else if (assembly->count >= sizeof(head) + head.packed_bytes)
        unpack_block(assembly, &head);
}

static void lose_lines(struct assembly *assembly, const struct line *line, unsigned first)
{
    struct sym_capsule_blocks *out = assembly->out;
    unsigned last = (line->number + NUMBERS - 1) % NUMBERS;
    if (first == last)
        sym_capsule_lose_(&out->losses, &out->losses_capacity, line->number_of_text,
                          "capsule line %04x is missing before this one", first);
    else
        sym_capsule_lose_(&out->losses, &out->losses_capacity, line->number_of_text,
                          "capsule lines %04x to %04x are missing before this one", first, last);
}

static void take_line(struct assembly *assembly, const struct line *line)
{
    unsigned expected = (assembly->last + 1) % NUMBERS;
    if (assembly->any && line->number == assembly->last && line->crc == assembly->last_crc)
        return;
    // Numbers begin anew with another copy, or another capsule.
    if (line->number < expected && expected - line->number < NUMBERS / 2)
        expected = 0;
    if (line->number != expected) {
        lose_lines(assembly, line, expected);
        give_up(assembly, "the block that begins here is lost: lines of it are missing");
    }
    assembly->any = true;
    assembly->last = line->number;
    assembly->last_crc = line->crc;
    if (line->first) {
        give_up(assembly, "the block that begins here is cut off");
        assembly->open = true;
        assembly->line = line->number_of_text;
        assembly->count = 0;
    }
    if (!assembly->open)
        return; // of a block whose beginning is lost, which has been told
    memcpy(assembly->packed + assembly->count, line->bytes, line->count);
    assembly->count += line->count;
    try_block(assembly);
}

static void take_text_line(struct assembly *assembly, const char *text, size_t bytes, size_t number)
{
    const char *end = text + bytes;
    while ((text = memchr(text, '~', (size_t)(end - text)))) {
        text++;
        struct line line = {.number_of_text = number};
        enum verdict verdict = read_line(text, (size_t)(end - text), &line);
        if (verdict == A_LINE)
            take_line(assembly, &line);
        else if (verdict == A_DAMAGED_LINE)
            sym_capsule_lose_(&assembly->out->losses, &assembly->out->losses_capacity, number,
                              "capsule line %04x is damaged", line.number);
    }
}

struct error *sym_capsule_blocks_read(const char *text, size_t bytes,
                                      struct sym_capsule_blocks *out)
{
    struct assembly *assembly = calloc(1, sizeof(*assembly));
    if (!assembly)
        return error_errno("reading the panic capsule");
    assembly->out = out;
    assembly->last = NUMBERS - 1;
    size_t number = 0;
    for (const char *at = text, *end = text + bytes; at < end && !assembly->error;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *line_end = newline ? newline : end;
        take_text_line(assembly, at, (size_t)(line_end - at), ++number);
        at = newline ? newline + 1 : end;
    }
    give_up(assembly, "the block that begins here is cut off");
    struct error *error = assembly->error;
    free(assembly);
    return error;
}

void sym_capsule_blocks_deinit(struct sym_capsule_blocks *blocks)
{
    for (size_t i = 0; i < blocks->count; i++)
        free(blocks->at[i].raw);
    free(blocks->at);
    free(blocks->losses.at);
    *blocks = (struct sym_capsule_blocks){0};
}
