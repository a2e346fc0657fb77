// SPDX-License-Identifier: MIT
// See evaluate.h. Typed operations (DWARF 5, 2.5.1.6) work on integers: a number is kept cut to its
// type's size and extended by its sign.
#include "symbolizer/evaluate.h"

#include <libdwarf/dwarf.h>
#include <string.h>

#include "symbolizer/entry_value.h"

enum {
    STEPS_MOST = 10000, // an expression may branch back
    NESTED_MOST = 4,    // frame base within an expression
};

static bool fail(struct sym_evaluation *e, const char *why)
{
    if (!e->why)
        e->why = why;
    return false;
}

static bool push(struct sym_evaluation *e, uint64_t value)
{
    if (e->depth == SYM_STACK_MOST)
        return fail(e, "an expression that needs too much");
    e->stack[e->depth++] = value;
    e->kind = SYM_IN_MEMORY;
    return true;
}

static bool pop(struct sym_evaluation *e, uint64_t *value)
{
    if (e->depth == 0)
        return fail(e, "a broken expression");
    *value = e->stack[--e->depth];
    if (e->depth == 0)
        e->kind = SYM_IS_EMPTY;
    return true;
}

static bool push_register(struct sym_evaluation *e, uint64_t number, int64_t offset)
{
    const struct sym_registers *registers = e->context->registers;
    if (number >= SYM_REGISTERS || !registers || !registers->known[number])
        return fail(e, "in a register that was not kept");
    return push(e, registers->value[number] + (uint64_t)offset);
}

static bool push_memory(struct sym_evaluation *e, unsigned bytes)
{
    uint64_t address, value;
    if (!pop(e, &address))
        return false;
    if (bytes == 0 || bytes > 8)
        return fail(e, "a broken expression");
    if (!sym_dead_read_number(e->context->dead, address, bytes, &value))
        return fail(e, "memory that is not in the capsule leads to it");
    return push(e, value);
}

// -- types of the typed operations ----------------------------------------------------------------

// Cuts a number to the base type so far from the beginning of the expression's unit; 0 is the
// generic type.
static bool convert(struct sym_evaluation *e, uint64_t type, uint64_t *value)
{
    struct sym_debug *debug = e->context->debug;
    uint64_t size = 0, encoding = 0;
    if (type == 0)
        return true;
    struct sym_die die = sym_die_in_unit(e->expression.die, type);
    if (!sym_die_is(die))
        return fail(e, "a type that is not there");
    bool right = sym_die_number(debug, die, DW_AT_byte_size, &size) &&
                 sym_die_number(debug, die, DW_AT_encoding, &encoding);
    if (!right || size == 0 || size > 8 || encoding == DW_ATE_float)
        return fail(e, "a calculation with numbers that are not integers");
    unsigned unused = 64 - 8 * (unsigned)size;
    bool is_signed = encoding == DW_ATE_signed || encoding == DW_ATE_signed_char;
    *value <<= unused;
    *value = is_signed ? (uint64_t)((int64_t)*value >> unused) : *value >> unused;
    return true;
}

static bool convert_top(struct sym_evaluation *e, uint64_t type)
{
    uint64_t value;
    return pop(e, &value) && convert(e, type, &value) && push(e, value);
}

static bool push_typed_constant(struct sym_evaluation *e, const struct sym_operation *op)
{
    uint64_t value = 0;
    if (op->block.size > sizeof(value))
        return fail(e, "a calculation with numbers that are not integers");
    memcpy(&value, op->block.data, op->block.size);
    return convert(e, op->a, &value) && push(e, value);
}

// -- operations -----------------------------------------------------------------------------------

