// SPDX-License-Identifier: MIT
// See die.h.
#include "symbolizer/die.h"

#include "symbolizer/debug_private.h"

enum {
    ORIGINS_MOST = 8, // of an inlined copy of a copy
    CHILDREN_MOST = 100000,
};

struct sym_die die_at(const struct dw_context *unit, uint64_t offset)
{
    struct sym_cursor cursor;
    struct sym_die die = {.unit = unit, .offset = offset};
    if (!unit || !dw_entry_begin(unit, offset, &cursor, &die.abbrev))
        return (struct sym_die){0};
    return die;
}

uint32_t sym_die_tag(struct sym_die die)
{
    return die.abbrev ? die.abbrev->tag : 0;
}

struct sym_die sym_die_in_unit(struct sym_die die, uint64_t offset)
{
    return sym_die_is(die) ? die_at(die.unit, die.unit->header->offset + offset)
                           : (struct sym_die){0};
}

bool sym_die_indexed_address(struct sym_die die, uint64_t index, uint64_t *address)
{
    return sym_die_is(die) && dw_address_at(die.unit, index, address);
}

// -- attributes -----------------------------------------------------------------------------------

static bool own_value(struct sym_die die, unsigned name, struct dw_value *value)
{
    struct sym_cursor cursor;
    const struct dw_abbrev *abbrev;
    *value = (struct dw_value){0};
    if (!sym_die_is(die) || !dw_entry_begin(die.unit, die.offset, &cursor, &abbrev))
        return false;
    for (uint32_t i = 0; i < abbrev->attribute_count; i++) {
        const struct dw_attribute_row *row =
            &die.unit->abbrevs->attributes[abbrev->first_attribute + i];
        struct dw_value one;
        if (!dw_read_value(die.unit->file, die.unit->header, &cursor, row->form, row->constant,
                           &one))
            return false;
        if (row->name == name) {
            *value = one;
            return true;
        }
    }
    return false;
}

static struct sym_die die_of_signature(struct sym_debug *debug, const struct dw_context *from,
                                       uint64_t signature)
{
    const struct dw_file *file;
    const struct dw_header *header;
    struct error *error =
        dw_type_find(debug->private_->dwarf, from->file, signature, &file, &header);
    error_free(error);
    if (error || !header)
        return (struct sym_die){0};
    return die_at(debug_unit_at(debug, file, header, from), header->offset + header->type_offset);
}

static struct sym_die resolve(struct sym_debug *debug, const struct dw_context *from,
                              const struct dw_value *value)
{
    const struct dw_file *file = from->file;
    if (value->class == DW_SIGNATURE)
        return die_of_signature(debug, from, value->number);
    if (value->class == DW_REFERENCE_ALTERNATE)
        file = file->alternate;
    else if (value->class != DW_REFERENCE)
        return (struct sym_die){0};
    if (file == from->file && value->number >= from->header->entries &&
        value->number < from->header->end)
        return die_at(from, value->number);
    const struct dw_header *header = file ? dw_header_at(file, value->number) : NULL;
    return header ? die_at(debug_unit_at(debug, file, header, from), value->number)
                  : (struct sym_die){0};
}

// C++ compilers leave a stub where a type was, that says which unit has it.
static struct sym_die die_of_value(struct sym_debug *debug, const struct dw_context *from,
                                   const struct dw_value *value)
{
    struct sym_die stub = resolve(debug, from, value);
    struct dw_value signature;
    if (!sym_die_is(stub) || !own_value(stub, DW_AT_signature, &signature) ||
        signature.class != DW_SIGNATURE)
        return stub;
    struct sym_die type = die_of_signature(debug, stub.unit, signature.number);
    return sym_die_is(type) ? type : stub;
}

static struct sym_die own_reference(struct sym_debug *debug, struct sym_die die, unsigned name)
{
    struct dw_value value;
    return own_value(die, name, &value) ? die_of_value(debug, die.unit, &value)
                                        : (struct sym_die){0};
}

// The entry this one is a copy of, or completes.
static struct sym_die origin_of(struct sym_debug *debug, struct sym_die die)
{
    struct sym_die origin = own_reference(debug, die, DW_AT_abstract_origin);
    return sym_die_is(origin) ? origin : own_reference(debug, die, DW_AT_specification);
}

// The value of an attribute and the entry that has it.
static bool find_value(struct sym_debug *debug, struct sym_die *die, unsigned name,
                       struct dw_value *value)
{
    for (int i = 0; i <= ORIGINS_MOST && sym_die_is(*die); i++) {
        if (own_value(*die, name, value))
            return true;
        *die = origin_of(debug, *die);
    }
    return false;
}

struct sym_die sym_die_reference(struct sym_debug *debug, struct sym_die die, unsigned name)
{
    struct dw_value value;
    return find_value(debug, &die, name, &value) ? die_of_value(debug, die.unit, &value)
                                                 : (struct sym_die){0};
}

const char *sym_die_name(struct sym_debug *debug, struct sym_die die)
{
    struct dw_value value;
    return find_value(debug, &die, DW_AT_name, &value) ? dw_string(die.unit, &value) : NULL;
}

