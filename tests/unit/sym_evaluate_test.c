// SPDX-License-Identifier: MIT
// DWARF expressions have the values that sections 2.5 and 2.6 of DWARF 5 give them, and those that
// are wrong or ask for what nobody kept have none. Expressions are written out in bytes, so that
// neither the reader nor the executor is tested by itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <libdwarf/dwarf.h>

#include "symbolizer/evaluate.h"

#define STACK UINT64_C(0x7000)

// A machine with a few bytes of memory, and registers 3 and 7.
struct machine {
    uint8_t bytes[16];
    struct sym_capsule_memory memory;
    struct sym_capsule capsule;
    struct sym_dead dead;
    struct sym_elf elf;
    struct sym_debug debug;
    struct sym_registers registers;
    struct sym_place_context context;
};

static void machine_init(struct machine *machine)
{
    *machine = (struct machine){
        .bytes = {0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0xf0},
        .memory = {STACK, sizeof(machine->bytes), 0, machine->bytes},
        .capsule = {.memory = &machine->memory, .memory_count = 1},
        .dead = {.capsule = &machine->capsule, .load_offset = 0x100000},
        .elf = {.wide = true},
        .debug = {.elf = &machine->elf},
        .context = {.dead = &machine->dead,
                    .debug = &machine->debug,
                    .registers = &machine->registers,
                    .has_cfa = true,
                    .cfa = STACK + 64},
    };
    machine->registers.known[3] = machine->registers.known[7] = true;
    machine->registers.value[3] = 1000;
    machine->registers.value[7] = STACK;
}

#define EXPRESSION(...)                                                                            \
    ((struct sym_bytes){(const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})})

static void assert_value(struct sym_bytes expression, uint64_t wanted)
{
    struct machine machine;
    uint64_t value;
    machine_init(&machine);
    assert_true(sym_evaluate(&machine.context, expression, NULL, &value));
    assert_int_equal(value, wanted);
}

static void assert_none(struct sym_bytes expression)
{
    struct machine machine;
    uint64_t value;
    machine_init(&machine);
    assert_false(sym_evaluate(&machine.context, expression, NULL, &value));
}

static void constants_are_extended_by_their_sign(void **state)
{
    (void)state;
    assert_value(EXPRESSION(DW_OP_lit0 + 17), 17);
    assert_value(EXPRESSION(DW_OP_const1u, 0xff), 255);
    assert_value(EXPRESSION(DW_OP_const1s, 0xff), UINT64_MAX);
    assert_value(EXPRESSION(DW_OP_const2s, 0xfe, 0xff), (uint64_t)-2);
    assert_value(EXPRESSION(DW_OP_const4u, 1, 2, 3, 4), 0x04030201);
    assert_value(EXPRESSION(DW_OP_constu, 0xe5, 0x8e, 0x26), 624485);
    assert_value(EXPRESSION(DW_OP_consts, 0xc0, 0xbb, 0x78), (uint64_t)-123456);
}

static void addresses_are_moved_with_the_program(void **state)
{
    (void)state;
    assert_value(EXPRESSION(DW_OP_addr, 0, 0x10, 0, 0, 0, 0, 0, 0), 0x101000);
}

static void calculations_take_the_second_operand_from_the_top(void **state)
{
    (void)state;
    assert_value(EXPRESSION(DW_OP_lit0 + 7, DW_OP_lit0 + 2, DW_OP_minus), 5);
    assert_value(EXPRESSION(DW_OP_const1s, 0xf9, DW_OP_lit0 + 2, DW_OP_div), (uint64_t)-3);
    assert_value(EXPRESSION(DW_OP_lit0 + 7, DW_OP_lit0 + 4, DW_OP_mod), 3);
    assert_value(EXPRESSION(DW_OP_const1s, 0xf0, DW_OP_lit0 + 2, DW_OP_shra), (uint64_t)-4);
    assert_value(EXPRESSION(DW_OP_const1s, 0xff, DW_OP_lit0 + 1, DW_OP_lt), 1);
    assert_value(EXPRESSION(DW_OP_lit0 + 1, DW_OP_lit0 + 2, DW_OP_lit0 + 3, DW_OP_rot, DW_OP_drop),
                 1); // 1 2 3 becomes 3 1 2
}

