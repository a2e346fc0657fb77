// SPDX-License-Identifier: MIT
// See location.h. libdwarf takes expressions apart into operations and their operands; here they
// are executed on a stack of 64-bit numbers. Typed operations (DWARF 5, 2.5.1.6) work on integers:
// a number is kept cut to its type's size and extended by its sign.
#include "symbolizer/location.h"

#include <stdlib.h>
#include <string.h>

#include "symbolizer/entry_value.h"

enum {
    STACK_MOST = 64,
    STEPS_MOST = 10000, // an expression may branch back
    NESTED_MOST = 4,    // frame base within an expression
};

enum kind { EMPTY, MEMORY, REGISTER, VALUE, BYTES };

struct operation {
    Dwarf_Small atom;
    Dwarf_Unsigned a, b, c;
    Dwarf_Unsigned offset; // in the expression, for branches
};

struct evaluation {
    const struct sym_place_context *context;
    Dwarf_Locdesc_c expression;
    Dwarf_Unsigned count; // of operations
    uint64_t stack[STACK_MOST];
    size_t depth;
    unsigned nested;
    enum kind kind; // of the location so far; MEMORY and VALUE: the top of the stack
    unsigned register_number;
    const uint8_t *bytes;
    size_t byte_count;
    bool pieced;           // pieces were written to `out`
    size_t piece_end;      // how much of it
    struct sym_value *out; // NULL: only a number is wanted
    const char *why;       // what stopped it
};

static bool fail(struct evaluation *e, const char *why)
{
    if (!e->why)
        e->why = why;
    return false;
}

static bool push(struct evaluation *e, uint64_t value)
{
    if (e->depth == STACK_MOST)
        return fail(e, "an expression that needs too much");
    e->stack[e->depth++] = value;
    e->kind = MEMORY;
    return true;
}

static bool pop(struct evaluation *e, uint64_t *value)
{
    if (e->depth == 0)
        return fail(e, "a broken expression");
    *value = e->stack[--e->depth];
    return true;
}

static bool push_register(struct evaluation *e, uint64_t number, int64_t offset)
{
    const struct sym_registers *registers = e->context->registers;
    if (number >= SYM_REGISTERS || !registers || !registers->known[number])
        return fail(e, "in a register that was not kept");
    return push(e, registers->value[number] + (uint64_t)offset);
}

static bool push_memory(struct evaluation *e, unsigned bytes)
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

// Cuts a number to the base type at an offset in the function's unit; 0 is the generic type.
static bool convert(struct evaluation *e, uint64_t type, uint64_t *value)
{
    struct sym_debug *debug = e->context->debug;
    Dwarf_Off unit = 0, length = 0;
    Dwarf_Die die = NULL;
    Dwarf_Error error = NULL;
    uint64_t size = 0, encoding = 0;
    if (type == 0)
        return true;
    if (!e->context->function ||
        dwarf_die_CU_offset_range(e->context->function, &unit, &length, &error) != DW_DLV_OK ||
        dwarf_offdie_b(debug->dbg, unit + type, true, &die, &error) != DW_DLV_OK) {
        sym_debug_forget(debug, error);
        return fail(e, "a type that is not there");
    }
    bool right = sym_debug_unsigned(debug, die, DW_AT_byte_size, &size) &&
                 sym_debug_unsigned(debug, die, DW_AT_encoding, &encoding);
    dwarf_dealloc_die(die);
    if (!right || size == 0 || size > 8 || encoding == DW_ATE_float)
        return fail(e, "a calculation with numbers that are not integers");
    unsigned unused = 64 - 8 * (unsigned)size;
    bool is_signed = encoding == DW_ATE_signed || encoding == DW_ATE_signed_char;
    *value <<= unused;
    *value = is_signed ? (uint64_t)((int64_t)*value >> unused) : *value >> unused;
    return true;
}

static bool convert_top(struct evaluation *e, uint64_t type)
{
    uint64_t value;
    return pop(e, &value) && convert(e, type, &value) && push(e, value);
}

static bool push_typed_constant(struct evaluation *e, const struct operation *op)
{
    uint64_t value = 0;
    if (op->b > 8 || !op->c)
        return fail(e, "a calculation with numbers that are not integers");
    memcpy(&value, (const void *)(uintptr_t)op->c, op->b);
    return convert(e, op->a, &value) && push(e, value);
}

// -- operations -----------------------------------------------------------------------------------

static bool arithmetic(struct evaluation *e, Dwarf_Small atom)
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

static bool one_operand(struct evaluation *e, const struct operation *op)
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