bool sym_die_number(struct sym_debug *debug, struct sym_die die, unsigned name, uint64_t *value)
{
    struct dw_value found;
    if (!find_value(debug, &die, name, &found) || found.class != DW_CONSTANT)
        return false;
    *value = found.number;
    return true;
}

bool sym_die_flag(struct sym_debug *debug, struct sym_die die, unsigned name)
{
    uint64_t flag;
    return sym_die_number(debug, die, name, &flag) && flag;
}

bool sym_die_address(struct sym_debug *debug, struct sym_die die, unsigned name, uint64_t *value)
{
    struct dw_value found;
    return find_value(debug, &die, name, &found) && dw_address(die.unit, &found, value);
}

bool sym_die_block(struct sym_debug *debug, struct sym_die die, unsigned name,
                   struct sym_bytes *bytes)
{
    struct dw_value found;
    if (!find_value(debug, &die, name, &found) || found.class != DW_BLOCK)
        return false;
    *bytes = (struct sym_bytes){(const uint8_t *)found.string, found.number};
    return true;
}

enum sym_place_kind sym_die_place(struct sym_debug *debug, struct sym_die die, unsigned name,
                                  uint64_t address, struct sym_expression *out)
{
    struct dw_value value;
    if (!find_value(debug, &die, name, &value))
        return SYM_PLACE_NONE;
    *out = (struct sym_expression){
        .die = die,
        .address_bytes = die.unit->header->address_bytes,
        .offset_bytes = die.unit->header->offset_bytes,
    };
    bool found = dw_location_find(die.unit, &value, address, &out->bytes) && out->bytes.size > 0;
    return found ? SYM_PLACE_FOUND : SYM_PLACE_GONE;
}

// -- children -------------------------------------------------------------------------------------

// Walks over the unit's entries from one entry's attributes on.
struct walk {
    const struct dw_context *unit;
    const uint8_t *at, *base, *end;
};

// Past an entry's attributes; false: it is damaged.
static bool pass(struct walk *walk, const struct dw_abbrev *abbrev)
{
    walk->at = dw_abbrev_skip(walk->unit->abbrevs, abbrev, walk->at, walk->end,
                              walk->unit->file->elf->swap);
    return walk->at;
}

// The entry here; {0}: the end of its parent's children, or of what can be read.
static struct sym_die enter(struct walk *walk)
{
    uint64_t offset = (uint64_t)(walk->at - walk->base);
    struct sym_cursor cursor;
    struct sym_die die = {.unit = walk->unit, .offset = offset};
    if (!dw_entry_begin(walk->unit, offset, &cursor, &die.abbrev)) {
        if (walk->at < walk->end)
            walk->at++; // the 0 that ends children
        return (struct sym_die){0};
    }
    walk->at = cursor.at;
    return die;
}

static bool pass_children(struct walk *walk)
{
    for (size_t depth = 1; depth > 0;) {
        if (walk->at >= walk->end)
            return false;
        bool is_end = *walk->at == 0;
        struct sym_die die = enter(walk);
        if (!sym_die_is(die) ? !is_end : !pass(walk, die.abbrev))
            return false;
        if (!sym_die_is(die))
            depth--;
        else if (die.abbrev->children)
            depth++;
    }
    return true;
}

// Past an entry with its children.
static bool pass_whole(struct walk *walk, struct sym_die die)
{
    struct dw_value sibling;
    if (!pass(walk, die.abbrev))
        return false;
    if (!die.abbrev->children)
        return true;
    if (own_value(die, DW_AT_sibling, &sibling) && sibling.class == DW_REFERENCE &&
        sibling.number >= (uint64_t)(walk->at - walk->base) &&
        sibling.number <= (uint64_t)(walk->end - walk->base)) {
        walk->at = walk->base + sibling.number;
        return true;
    }
    return pass_children(walk);
}

void sym_die_each_child(struct sym_debug *debug, struct sym_die die, sym_die_fn *fn, void *argument)
{
    if (!sym_die_is(die) || !die.abbrev->children)
        return;
    struct walk walk = {.unit = die.unit, .base = die.unit->file->sections[DW_INFO].data};
    walk.end = walk.base + die.unit->header->end;
    walk.at = walk.base + die.offset;
    enter(&walk);
    bool more = pass(&walk, die.abbrev);
    for (int i = 0; more && i < CHILDREN_MOST; i++) {
        struct sym_die child = enter(&walk);
        more = sym_die_is(child) && fn(debug, child, argument) && pass_whole(&walk, child);
    }
}

// -- ranges ---------------------------------------------------------------------------------------

bool sym_die_covers(struct sym_debug *debug, struct sym_die die, uint64_t address)
{
    struct sym_debug_private *own = debug->private_;
    struct dw_value low, high, ranges;
    size_t count = 0;
    own_value(die, DW_AT_low_pc, &low);
    own_value(die, DW_AT_high_pc, &high);
    own_value(die, DW_AT_ranges, &ranges);
    struct error *error =
        dw_ranges_add(die.unit, &low, &high, &ranges, &own->ranges, &count, &own->range_capacity);
    error_free(error);
    for (size_t i = 0; i < count && !error; i++)
        if (address >= own->ranges[i].low && address < own->ranges[i].high)
            return true;
    return false;
}
