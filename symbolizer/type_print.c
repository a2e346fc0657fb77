// SPDX-License-Identifier: MIT
// See type_print.h.
#include "symbolizer/type_print.h"

#include <ctype.h>
#include <inttypes.h>
#include <libdwarf/dwarf.h>
#include <stdlib.h>
#include <string.h>

enum {
    NESTED_MOST = 5,    // structures within structures
    ELEMENTS_MOST = 24, // of an array, and equal ones after them
    STRING_MOST = 80,   // characters of a string
    MEMBERS_MOST = 400, // of one structure
    VALUES_MOST = 2000, // values and values they are made of, in one print
};

struct printer {
    const struct sym_place_context *context;
    struct sym_debug *debug;
    FILE *out;
    unsigned nested;
    unsigned values; // printed so far
};

// A part of the value.
struct part {
    const uint8_t *bytes, *known;
    size_t size; // what is there of it
};

// -- values ---------------------------------------------------------------------------------------

static void print_part(struct printer *printer, struct sym_die type, struct part part);

static bool all_known(struct part part, size_t size)
{
    return part.size >= size && size > 0 && !memchr(part.known, 0, size);
}

static uint64_t number_of(struct part part, size_t size)
{
    uint64_t number = 0;
    memcpy(&number, part.bytes, size < 8 ? size : 8);
    return number;
}

static struct part part_of(struct part whole, uint64_t offset, uint64_t size)
{
    if (offset >= whole.size)
        return (struct part){whole.bytes, whole.known, 0};
    uint64_t left = whole.size - offset;
    return (struct part){whole.bytes + offset, whole.known + offset,
                         (size_t)(size < left ? size : left)};
}

static void put_character(FILE *out, unsigned char c, char quote)
{
    static const char letters[] = "n\nt\tr\r";
    for (const char *at = letters; *at; at += 2) {
        if (at[1] == (char)c) {
            fprintf(out, "\\%c", *at);
            return;
        }
    }
    if (c == (unsigned char)quote || c == '\\')
        fprintf(out, "\\%c", c);
    else if (isprint(c))
        fputc(c, out);
    else
        fprintf(out, "\\%03o", c);
}

static void put_float(struct printer *printer, struct part part, uint64_t size)
{
    float single;
    double twice;
    if (size == sizeof(single)) {
        memcpy(&single, part.bytes, sizeof(single));
        fprintf(printer->out, "%g", (double)single);
    } else if (size == sizeof(twice)) {
        memcpy(&twice, part.bytes, sizeof(twice));
        fprintf(printer->out, "%g", twice);
    } else {
        fprintf(printer->out, "<a float of %" PRIu64 " bytes>", size);
    }
}

static int64_t extend(uint64_t number, unsigned bits)
{
    unsigned unused = bits < 64 ? 64 - bits : 0;
    return (int64_t)(number << unused) >> unused;
}

static void put_number(struct printer *printer, struct sym_die type, uint64_t number, unsigned bits)
{
    uint64_t encoding = 0;
    sym_die_number(printer->debug, type, DW_AT_encoding, &encoding);
    switch (encoding) {
    case DW_ATE_boolean:
        if (number < 2)
            fputs(number ? "true" : "false", printer->out);
        else
            fprintf(printer->out, "%" PRIu64, number);
        break;
    case DW_ATE_signed:
        fprintf(printer->out, "%" PRId64, extend(number, bits));
        break;
    case DW_ATE_signed_char:
    case DW_ATE_unsigned_char:
    case DW_ATE_UTF:
        if (encoding == DW_ATE_signed_char)
            fprintf(printer->out, "%" PRId64, extend(number, bits));
        else
            fprintf(printer->out, "%" PRIu64, number);
        if (number < 256 && bits <= 8) {
            fputs(" '", printer->out);
            put_character(printer->out, (unsigned char)number, '\'');
            fputc('\'', printer->out);
        }
        break;
    default: // what is large is more often a mask or an address than a count
        fprintf(printer->out, number > 0xffffffff ? "0x%" PRIx64 : "%" PRIu64, number);
    }
}

static void print_base(struct printer *printer, struct sym_die type, struct part part,
                       uint64_t size)
{
    uint64_t encoding = 0;
    sym_die_number(printer->debug, type, DW_AT_encoding, &encoding);
    if (encoding == DW_ATE_float)
        put_float(printer, part, size);
    else if (size <= 8)
        put_number(printer, type, number_of(part, size), 8 * (unsigned)size);
    else
        fprintf(printer->out, "0x%016" PRIx64 "%016" PRIx64,
                number_of(part_of(part, 8, 8), size < 16 ? (size_t)size - 8 : 8),
                number_of(part, 8));
}