static void registers_memory_and_the_frame_are_read(void **state)
{
    (void)state;
    assert_value(EXPRESSION(DW_OP_breg0 + 3, 0x78), 992);
    assert_value(EXPRESSION(DW_OP_reg0 + 3), 1000);
    assert_value(EXPRESSION(DW_OP_breg0 + 7, 0, DW_OP_deref), UINT64_C(0x8877665544332211));
    assert_value(EXPRESSION(DW_OP_breg0 + 7, 2, DW_OP_deref_size, 2), 0x4433);
    assert_value(EXPRESSION(DW_OP_call_frame_cfa), STACK + 64);
    assert_none(EXPRESSION(DW_OP_breg0 + 4, 0));               // not kept
    assert_none(EXPRESSION(DW_OP_breg0 + 7, 12, DW_OP_deref)); // beyond the memory
}

static void branches_go_on_behind_their_operand(void **state)
{
    (void)state;
    // 5 4 3 2 1 0: the sum of what is counted down, 15
    assert_value(EXPRESSION(DW_OP_lit0, DW_OP_lit0 + 5,                   // sum, count
                            DW_OP_dup, DW_OP_rot, DW_OP_plus, DW_OP_swap, // sum + count, count
                            DW_OP_lit0 + 1, DW_OP_minus, DW_OP_dup, DW_OP_bra, 0xf6, 0xff,
                            DW_OP_drop),
                 15);
    assert_value(EXPRESSION(DW_OP_lit0 + 1, DW_OP_skip, 1, 0, DW_OP_lit0 + 9), 1);
    assert_none(EXPRESSION(DW_OP_lit0 + 1, DW_OP_skip, 0xfd, 0xff)); // for ever
    assert_none(EXPRESSION(DW_OP_lit0 + 1, DW_OP_skip, 9, 0));       // behind the end
}

static void what_is_wrong_has_no_value(void **state)
{
    (void)state;
    assert_none(EXPRESSION(DW_OP_plus));
    assert_none(EXPRESSION(DW_OP_lit0, DW_OP_drop));
    assert_none(EXPRESSION(DW_OP_lit0 + 1, DW_OP_lit0, DW_OP_div));
    assert_none(EXPRESSION(DW_OP_const4u, 1, 2)); // cut short
    assert_none(EXPRESSION(DW_OP_implicit_value, 9, 1));
    assert_none(EXPRESSION(0x01)); // no operation
    assert_none(EXPRESSION(DW_OP_lit0 + 1, DW_OP_deref_size, 9));
    assert_none(EXPRESSION(DW_OP_addrx, 0)); // there is no unit
    assert_none(EXPRESSION(DW_OP_lit0 + 1, DW_OP_convert, 4));
}

static void an_evaluation_stops_at_each_piece(void **state)
{
    struct machine machine;
    struct sym_evaluation e;
    struct sym_expression expression = {
        .bytes = EXPRESSION(DW_OP_reg0 + 3, DW_OP_piece, 4, DW_OP_piece, 2, DW_OP_lit0 + 9,
                            DW_OP_stack_value, DW_OP_bit_piece, 16, 0),
        .address_bytes = 8,
        .offset_bytes = 4,
    };
    (void)state;
    machine_init(&machine);
    sym_evaluation_begin(&e, &machine.context, &expression);
    assert_int_equal(sym_evaluation_run(&e), SYM_EVALUATION_PIECE);
    assert_int_equal(e.kind, SYM_IN_REGISTER);
    assert_int_equal(e.piece_bytes, 4);
    sym_evaluation_next_piece(&e);
    assert_int_equal(sym_evaluation_run(&e), SYM_EVALUATION_PIECE);
    assert_int_equal(e.kind, SYM_IS_EMPTY); // nowhere
    assert_int_equal(e.piece_bytes, 2);
    sym_evaluation_next_piece(&e);
    assert_int_equal(sym_evaluation_run(&e), SYM_EVALUATION_PIECE);
    assert_int_equal(e.kind, SYM_IS_VALUE);
    assert_int_equal(e.piece_bytes, 2);
    sym_evaluation_next_piece(&e);
    assert_int_equal(sym_evaluation_run(&e), SYM_EVALUATION_ENDED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constants_are_extended_by_their_sign),
        cmocka_unit_test(addresses_are_moved_with_the_program),
        cmocka_unit_test(calculations_take_the_second_operand_from_the_top),
        cmocka_unit_test(registers_memory_and_the_frame_are_read),
        cmocka_unit_test(branches_go_on_behind_their_operand),
        cmocka_unit_test(what_is_wrong_has_no_value),
        cmocka_unit_test(an_evaluation_stops_at_each_piece),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