static bool arithmetic(struct sym_evaluation *e, uint8_t atom)
{
    uint64_t right, left;
    if (!pop(e, &right) || !pop(e, &left))
        return false;
    int64_t a = (int64_t)left, b = (int64_t)right;
    switch (atom) {
    case DW_OP_and:
        return push(e, left & right);
    case DW_OP_or:
        return push(e, left | right);
    case DW_OP_xor:
        return push(e, left ^ right);
    case DW_OP_plus:
        return push(e, left + right);
    case DW_OP_minus:
        return push(e, left - right);
    case DW_OP_mul:
        return push(e, left * right);
    case DW_OP_div:
        if (b == 0 || (b == -1 && a == INT64_MIN))
            return fail(e, "a division that has no result");
        return push(e, (uint64_t)(a / b));
    case DW_OP_mod:
        return right == 0 ? fail(e, "a division that has no result") : push(e, left % right);
    case DW_OP_shl:
        return push(e, right < 64 ? left << right : 0);
    case DW_OP_shr:
        return push(e, right < 64 ? left >> right : 0);
    case DW_OP_shra:
        return push(e, (uint64_t)(a >> (right < 64 ? right : 63)));
    case DW_OP_eq:
        return push(e, a == b);
    case DW_OP_ne:
        return push(e, a != b);
    case DW_OP_lt:
        return push(e, a < b);
    case DW_OP_le:
        return push(e, a <= b);
    case DW_OP_gt:
        return push(e, a > b);
    default: // DW_OP_ge
        return push(e, a >= b);
    }
}

static bool one_operand(struct sym_evaluation *e, const struct sym_operation *op)
{
    uint64_t value;
    if (!pop(e, &value))
        return false;
    switch (op->atom) {
    case DW_OP_neg:
        return push(e, -value);
    case DW_OP_not:
        return push(e, ~value);
    case DW_OP_abs:
        return push(e, (int64_t)value < 0 ? -value : value);
    default: // DW_OP_plus_uconst
        return push(e, value + op->a);
    }
}

static bool shuffle(struct sym_evaluation *e, const struct sym_operation *op)
{
    size_t wanted = op->atom == DW_OP_pick ? op->a : op->atom == DW_OP_over ? 1 : 0;
    uint64_t *top = e->stack + e->depth, under;
    switch (op->atom) {
    case DW_OP_dup:
    case DW_OP_over:
    case DW_OP_pick:
        return wanted < e->depth ? push(e, e->stack[e->depth - 1 - wanted])
                                 : fail(e, "a broken expression");
    case DW_OP_drop:
        return pop(e, &under);
    case DW_OP_swap:
        if (e->depth < 2)
            return fail(e, "a broken expression");
        under = top[-2];
        top[-2] = top[-1];
        top[-1] = under;
        return true;
    default: // DW_OP_rot
        if (e->depth < 3)
            return fail(e, "a broken expression");
        under = top[-1];
        top[-1] = top[-2];
        top[-2] = top[-3];
        top[-3] = under;
        return true;
    }
}

// DW_OP_entry_value (2.5.1.7) of a register; of memory it is hardly ever asked.
static bool push_entry_value(struct sym_evaluation *e, const struct sym_operation *op)
{
    const struct sym_bytes *inner = &op->block;
    uint64_t value;
    bool is_register =
        inner->size == 1 && *inner->data >= DW_OP_reg0 && *inner->data <= DW_OP_reg31;
    if (!is_register || !sym_entry_value(e->context, (unsigned)(*inner->data - DW_OP_reg0), &value))
        return fail(e, "only its value at the function's entry could tell");
    return push(e, value);
}

// DW_AT_frame_base (3.3.5): a location whose address is meant, or a register whose contents are.
static bool frame_base(struct sym_evaluation *e, uint64_t *base)
{
    static const char *const unknown = "in a frame whose beginning is not known";
    struct sym_expression expression;
    if (e->nested >= NESTED_MOST ||
        sym_die_place(e->context->debug, e->context->function, DW_AT_frame_base, e->context->pc,
                      &expression) != SYM_PLACE_FOUND)
        return fail(e, unknown);
    struct sym_evaluation inner;
    sym_evaluation_begin(&inner, e->context, &expression);
    inner.nested = e->nested + 1;
    return sym_evaluation_number(&inner, base) || fail(e, inner.why ? inner.why : unknown);
}