struct enumerator_search {
    struct printer *printer;
    uint64_t wanted, mask;
    uint64_t left; // bits no enumerator has named
    bool found, any;
};

static bool find_enumerator(struct sym_debug *debug, struct sym_die child, void *argument)
{
    struct enumerator_search *search = argument;
    uint64_t value;
    const char *name = sym_die_name(debug, child);
    if (name && sym_die_tag(child) == DW_TAG_enumerator &&
        sym_die_number(debug, child, DW_AT_const_value, &value) &&
        (value & search->mask) == search->wanted) {
        fputs(name, search->printer->out);
        search->found = true;
    }
    return !search->found;
}

static bool put_flag(struct sym_debug *debug, struct sym_die child, void *argument)
{
    struct enumerator_search *search = argument;
    uint64_t value;
    const char *name = sym_die_name(debug, child);
    if (!name || !sym_die_number(debug, child, DW_AT_const_value, &value) || value == 0 ||
        (value & (value - 1)) || !(search->left & value))
        return true;
    fprintf(search->printer->out, "%s%s", search->any ? " | " : "(", name);
    search->any = true;
    search->left &= ~value;
    return true;
}

static void put_enumeration(struct printer *printer, struct sym_die type, uint64_t number,
                            unsigned bits)
{
    struct enumerator_search search = {
        .printer = printer,
        .wanted = number,
        .mask = bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX,
        .left = number,
    };
    sym_die_each_child(printer->debug, type, find_enumerator, &search);
    if (search.found)
        return;
    sym_die_each_child(printer->debug, type, put_flag, &search);
    if (!search.any)
        fprintf(printer->out, "%" PRIu64, number);
    else if (search.left)
        fprintf(printer->out, " | 0x%" PRIx64 ")", search.left);
    else
        fputc(')', printer->out);
}

static void put_symbol(struct printer *printer, uint64_t address)
{
    const struct sym_dead *dead = printer->context->dead;
    uint64_t linked = address - (uint64_t)dead->load_offset;
    const struct sym_symbol_row *row = sym_debug_symbol(printer->debug, linked);
    // Past its size a name says nothing here; a mark in assembly has none.
    if (!row || linked - row->address >= (row->size ? row->size : 1))
        return;
    char *readable = sym_demangle(row->name);
    fprintf(printer->out, " <%s", readable ? readable : row->name);
    if (linked != row->address)
        fprintf(printer->out, "+%" PRIu64, linked - row->address);
    fputc('>', printer->out);
    free(readable);
}

static bool is_character(struct sym_debug *debug, struct sym_die type)
{
    uint64_t encoding = 0, size = 0;
    return sym_die_tag(type) == DW_TAG_base_type &&
           sym_die_number(debug, type, DW_AT_byte_size, &size) && size == 1 &&
           sym_die_number(debug, type, DW_AT_encoding, &encoding) &&
           (encoding == DW_ATE_signed_char || encoding == DW_ATE_unsigned_char);
}

// The string at an address, if it is one as far as it is known.
static void put_string_at(struct printer *printer, uint64_t address)
{
    char text[STRING_MOST + 1];
    size_t length = sym_dead_read(printer->context->dead, address, text, sizeof(text));
    if (length == 0)
        return;
    const char *end = memchr(text, 0, length);
    size_t shown = end ? (size_t)(end - text) : length < STRING_MOST ? length : STRING_MOST;
    fputs(" \"", printer->out);
    for (size_t i = 0; i < shown; i++)
        put_character(printer->out, (unsigned char)text[i], '"');
    fputs(end ? "\"" : "\"...", printer->out);
}

static void print_pointer(struct printer *printer, struct sym_die type, struct part part,
                          uint64_t size)
{
    uint64_t address = number_of(part, size);
    struct sym_die target = sym_die_reference(printer->debug, type, DW_AT_type);
    target = sym_type_strip(printer->debug, target);
    fprintf(printer->out, "0x%" PRIx64, address);
    put_symbol(printer, address);
    if (address && is_character(printer->debug, target))
        put_string_at(printer, address);
}

// -- arrays ---------------------------------------------------------------------------------------

static bool print_string(struct printer *printer, struct part part, uint64_t count)
{
    if (count == 0 || !all_known(part, count))
        return false;
    uint64_t used = count;
    while (used > 0 && part.bytes[used - 1] == 0)
        used--;
    uint64_t shown = used < STRING_MOST ? used : STRING_MOST;
    fputc('"', printer->out);
    for (uint64_t i = 0; i < shown; i++)
        put_character(printer->out, part.bytes[i], '"');
    fputs(shown < used ? "\"..." : "\"", printer->out);
    return true;
}

