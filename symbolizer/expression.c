// SPDX-License-Identifier: MIT
// See expression.h.
#include "symbolizer/expression.h"

#include <libdwarf/dwarf.h>

// How an operand is written.
enum operand {
    NONE,
    U1,
    U2,
    U4,
    U8,
    S1,
    S2,
    S4,
    S8,
    ULEB,
    SLEB,
    ADDRESS,
    OFFSET,     // in .debug_info
    BLOCK,      // a LEB128 length and so many bytes
    SHORT_BLOCK // a length of one byte
};

struct row {
    uint8_t first, last; // numbers of operations
    uint8_t operands[2];
};

// Operations that are not here are unknown: nobody can tell where the next one begins.
static const struct row rows[] = {
    {DW_OP_addr, DW_OP_addr, {ADDRESS}},
    {DW_OP_deref, DW_OP_deref, {NONE}},
    {DW_OP_const1u, DW_OP_const1u, {U1}},
    {DW_OP_const1s, DW_OP_const1s, {S1}},
    {DW_OP_const2u, DW_OP_const2u, {U2}},
    {DW_OP_const2s, DW_OP_const2s, {S2}},
    {DW_OP_const4u, DW_OP_const4u, {U4}},
    {DW_OP_const4s, DW_OP_const4s, {S4}},
    {DW_OP_const8u, DW_OP_const8u, {U8}},
    {DW_OP_const8s, DW_OP_const8s, {S8}},
    {DW_OP_constu, DW_OP_constu, {ULEB}},
    {DW_OP_consts, DW_OP_consts, {SLEB}},
    {DW_OP_dup, DW_OP_over, {NONE}},
    {DW_OP_pick, DW_OP_pick, {U1}},
    {DW_OP_swap, DW_OP_plus, {NONE}},
    {DW_OP_plus_uconst, DW_OP_plus_uconst, {ULEB}},
    {DW_OP_shl, DW_OP_xor, {NONE}},
    {DW_OP_bra, DW_OP_bra, {S2}},
    {DW_OP_eq, DW_OP_ne, {NONE}},
    {DW_OP_skip, DW_OP_skip, {S2}},
    {DW_OP_lit0, DW_OP_reg31, {NONE}},
    {DW_OP_breg0, DW_OP_breg31, {SLEB}},
    {DW_OP_regx, DW_OP_regx, {ULEB}},
    {DW_OP_fbreg, DW_OP_fbreg, {SLEB}},
    {DW_OP_bregx, DW_OP_bregx, {ULEB, SLEB}},
    {DW_OP_piece, DW_OP_piece, {ULEB}},
    {DW_OP_deref_size, DW_OP_xderef_size, {U1}},
    {DW_OP_nop, DW_OP_push_object_address, {NONE}},
    {DW_OP_call2, DW_OP_call2, {U2}},
    {DW_OP_call4, DW_OP_call4, {U4}},
    {DW_OP_call_ref, DW_OP_call_ref, {OFFSET}},
    {DW_OP_form_tls_address, DW_OP_call_frame_cfa, {NONE}},
    {DW_OP_bit_piece, DW_OP_bit_piece, {ULEB, ULEB}},
    {DW_OP_implicit_value, DW_OP_implicit_value, {BLOCK}},
    {DW_OP_stack_value, DW_OP_stack_value, {NONE}},
    {DW_OP_implicit_pointer, DW_OP_implicit_pointer, {OFFSET, SLEB}},
    {DW_OP_addrx, DW_OP_constx, {ULEB}},
    {DW_OP_entry_value, DW_OP_entry_value, {BLOCK}},
    {DW_OP_const_type, DW_OP_const_type, {ULEB, SHORT_BLOCK}},
    {DW_OP_regval_type, DW_OP_regval_type, {ULEB, ULEB}},
    {DW_OP_deref_type, DW_OP_xderef_type, {U1, ULEB}},
    {DW_OP_convert, DW_OP_reinterpret, {ULEB}},
    {DW_OP_GNU_push_tls_address, DW_OP_GNU_push_tls_address, {NONE}},
    {DW_OP_GNU_uninit, DW_OP_GNU_uninit, {NONE}},
    {DW_OP_GNU_implicit_pointer, DW_OP_GNU_implicit_pointer, {OFFSET, SLEB}},
    {DW_OP_GNU_entry_value, DW_OP_GNU_entry_value, {BLOCK}},
    {DW_OP_GNU_const_type, DW_OP_GNU_const_type, {ULEB, SHORT_BLOCK}},
    {DW_OP_GNU_regval_type, DW_OP_GNU_regval_type, {ULEB, ULEB}},
    {DW_OP_GNU_deref_type, DW_OP_GNU_deref_type, {U1, ULEB}},
    {DW_OP_GNU_convert, DW_OP_GNU_convert, {ULEB}},
    {DW_OP_GNU_reinterpret, DW_OP_GNU_reinterpret, {ULEB}},
    {DW_OP_GNU_parameter_ref, DW_OP_GNU_parameter_ref, {U4}},
    {DW_OP_GNU_addr_index, DW_OP_GNU_const_index, {ULEB}},
    {DW_OP_GNU_variable_value, DW_OP_GNU_variable_value, {OFFSET}},
};

static uint64_t read_operand(const struct sym_expression *expression, struct sym_cursor *cursor,
                             enum operand operand, struct sym_bytes *block)
{
    uint64_t length;
    switch (operand) {
    case U1:
        return sym_read_u8(cursor);
    case U2:
        return sym_read_u16(cursor);
    case U4:
        return sym_read_u32(cursor);
    case U8:
    case S8:
        return sym_read_u64(cursor);
    case S1:
        return (uint64_t)(int8_t)sym_read_u8(cursor);
    case S2:
        return (uint64_t)(int16_t)sym_read_u16(cursor);
    case S4:
        return (uint64_t)(int32_t)sym_read_u32(cursor);
    case ULEB:
        return sym_read_uleb(cursor);
    case SLEB:
        return (uint64_t)sym_read_sleb(cursor);
    case ADDRESS:
        return sym_read_unsigned(cursor, expression->address_bytes);
    case OFFSET:
        return sym_read_unsigned(cursor, expression->offset_bytes);
    case BLOCK:
    case SHORT_BLOCK:
        length = operand == BLOCK ? sym_read_uleb(cursor) : sym_read_u8(cursor);
        *block = (struct sym_bytes){cursor->at, length};
        sym_cursor_skip(cursor, length);
        return length;
    case NONE:
        break;
    }
    return 0;
}

bool sym_operation_read(const struct sym_expression *expression, struct sym_cursor *cursor,
                        struct sym_operation *out)
{
    *out = (struct sym_operation){.atom = sym_read_u8(cursor)};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (out->atom < rows[i].first || out->atom > rows[i].last)
            continue;
        out->a = read_operand(expression, cursor, rows[i].operands[0], &out->block);
        out->b = read_operand(expression, cursor, rows[i].operands[1], &out->block);
        return !cursor->failed;
    }
    return false;
}
