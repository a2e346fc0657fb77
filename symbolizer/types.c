// SPDX-License-Identifier: MIT
// See types.h.
#include "symbolizer/types.h"

#include <inttypes.h>
#include <libdwarf/dwarf.h>
#include <stdio.h>
#include <stdlib.h>

enum { STRIP_MOST = 64 }; // typedefs of typedefs

static bool is_modifier(uint32_t tag)
{
    return tag == DW_TAG_typedef || tag == DW_TAG_const_type || tag == DW_TAG_volatile_type ||
           tag == DW_TAG_restrict_type || tag == DW_TAG_atomic_type || tag == DW_TAG_immutable_type;
}

struct sym_die sym_type_strip(struct sym_debug *debug, struct sym_die type)
{
    for (int i = 0; i < STRIP_MOST && is_modifier(sym_die_tag(type)); i++)
        type = sym_die_reference(debug, type, DW_AT_type);
    return type;
}

// -- names ----------------------------------------------------------------------------------------

static void put_name(struct sym_debug *debug, struct sym_die type, unsigned nested, FILE *out);

static bool put_dimension(struct sym_debug *debug, struct sym_die child, void *argument)
{
    uint64_t count;
    if (sym_die_tag(child) != DW_TAG_subrange_type)
        return true;
    if (sym_die_number(debug, child, DW_AT_count, &count))
        fprintf(argument, "[%" PRIu64 "]", count);
    else if (sym_die_number(debug, child, DW_AT_upper_bound, &count))
        fprintf(argument, "[%" PRIu64 "]", count + 1);
    else
        fputs("[]", argument);
    return true;
}

static void put_inner(struct sym_debug *debug, struct sym_die type, unsigned nested, FILE *out)
{
    struct sym_die inner = sym_die_reference(debug, type, DW_AT_type);
    put_name(debug, inner, nested + 1, out);
}

static void put_tagged(const char *word, const char *name, FILE *out)
{
    fprintf(out, "%s %s", word, name ? name : "{...}");
}

static void put_name(struct sym_debug *debug, struct sym_die type, unsigned nested, FILE *out)
{
    const char *name = sym_die_is(type) ? sym_die_name(debug, type) : "void";
    uint32_t tag = sym_die_tag(type);
    if (nested > STRIP_MOST) {
        fputs("...", out);
        return;
    }
    switch (tag) {
    case DW_TAG_pointer_type:
    case DW_TAG_reference_type:
    case DW_TAG_rvalue_reference_type: {
        static const char *const signs[] = {" *", " &", " &&"};
        put_inner(debug, type, nested, out);
        fputs(signs[tag == DW_TAG_pointer_type ? 0 : tag == DW_TAG_reference_type ? 1 : 2], out);
        return;
    }
    case DW_TAG_const_type:
    case DW_TAG_volatile_type:
        fputs(tag == DW_TAG_const_type ? "const " : "volatile ", out);
        put_inner(debug, type, nested, out);
        return;
    case DW_TAG_restrict_type:
    case DW_TAG_atomic_type:
    case DW_TAG_immutable_type:
        put_inner(debug, type, nested, out);
        return;
    case DW_TAG_array_type:
        put_inner(debug, type, nested, out);
        fputc(' ', out);
        sym_die_each_child(debug, type, put_dimension, out);
        return;
    case DW_TAG_subroutine_type:
        put_inner(debug, type, nested, out);
        fputs(" ()", out);
        return;
    case DW_TAG_structure_type:
        put_tagged("struct", name, out);
        return;
    case DW_TAG_union_type:
        put_tagged("union", name, out);
        return;
    case DW_TAG_enumeration_type:
        put_tagged("enum", name, out);
        return;
    default:
        fputs(name ? name : "?", out);
    }
}

char *sym_type_name(struct sym_debug *debug, struct sym_die type)
{
    char *name = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&name, &size);
    if (!out)
        return NULL;
    put_name(debug, type, 0, out);
    if (fclose(out) == 0)
        return name;
    free(name);
    return NULL;
}

// -- sizes ----------------------------------------------------------------------------------------

static bool read_dimension(struct sym_debug *debug, struct sym_die child, void *argument)
{
    struct sym_dimensions *dimensions = argument;
    uint64_t count;
    if (sym_die_tag(child) != DW_TAG_subrange_type)
        return true;
    if (sym_die_number(debug, child, DW_AT_upper_bound, &count))
        count++;
    else if (!sym_die_number(debug, child, DW_AT_count, &count))
        dimensions->known = false;
    if (!dimensions->known || dimensions->count == SYM_DIMENSIONS_MOST)
        return false;
    dimensions->counts[dimensions->count++] = count;
    return true;
}

bool sym_type_dimensions(struct sym_debug *debug, struct sym_die array, struct sym_dimensions *out)
{
    *out = (struct sym_dimensions){.known = true};
    sym_die_each_child(debug, array, read_dimension, out);
    return out->known && out->count > 0;
}

static bool size_of(struct sym_debug *debug, struct sym_die type, unsigned nested, uint64_t *size);

static bool size_of_array(struct sym_debug *debug, struct sym_die array, unsigned nested,
                          uint64_t *size)
{
    struct sym_dimensions dimensions;
    struct sym_die element = sym_die_reference(debug, array, DW_AT_type);
    bool known = sym_die_is(element) && size_of(debug, element, nested + 1, size) &&
                 sym_type_dimensions(debug, array, &dimensions);
    for (size_t i = 0; known && i < dimensions.count; i++)
        known = !__builtin_mul_overflow(*size, dimensions.counts[i], size);
    return known;
}

static bool size_of(struct sym_debug *debug, struct sym_die type, unsigned nested, uint64_t *size)
{
    if (nested > SYM_DIMENSIONS_MOST)
        return false;
    struct sym_die stripped = sym_type_strip(debug, type);
    bool known = false;
    if (sym_die_is(stripped)) {
        uint32_t tag = sym_die_tag(stripped);
        known = sym_die_number(debug, stripped, DW_AT_byte_size, size);
        if (!known && (tag == DW_TAG_pointer_type || tag == DW_TAG_reference_type ||
                       tag == DW_TAG_rvalue_reference_type)) {
            *size = debug->elf->wide ? 8 : 4;
            known = true;
        }
        if (!known && tag == DW_TAG_array_type)
            known = size_of_array(debug, stripped, nested, size);
    }
    return known;
}

bool sym_type_size(struct sym_debug *debug, struct sym_die type, uint64_t *size)
{
    return sym_die_is(type) && size_of(debug, type, 0, size);
}