// How many elements from `first` on are the same.
static uint64_t run_length(struct part part, uint64_t first, uint64_t count, uint64_t size)
{
    struct part one = part_of(part, first * size, size);
    uint64_t same = 1;
    while (first + same < count) {
        struct part other = part_of(part, (first + same) * size, size);
        if (one.size != other.size || memcmp(one.bytes, other.bytes, one.size) != 0 ||
            memcmp(one.known, other.known, one.size) != 0)
            break;
        same++;
    }
    return same;
}

static void print_elements(struct printer *printer, struct sym_die element, struct part part,
                           const struct sym_dimensions *dimensions, size_t dimension,
                           uint64_t element_bytes)
{
    uint64_t count = dimensions->counts[dimension], size = element_bytes;
    bool last = dimension + 1 == dimensions->count;
    printer->values++;
    for (size_t i = dimension + 1; i < dimensions->count; i++)
        if (__builtin_mul_overflow(size, dimensions->counts[i], &size))
            size = 0;
    if (size == 0 || count > SYM_VALUE_MOST) {
        fputs("{...}", printer->out);
        return;
    }
    if (last && is_character(printer->debug, element) && print_string(printer, part, count))
        return;
    fputc('{', printer->out);
    uint64_t shown = 0;
    for (uint64_t i = 0; i < count; shown++) {
        fputs(i ? ", " : "", printer->out);
        if (shown == ELEMENTS_MOST || printer->values > VALUES_MOST) {
            fputs("...", printer->out);
            break;
        }
        uint64_t same = run_length(part, i, count, size);
        if (last)
            print_part(printer, element, part_of(part, i * size, size));
        else
            print_elements(printer, element, part_of(part, i * size, size), dimensions,
                           dimension + 1, element_bytes);
        if (same > 2)
            fprintf(printer->out, " <%" PRIu64 " times>", same);
        i += same > 2 ? same : 1;
    }
    fputc('}', printer->out);
}

static void print_array(struct printer *printer, struct sym_die type, struct part part)
{
    struct sym_dimensions dimensions;
    uint64_t size;
    struct sym_die element = sym_die_reference(printer->debug, type, DW_AT_type);
    struct sym_die stripped = sym_type_strip(printer->debug, element);
    if (sym_die_is(stripped) && sym_type_size(printer->debug, stripped, &size) &&
        sym_type_dimensions(printer->debug, type, &dimensions))
        print_elements(printer, stripped, part, &dimensions, 0, size);
    else
        fputs("{...}", printer->out);
}

// -- structures -----------------------------------------------------------------------------------

struct members {
    struct printer *printer;
    struct part whole;
    unsigned count;
};

// DWARF 5, 5.7.6: bits are counted from the structure's beginning, or in DWARF 3 from the most
// significant end of a unit of storage. Both machines' byte order is little-endian.
static bool bit_field(struct sym_debug *debug, struct sym_die member, uint64_t offset,
                      uint64_t storage_bytes, uint64_t *first_bit, uint64_t *bits)
{
    uint64_t from_top;
    if (!sym_die_number(debug, member, DW_AT_bit_size, bits) || *bits == 0 || *bits > 64)
        return false;
    if (sym_die_number(debug, member, DW_AT_data_bit_offset, first_bit))
        return true;
    if (!sym_die_number(debug, member, DW_AT_bit_offset, &from_top))
        from_top = storage_bytes * 8 - *bits;
    sym_die_number(debug, member, DW_AT_byte_size, &storage_bytes);
    *first_bit = offset * 8 + storage_bytes * 8 - *bits - from_top;
    return from_top + *bits <= storage_bytes * 8;
}

static void print_bits(struct printer *printer, struct sym_die type, struct part whole,
                       uint64_t first_bit, uint64_t bits)
{
    uint64_t number = 0;
    for (uint64_t i = 0; i < bits; i++) {
        uint64_t byte = (first_bit + i) / 8;
        if (byte >= whole.size || !whole.known[byte]) {
            fputs("<unavailable>", printer->out);
            return;
        }
        number |= (uint64_t)(whole.bytes[byte] >> (first_bit + i) % 8 & 1) << i;
    }
    struct sym_die stripped = sym_type_strip(printer->debug, type);
    if (sym_die_tag(stripped) == DW_TAG_enumeration_type)
        put_enumeration(printer, stripped, number, (unsigned)bits);
    else if (sym_die_is(stripped))
        put_number(printer, stripped, number, (unsigned)bits);
}