static bool execute_frame(struct sym_evaluation *e, const struct sym_operation *op)
{
    uint64_t base;
    if (op->atom == DW_OP_fbreg)
        return frame_base(e, &base) && push(e, base + op->a);
    if (!e->context->has_cfa)
        return fail(e, "in a frame whose beginning is not known");
    return push(e, e->context->cfa);
}

// An element of the unit's table: an address that is moved with the program, or a constant.
static bool push_indexed(struct sym_evaluation *e, const struct sym_operation *op)
{
    uint64_t value;
    if (!sym_die_indexed_address(e->expression.die, op->a, &value))
        return fail(e, "a broken expression");
    bool is_address = op->atom == DW_OP_addrx || op->atom == DW_OP_GNU_addr_index;
    return push(e, value + (is_address ? (uint64_t)e->context->dead->load_offset : 0));
}

// One operation but branches. Constants, registers and base registers are ranges of numbers.
static bool execute(struct sym_evaluation *e, const struct sym_operation *op)
{
    uint8_t atom = op->atom;
    if (atom >= DW_OP_lit0 && atom <= DW_OP_lit31)
        return push(e, (uint64_t)(atom - DW_OP_lit0));
    if (atom >= DW_OP_breg0 && atom <= DW_OP_breg31)
        return push_register(e, (uint64_t)(atom - DW_OP_breg0), (int64_t)op->a);
    if ((atom >= DW_OP_reg0 && atom <= DW_OP_reg31) || atom == DW_OP_regx) {
        uint64_t number = atom == DW_OP_regx ? op->a : (uint64_t)(atom - DW_OP_reg0);
        e->kind = SYM_IN_REGISTER;
        e->register_number = number < SYM_REGISTERS ? (unsigned)number : SYM_REGISTERS;
        return true;
    }
    switch (atom) {
    case DW_OP_addr:
        return push(e, op->a + (uint64_t)e->context->dead->load_offset);
    case DW_OP_addrx:
    case DW_OP_GNU_addr_index:
    case DW_OP_constx:
    case DW_OP_GNU_const_index:
        return push_indexed(e, op);
    case DW_OP_const1u:
    case DW_OP_const1s:
    case DW_OP_const2u:
    case DW_OP_const2s:
    case DW_OP_const4u:
    case DW_OP_const4s:
    case DW_OP_const8u:
    case DW_OP_const8s:
    case DW_OP_constu:
    case DW_OP_consts:
        return push(e, op->a);
    case DW_OP_bregx:
        return push_register(e, op->a, (int64_t)op->b);
    case DW_OP_fbreg:
    case DW_OP_call_frame_cfa:
        return execute_frame(e, op);
    case DW_OP_deref:
        return push_memory(e, e->context->debug->elf->wide ? 8 : 4);
    case DW_OP_deref_size:
        return push_memory(e, (unsigned)op->a);
    case DW_OP_deref_type:
    case DW_OP_GNU_deref_type:
        return push_memory(e, (unsigned)op->a) && convert_top(e, op->b);
    case DW_OP_regval_type:
    case DW_OP_GNU_regval_type:
        return push_register(e, op->a, 0) && convert_top(e, op->b);
    case DW_OP_const_type:
    case DW_OP_GNU_const_type:
        return push_typed_constant(e, op);
    case DW_OP_convert:
    case DW_OP_GNU_convert:
    case DW_OP_reinterpret:
    case DW_OP_GNU_reinterpret:
        return convert_top(e, op->a);
    case DW_OP_dup:
    case DW_OP_drop:
    case DW_OP_over:
    case DW_OP_pick:
    case DW_OP_swap:
    case DW_OP_rot:
        return shuffle(e, op);
    case DW_OP_and:
    case DW_OP_or:
    case DW_OP_xor:
    case DW_OP_plus:
    case DW_OP_minus:
    case DW_OP_mul:
    case DW_OP_div:
    case DW_OP_mod:
    case DW_OP_shl:
    case DW_OP_shr:
    case DW_OP_shra:
    case DW_OP_eq:
    case DW_OP_ne:
    case DW_OP_lt:
    case DW_OP_le:
    case DW_OP_gt:
    case DW_OP_ge:
        return arithmetic(e, atom);
    case DW_OP_neg:
    case DW_OP_not:
    case DW_OP_abs:
    case DW_OP_plus_uconst:
        return one_operand(e, op);
    case DW_OP_nop:
        return true;
    case DW_OP_stack_value:
        e->kind = SYM_IS_VALUE;
        return e->depth > 0 || fail(e, "a broken expression");
    case DW_OP_implicit_value:
        e->kind = SYM_IS_BYTES;
        e->bytes = op->block;
        return true;
    case DW_OP_piece:
        e->piece_bytes = op->a;
        return true;
    case DW_OP_bit_piece:
        e->piece_bytes = op->a / 8;
        return (op->a % 8 == 0 && op->b == 0) || fail(e, "spread over single bits");
    case DW_OP_entry_value:
    case DW_OP_GNU_entry_value:
        return push_entry_value(e, op);
    case DW_OP_implicit_pointer:
    case DW_OP_GNU_implicit_pointer:
        return fail(e, "what it points to has no address");
    default:
        return fail(e, "an expression that is not understood");
    }
}