static bool shuffle(struct evaluation *e, const struct operation *op)
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
static bool push_entry_value(struct evaluation *e, const struct operation *op)
{
    const uint8_t *inner = (const uint8_t *)(uintptr_t)op->b;
    uint64_t value;
    bool is_register = op->a == 1 && inner && *inner >= DW_OP_reg0 && *inner <= DW_OP_reg31;
    if (!is_register || !sym_entry_value(e->context, (unsigned)(*inner - DW_OP_reg0), &value))
        return fail(e, "only its value at the function's entry could tell");
    return push(e, value);
}

static bool frame_base(struct evaluation *e, uint64_t *base);

static bool execute_frame(struct evaluation *e, const struct operation *op)
{
    uint64_t base;
    if (op->atom == DW_OP_fbreg)
        return frame_base(e, &base) && push(e, base + op->a);
    if (!e->context->has_cfa)
        return fail(e, "in a frame whose beginning is not known");
    return push(e, e->context->cfa);
}

static void put_piece(struct evaluation *e, size_t size);

// One operation but branches. Constants, registers and base registers are ranges of numbers.
static bool execute(struct evaluation *e, const struct operation *op)
{
    Dwarf_Small atom = op->atom;
    if (atom >= DW_OP_lit0 && atom <= DW_OP_lit31)
        return push(e, (uint64_t)(atom - DW_OP_lit0));
    if (atom >= DW_OP_breg0 && atom <= DW_OP_breg31)
        return push_register(e, (uint64_t)(atom - DW_OP_breg0), (int64_t)op->a);
    if ((atom >= DW_OP_reg0 && atom <= DW_OP_reg31) || atom == DW_OP_regx) {
        uint64_t number = atom == DW_OP_regx ? op->a : (uint64_t)(atom - DW_OP_reg0);
        e->kind = REGISTER;
        e->register_number = number < SYM_REGISTERS ? (unsigned)number : SYM_REGISTERS;
        return true;
    }
    switch (atom) {
    case DW_OP_addr:
    case DW_OP_addrx:
    case DW_OP_GNU_addr_index:
        return push(e, op->a + (uint64_t)e->context->dead->load_offset);
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
    case DW_OP_constx:
    case DW_OP_GNU_const_index:
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
        e->kind = VALUE;
        return e->depth > 0 || fail(e, "a broken expression");
    case DW_OP_implicit_value:
        e->kind = BYTES;
        e->bytes = (const uint8_t *)(uintptr_t)op->b;
        e->byte_count = op->a;
        return true;
    case DW_OP_piece:
        put_piece(e, op->a);
        return true;
    case DW_OP_bit_piece:
        if (op->a % 8 || op->b)
            return fail(e, "spread over single bits");
        put_piece(e, op->a / 8);
        return true;
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

static bool get_operation(struct evaluation *e, Dwarf_Unsigned index, struct operation *op)
{
    Dwarf_Unsigned raw1, raw2, raw3;
    Dwarf_Error error = NULL;
    int result = dwarf_get_location_op_value_d(e->expression, index, &op->atom, &op->a, &op->b,
                                               &op->c, &raw1, &raw2, &raw3, &op->offset, &error);
    if (result == DW_DLV_OK)
        return true;
    if (result == DW_DLV_ERROR)
        sym_debug_forget(e->context->debug, error);
    return fail(e, "a broken expression");
}

// The number of the operation a branch leads to; behind the last one ends the expression.
static bool branch(struct evaluation *e, const struct operation *op, Dwarf_Unsigned *index)
{
    Dwarf_Unsigned target = op->offset + 3 + (Dwarf_Unsigned)(int64_t)(int16_t)op->a;
    struct operation other = {0};
    for (Dwarf_Unsigned i = 0; i < e->count; i++) {
        if (!get_operation(e, i, &other))
            return false;
        if (other.offset == target) {
            *index = i;
            return true;
        }
    }
    *index = e->count;
    return target > other.offset || fail(e, "a broken expression");
}

static bool run(struct evaluation *e)
{
    unsigned steps = 0;
    for (Dwarf_Unsigned i = 0; i < e->count;) {
        struct operation op = {0};
        uint64_t condition = 1;
        if (steps++ == STEPS_MOST)
            return fail(e, "an expression without an end");
        if (!get_operation(e, i, &op))
            return false;
        i++;
        if (op.atom == DW_OP_bra && !pop(e, &condition))
            return false;
        if ((op.atom == DW_OP_bra && condition) || op.atom == DW_OP_skip) {
            if (!branch(e, &op, &i))
                return false;
        } else if (op.atom != DW_OP_bra && !execute(e, &op)) {
            return false;
        }
    }
    return true;
}

// -- where it ended -------------------------------------------------------------------------------

static void copy_memory(const struct sym_dead *dead, uint64_t address, struct sym_value *out,
                        size_t at, size_t size)
{
    for (size_t done = 0; done < size;) {
        size_t part = sym_dead_read(dead, address + done, out->bytes + at + done, size - done);
        memset(out->known + at + done, 1, part);
        done += part ? part : 1;
    }
}

static void copy_bytes(struct sym_value *out, size_t at, size_t size, const void *from,
                       size_t count)
{
    size_t part = count < size ? count : size;
    memcpy(out->bytes + at, from, part);
    memset(out->known + at, 1, part);
}

// Puts the present location's contents into `size` bytes of the value.
static void put_contents(struct evaluation *e, size_t at, size_t size)
{
    const struct sym_registers *registers = e->context->registers;
    uint64_t top = e->depth > 0 ? e->stack[e->depth - 1] : 0;
    switch (e->kind) {
    case MEMORY:
        copy_memory(e->context->dead, top, e->out, at, size);
        break;
    case REGISTER:
        if (registers && e->register_number < SYM_REGISTERS && registers->known[e->register_number])
            copy_bytes(e->out, at, size, &registers->value[e->register_number], 8);
        break;
    case VALUE:
        copy_bytes(e->out, at, size, &top, sizeof(top));
        break;
    case BYTES:
        copy_bytes(e->out, at, size, e->bytes, e->byte_count);
        break;
    case EMPTY:
        break;
    }
}

static void put_piece(struct evaluation *e, size_t size)
{
    if (e->out && e->piece_end < e->out->size) {
        size_t left = e->out->size - e->piece_end;
        put_contents(e, e->piece_end, size < left ? size : left);
        e->piece_end += size < left ? size : left;
    }
    e->pieced = true;
    e->depth = 0;
    e->kind = EMPTY;
}

static bool any_known(const struct sym_value *value)
{
    return value->size > 0 && memchr(value->known, 1, value->size);
}

static void finish(struct evaluation *e)
{
    struct sym_value *out = e->out;
    if (!e->pieced) {
        put_contents(e, 0, out->size);
        out->in_memory = e->kind == MEMORY;
        out->address = out->in_memory ? e->stack[e->depth - 1] : 0;
    }
    if (any_known(out))
        return;
    out->why = out->in_memory        ? "its memory is not in the capsule"
               : e->kind == REGISTER ? "in a register that was not kept"
                                     : "optimized out";
}

// -- which expression of a list -------------------------------------------------------------------

// Finds the description that holds at the context's pc. `list` keeps its memory.
static bool find_description(struct evaluation *e, Dwarf_Attribute location, Dwarf_Loc_Head_c *list)
{
    Dwarf_Unsigned rows = 0;
    Dwarf_Error error = NULL;
    unsigned kind = 0;
    bool found = false;
    int result = dwarf_get_loclist_c(location, list, &rows, &error);
    if (result == DW_DLV_OK)
        result = dwarf_get_loclist_head_kind(*list, &kind, &error);
    for (Dwarf_Unsigned i = 0; result == DW_DLV_OK && i < rows; i++) {
        Dwarf_Small entry = 0, source = 0;
        Dwarf_Unsigned raw_low, raw_high, count = 0, offset, description;
        Dwarf_Bool unavailable = false;
        Dwarf_Addr low = 0, high = 0;
        Dwarf_Locdesc_c expression = NULL;
        result = dwarf_get_locdesc_entry_d(*list, i, &entry, &raw_low, &raw_high, &unavailable,
                                           &low, &high, &count, &expression, &source, &offset,
                                           &description, &error);
        if (result != DW_DLV_OK)
            break;
        bool single = kind == DW_LKIND_expression;
        bool fallback = !single && kind == DW_LKIND_loclists && entry == DW_LLE_default_location;
        bool ranged = !single && !unavailable && e->context->pc >= low && e->context->pc < high &&
                      entry != DW_LLE_end_of_list && entry != DW_LLE_base_address &&
                      entry != DW_LLE_base_addressx;
        if (!single && !ranged && (!fallback || found))
            continue;
        e->expression = expression;
        e->count = count;
        found = true;
        if (!fallback)
            break;
    }
    if (result == DW_DLV_ERROR)
        sym_debug_forget(e->context->debug, error);
    return found || fail(e, "optimized out");
}

static bool evaluate_attribute(struct evaluation *e, Dwarf_Attribute location)
{
    Dwarf_Loc_Head_c list = NULL;
    bool right = find_description(e, location, &list);
    if (right && e->count == 0)
        right = fail(e, "optimized out");
    right = right && run(e);
    if (right && e->out)
        finish(e);
    if (list)
        dwarf_loc_head_c_dealloc(list);
    return right;
}

// DW_AT_frame_base (3.3.5): a location whose address is meant, or a register whose contents are.
static bool frame_base(struct evaluation *e, uint64_t *base)
{
    Dwarf_Attribute attribute = NULL;
    if (e->context->function && e->nested < NESTED_MOST)
        attribute = sym_debug_attribute(e->context->debug, e->context->function, DW_AT_frame_base);
    if (!attribute)
        return fail(e, "in a frame whose beginning is not known");
    struct evaluation inner = {.context = e->context, .nested = e->nested + 1};
    bool right = evaluate_attribute(&inner, attribute);
    dwarf_dealloc_attribute(attribute);
    if (right && inner.kind == REGISTER)
        right = push_register(&inner, inner.register_number, 0);
    if (!right || inner.depth == 0)
        return fail(e, inner.why ? inner.why : "in a frame whose beginning is not known");
    *base = inner.stack[inner.depth - 1];
    return true;
}

// -- what others call -----------------------------------------------------------------------------

bool sym_evaluate_attribute(const struct sym_place_context *context, Dwarf_Attribute attribute,
                            uint64_t *result)
{
    struct evaluation e = {.context = context};
    if (!evaluate_attribute(&e, attribute) || (e.kind != REGISTER && e.depth == 0))
        return false;
    if (e.kind == REGISTER && !push_register(&e, e.register_number, 0))
        return false;
    *result = e.stack[e.depth - 1];
    return true;
}

bool sym_evaluate(const struct sym_place_context *context, const void *expression, size_t bytes,
                  const uint64_t *initial, uint64_t *result)
{
    Dwarf_Loc_Head_c list = NULL;
    Dwarf_Unsigned rows = 0;
    Dwarf_Error error = NULL;
    if (!context->debug->dbg)
        return false;
    Dwarf_Half address_bytes = context->debug->elf->wide ? 8 : 4;
    struct evaluation e = {.context = context};
    int made = dwarf_loclist_from_expr_c(context->debug->dbg, (Dwarf_Ptr)expression, bytes,
                                         address_bytes, 4, 4, &list, &rows, &error);
    if (made != DW_DLV_OK) {
        if (made == DW_DLV_ERROR)
            sym_debug_forget(context->debug, error);
        return false;
    }
    Dwarf_Small entry, source;
    Dwarf_Unsigned raw_low, raw_high, offset, description;
    Dwarf_Bool unavailable;
    Dwarf_Addr low, high;
    bool right = dwarf_get_locdesc_entry_d(list, 0, &entry, &raw_low, &raw_high, &unavailable, &low,
                                           &high, &e.count, &e.expression, &source, &offset,
                                           &description, &error) == DW_DLV_OK;
    if (right && initial)
        right = push(&e, *initial);
    right = right && run(&e) && e.depth > 0;
    if (right)
        *result = e.stack[e.depth - 1];
    dwarf_loc_head_c_dealloc(list);
    return right;
}

static bool value_init(struct sym_value *out, size_t size)
{
    *out = (struct sym_value){.size = size < SYM_VALUE_MOST ? size : SYM_VALUE_MOST};
    out->bytes = calloc(1, out->size + 8);
    out->known = calloc(1, out->size + 8);
    if (out->bytes && out->known)
        return true;
    out->size = 0;
    out->why = "no memory for it";
    return false;
}

void sym_value_locate(const struct sym_place_context *context, Dwarf_Attribute location,
                      size_t size, struct sym_value *out)
{
    struct evaluation e = {.context = context, .out = out};
    if (value_init(out, size) && !evaluate_attribute(&e, location) && !any_known(out))
        out->why = e.why;
}

void sym_value_at(const struct sym_place_context *context, uint64_t address, size_t size,
                  struct sym_value *out)
{
    if (!value_init(out, size))
        return;
    copy_memory(context->dead, address, out, 0, out->size);
    out->in_memory = true;
    out->address = address;
    if (!any_known(out))
        out->why = "its memory is not in the capsule";
}

void sym_value_constant(const void *bytes, size_t count, size_t size, struct sym_value *out)
{
    if (value_init(out, size))
        copy_bytes(out, 0, out->size, bytes, count);
}

void sym_value_deinit(struct sym_value *value)
{
    free(value->bytes);
    free(value->known);
    *value = (struct sym_value){0};
}