// A number, or in DWARF 2 an expression that adds it to the structure's address.
static void member_offset(const struct printer *printer, struct sym_die member, uint64_t *offset)
{
    static const uint64_t beginning = 0;
    struct sym_bytes expression;
    if (!sym_die_number(printer->debug, member, DW_AT_data_member_location, offset) &&
        sym_die_block(printer->debug, member, DW_AT_data_member_location, &expression))
        sym_evaluate(printer->context, expression, &beginning, offset);
}

static bool print_member(struct sym_debug *debug, struct sym_die member, void *argument)
{
    struct members *members = argument;
    struct printer *printer = members->printer;
    uint64_t offset = 0, size = 0, first_bit, bits;
    uint32_t tag = sym_die_tag(member);
    if ((tag != DW_TAG_member && tag != DW_TAG_inheritance) ||
        sym_die_flag(debug, member, DW_AT_external)) // a static one of C++
        return true;
    fputs(members->count++ ? ", " : "", printer->out);
    if (members->count > MEMBERS_MOST || printer->values > VALUES_MOST) {
        fputs("...", printer->out);
        return false;
    }
    const char *name = sym_die_name(debug, member);
    struct sym_die type = sym_die_reference(debug, member, DW_AT_type);
    if (name)
        fprintf(printer->out, "%s = ", name);
    member_offset(printer, member, &offset);
    bool sized = sym_type_size(debug, type, &size);
    if (sym_die_is(type) && bit_field(debug, member, offset, size, &first_bit, &bits))
        print_bits(printer, type, members->whole, first_bit, bits);
    else if (sym_die_is(type))
        print_part(printer, type, part_of(members->whole, offset, sized ? size : 0));
    return true;
}

static void print_structure(struct printer *printer, struct sym_die type, struct part part)
{
    struct members members = {.printer = printer, .whole = part};
    if (printer->nested >= NESTED_MOST) {
        fputs("{...}", printer->out);
        return;
    }
    fputc('{', printer->out);
    sym_die_each_child(printer->debug, type, print_member, &members);
    fputc('}', printer->out);
}

// -------------------------------------------------------------------------------------------------

static void print_stripped(struct printer *printer, struct sym_die type, struct part part)
{
    uint32_t tag = sym_die_tag(type);
    uint64_t size = 0;
    bool sized = sym_type_size(printer->debug, type, &size);
    bool made_of_parts = tag == DW_TAG_structure_type || tag == DW_TAG_class_type ||
                         tag == DW_TAG_union_type || tag == DW_TAG_array_type;
    bool nothing = part.size == 0 || !memchr(part.known, 1, part.size);
    printer->values++;
    if (made_of_parts && sized && size == 0) {
        fputs("{}", printer->out);
        return;
    }
    if (nothing || (!made_of_parts && !all_known(part, sized ? size : 0))) {
        fputs("<unavailable>", printer->out);
        return;
    }
    switch (tag) {
    case DW_TAG_base_type:
        print_base(printer, type, part, size);
        break;
    case DW_TAG_enumeration_type:
        put_enumeration(printer, type, number_of(part, size), 8 * (unsigned)(size < 8 ? size : 8));
        break;
    case DW_TAG_pointer_type:
    case DW_TAG_reference_type:
    case DW_TAG_rvalue_reference_type:
        print_pointer(printer, type, part, size);
        break;
    case DW_TAG_array_type:
        print_array(printer, type, part);
        break;
    case DW_TAG_structure_type:
    case DW_TAG_class_type:
    case DW_TAG_union_type:
        print_structure(printer, type, part);
        break;
    default:
        fprintf(printer->out, "0x%" PRIx64, number_of(part, size));
    }
}

static void print_part(struct printer *printer, struct sym_die type, struct part part)
{
    struct sym_die stripped = sym_type_strip(printer->debug, type);
    printer->nested++;
    if (sym_die_is(stripped) && printer->nested <= NESTED_MOST + SYM_DIMENSIONS_MOST)
        print_stripped(printer, stripped, part);
    else
        fputs("{...}", printer->out);
    printer->nested--;
}

void sym_value_print(const struct sym_place_context *context, struct sym_die type,
                     const struct sym_value *value, FILE *out)
{
    struct printer printer = {.context = context, .debug = context->debug, .out = out};
    if (value->why || value->size == 0)
        fprintf(out, "<%s>", value->why ? value->why : "of no size");
    else
        print_part(&printer, type, (struct part){value->bytes, value->known, value->size});
}