// -- running --------------------------------------------------------------------------------------

void sym_evaluation_begin(struct sym_evaluation *e, const struct sym_place_context *context,
                          const struct sym_expression *expression)
{
    memset(e, 0, sizeof(*e));
    e->context = context;
    e->expression = *expression;
    e->cursor = sym_cursor_over(expression->bytes, context->debug->elf->swap);
}

bool sym_evaluation_push(struct sym_evaluation *e, uint64_t number)
{
    return push(e, number);
}

// To the target of a branch, counted from behind its operand.
static bool branch(struct sym_evaluation *e, const struct sym_operation *op)
{
    sym_cursor_seek(&e->cursor, sym_cursor_offset(&e->cursor) + op->a);
    return !e->cursor.failed || fail(e, "a broken expression");
}

enum sym_evaluation_end sym_evaluation_run(struct sym_evaluation *e)
{
    while (sym_cursor_left(&e->cursor) > 0) {
        struct sym_operation op;
        uint64_t condition = 1;
        bool right;
        if (e->steps++ == STEPS_MOST)
            right = fail(e, "an expression without an end");
        else if (!sym_operation_read(&e->expression, &e->cursor, &op))
            right = fail(e, e->cursor.failed ? "a broken expression"
                                             : "an expression that is not understood");
        else if (op.atom == DW_OP_skip)
            right = branch(e, &op);
        else if (op.atom == DW_OP_bra)
            right = pop(e, &condition) && (condition == 0 || branch(e, &op));
        else
            right = execute(e, &op);
        if (!right)
            return SYM_EVALUATION_FAILED;
        if (op.atom == DW_OP_piece || op.atom == DW_OP_bit_piece)
            return SYM_EVALUATION_PIECE;
    }
    return SYM_EVALUATION_ENDED;
}

void sym_evaluation_next_piece(struct sym_evaluation *e)
{
    e->depth = 0;
    e->kind = SYM_IS_EMPTY;
}

bool sym_evaluation_number(struct sym_evaluation *e, uint64_t *number)
{
    if (sym_evaluation_run(e) != SYM_EVALUATION_ENDED)
        return false;
    if (e->kind == SYM_IN_REGISTER && !push_register(e, e->register_number, 0))
        return false;
    return pop(e, number);
}
