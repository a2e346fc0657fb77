// SPDX-License-Identifier: MIT
// Values of attributes in every form (DWARF 5, section 7.5.6, and GNU's), and the strings and
// addresses that stand for an index. The base of no other part: nothing here knows about entries.
#include "symbolizer/dwarf_private.h"

// How to get past a value: DW_WAY_FIXED with its size, or what to look at.
enum dw_way dw_form_way(unsigned form, unsigned version, unsigned address_bytes,
                        unsigned offset_bytes, unsigned *fixed)
{
    *fixed = 0;
    switch (form) {
    case DW_FORM_flag_present:
    case DW_FORM_implicit_const:
        return DW_WAY_FIXED;
    case DW_FORM_data1:
    case DW_FORM_flag:
    case DW_FORM_ref1:
    case DW_FORM_strx1:
    case DW_FORM_addrx1:
        *fixed = 1;
        return DW_WAY_FIXED;
    case DW_FORM_data2:
    case DW_FORM_ref2:
    case DW_FORM_strx2:
    case DW_FORM_addrx2:
        *fixed = 2;
        return DW_WAY_FIXED;
    case DW_FORM_strx3:
    case DW_FORM_addrx3:
        *fixed = 3;
        return DW_WAY_FIXED;
    case DW_FORM_data4:
    case DW_FORM_ref4:
    case DW_FORM_ref_sup4:
    case DW_FORM_strx4:
    case DW_FORM_addrx4:
        *fixed = 4;
        return DW_WAY_FIXED;
    case DW_FORM_data8:
    case DW_FORM_ref8:
    case DW_FORM_ref_sup8:
    case DW_FORM_ref_sig8:
        *fixed = 8;
        return DW_WAY_FIXED;
    case DW_FORM_data16:
        *fixed = 16;
        return DW_WAY_FIXED;
    case DW_FORM_addr:
        *fixed = address_bytes;
        return DW_WAY_FIXED;
    case DW_FORM_ref_addr: // DWARF 2 meant an address by it
        *fixed = version <= 2 ? address_bytes : offset_bytes;
        return DW_WAY_FIXED;
    case DW_FORM_strp:
    case DW_FORM_line_strp:
    case DW_FORM_strp_sup:
    case DW_FORM_sec_offset:
    case DW_FORM_GNU_ref_alt:
    case DW_FORM_GNU_strp_alt:
        *fixed = offset_bytes;
        return DW_WAY_FIXED;
    case DW_FORM_sdata:
    case DW_FORM_udata:
    case DW_FORM_ref_udata:
    case DW_FORM_strx:
    case DW_FORM_addrx:
    case DW_FORM_loclistx:
    case DW_FORM_rnglistx:
    case DW_FORM_GNU_addr_index:
    case DW_FORM_GNU_str_index:
        return DW_WAY_LEB;
    case DW_FORM_string:
        return DW_WAY_STRING;
    case DW_FORM_block1:
        return DW_WAY_BLOCK1;
    case DW_FORM_block2:
        return DW_WAY_BLOCK2;
    case DW_FORM_block4:
        return DW_WAY_BLOCK4;
    case DW_FORM_block:
    case DW_FORM_exprloc:
        return DW_WAY_BLOCK;
    case DW_FORM_indirect:
        return DW_WAY_INDIRECT;
    default:
        return DW_WAY_UNKNOWN;
    }
}

// The sections of strings end with a terminator (see dw_file_open), so that an offset within one
// begins a string.
const char *dw_string_at(const struct dw_file *file, enum dw_section section, uint64_t offset)
{
    if (!file || offset >= file->sections[section].size)
        return NULL;
    return (const char *)file->sections[section].data + offset;
}

static void reference_in_unit(const struct dw_header *header, uint64_t offset,
                              struct dw_value *value)
{
    value->class = DW_REFERENCE;
    value->number = header->offset + offset;
    if (offset >= header->end - header->offset)
        value->class = DW_OTHER; // into nowhere
}

static void read_block(struct sym_cursor *cursor, uint64_t bytes, struct dw_value *value)
{
    *value = (struct dw_value){DW_BLOCK, bytes, (const char *)cursor->at};
    sym_cursor_skip(cursor, bytes);
}

// False: the form is unknown or the value does not fit; the cursor has failed then.
bool dw_read_value(const struct dw_file *file, const struct dw_header *header,
                   struct sym_cursor *cursor, unsigned form, int64_t constant,
                   struct dw_value *value)
{
    if (form == DW_FORM_indirect) {
        form = (unsigned)sym_read_uleb(cursor);
        if (form == DW_FORM_indirect || form == DW_FORM_implicit_const) {
            sym_cursor_fail(cursor);
            return false;
        }
    }
    unsigned fixed;
    enum dw_way way =
        dw_form_way(form, header->version, header->address_bytes, header->offset_bytes, &fixed);
    *value = (struct dw_value){DW_OTHER, 0, NULL};
    switch (way) {
    case DW_WAY_FIXED:
        if (fixed > 8)
            read_block(cursor, fixed, value);
        else
            value->number = fixed ? sym_read_unsigned(cursor, fixed) : 0;
        break;
    case DW_WAY_LEB:
        value->number =
            form == DW_FORM_sdata ? (uint64_t)sym_read_sleb(cursor) : sym_read_uleb(cursor);
        break;
    case DW_WAY_STRING:
        value->string = sym_read_string(cursor);
        break;
    default:
        read_block(cursor, dw_read_block_size(cursor, way), value);
        break;
    }
    if (cursor->failed)
        return false;

    switch (form) {
    case DW_FORM_implicit_const:
        value->class = DW_CONSTANT;
        value->number = (uint64_t)constant;
        break;
    case DW_FORM_flag_present:
        value->class = DW_CONSTANT;
        value->number = 1;
        break;
    case DW_FORM_data1:
    case DW_FORM_data2:
    case DW_FORM_data4:
    case DW_FORM_data8:
    case DW_FORM_udata:
    case DW_FORM_sdata:
    case DW_FORM_flag:
        value->class = DW_CONSTANT;
        break;
    case DW_FORM_string:
        value->class = DW_STRING;
        break;
    case DW_FORM_strp:
        value->class = DW_STRING;
        value->string = dw_string_at(file, DW_STR, value->number);
        break;
    case DW_FORM_line_strp:
        value->class = DW_STRING;
        value->string = dw_string_at(file, DW_LINE_STR, value->number);
        break;
    case DW_FORM_strp_sup:
    case DW_FORM_GNU_strp_alt:
        value->class = DW_STRING;
        value->string = dw_string_at(file->alternate, DW_STR, value->number);
        break;
    case DW_FORM_strx:
    case DW_FORM_strx1:
    case DW_FORM_strx2:
    case DW_FORM_strx3:
    case DW_FORM_strx4:
    case DW_FORM_GNU_str_index:
        value->class = DW_STRING_INDEX;
        break;
    case DW_FORM_addr:
        value->class = DW_ADDRESS;
        break;
    case DW_FORM_addrx:
    case DW_FORM_addrx1:
    case DW_FORM_addrx2:
    case DW_FORM_addrx3:
    case DW_FORM_addrx4:
    case DW_FORM_GNU_addr_index:
        value->class = DW_ADDRESS_INDEX;
        break;
    case DW_FORM_ref1:
    case DW_FORM_ref2:
    case DW_FORM_ref4:
    case DW_FORM_ref8:
    case DW_FORM_ref_udata:
        reference_in_unit(header, value->number, value);
        break;
    case DW_FORM_ref_addr:
        value->class = DW_REFERENCE;
        break;
    case DW_FORM_ref_sup4:
    case DW_FORM_ref_sup8:
    case DW_FORM_GNU_ref_alt:
        value->class = DW_REFERENCE_ALTERNATE;
        break;
    case DW_FORM_sec_offset:
        value->class = DW_SECTION_OFFSET;
        break;
    case DW_FORM_loclistx:
    case DW_FORM_rnglistx:
        value->class = DW_LIST_INDEX;
        break;
    case DW_FORM_ref_sig8:
        value->class = DW_SIGNATURE;
        break;
    default:
        break;
    }
    return true;
}

bool dw_table_entry(const struct dw_file *file, enum dw_section section, uint64_t base,
                    uint64_t index, unsigned bytes, uint64_t *value)
{
    struct sym_bytes table = file->sections[section];
    if (base > table.size || index >= (table.size - base) / bytes)
        return false;
    struct sym_cursor cursor = sym_cursor_over(table, file->elf->swap);
    sym_cursor_seek(&cursor, base + index * bytes);
    *value = sym_read_unsigned(&cursor, bytes);
    return true;
}

// NULL: the value is no string, or an index of none.
const char *dw_string(const struct dw_context *context, const struct dw_value *value)
{
    uint64_t offset;
    if (value->class == DW_STRING)
        return value->string;
    if (value->class != DW_STRING_INDEX ||
        !dw_table_entry(context->file, DW_STR_OFFSETS, context->string_base, value->number,
                        context->header->offset_bytes, &offset))
        return NULL;
    return dw_string_at(context->file, DW_STR, offset);
}

bool dw_address_at(const struct dw_context *context, uint64_t index, uint64_t *address)
{
    return dw_table_entry(context->address_file, DW_ADDR, context->address_base, index,
                          context->header->address_bytes, address);
}

bool dw_address(const struct dw_context *context, const struct dw_value *value, uint64_t *address)
{
    *address = value->number;
    return value->class == DW_ADDRESS ||
           (value->class == DW_ADDRESS_INDEX && dw_address_at(context, value->number, address));
}
