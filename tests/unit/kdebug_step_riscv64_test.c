// SPDX-License-Identifier: MIT
// Where control goes after a RISC-V instruction, what the debugger does in an instruction's place,
// and where an LR/SC sequence ends (kdebug/arch/riscv64/step.c). Instructions were assembled with
// GNU as; code lies in host memory, so a pc is a host pointer.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kdebug/core.h"

#define SPIE (1u << 5)
#define SPP  (1u << 8)
#define SIE  (1u << 1)

// A page that cannot be read is not needed: address 0 stands for one.
size_t kd_mem_copy(void *to, const void *from, size_t length)
{
    if (from == NULL)
        return 0;
    memcpy(to, from, length);
    return length;
}

static uint16_t code[64];

static struct kd_frame frame_at(const void *insns, size_t size)
{
    memset(code, 0, sizeof(code));
    memcpy(code, insns, size);
    return (struct kd_frame){.pc = (uintptr_t)code};
}

// The offset of the instruction's target, with a0 and a1 set.
static long target(uint32_t insn, uint64_t a0, uint64_t a1)
{
    struct kd_frame frame = frame_at(&insn, sizeof(insn));
    uintptr_t targets[2] = {0, 0};
    frame.x[10] = a0;
    frame.x[11] = a1;
    assert_true(kd_step_targets(&frame, targets) >= 1);
    return (long)(targets[0] - frame.pc);
}

static void straight_code_goes_to_the_next_instruction(void **state)
{
    (void)state;
    assert_int_equal(target(0x00c58533, 0, 0), 4); // add a0,a1,a2
    assert_int_equal(target(0x952e, 0, 0), 2);     // c.add a0,a1
}

static void branches_follow_the_registers(void **state)
{
    (void)state;
    assert_int_equal(target(0x00b50863, 5, 5), 16); // beq a0,a1,.+16
    assert_int_equal(target(0x00b50863, 5, 6), 4);
    assert_int_equal(target(0xfeb56ce3, 1, UINT64_MAX), -8); // bltu a0,a1,.-8
    assert_int_equal(target(0xfeb56ce3, UINT64_MAX, 1), 4);
    assert_int_equal(target(0x00b55863, 1, UINT64_MAX), 16); // bge a0,a1,.+16: 1 >= -1
    assert_int_equal(target(0x00b55863, UINT64_MAX, 1), 4);
    assert_int_equal(target(0xc901, 0, 0), 16); // c.beqz a0,.+16
    assert_int_equal(target(0xc901, 1, 0), 2);
    assert_int_equal(target(0xf965, 1, 0), -16); // c.bnez a0,.-16
    assert_int_equal(target(0xf965, 0, 0), 2);
}

static void jumps_go_where_they_say(void **state)
{
    (void)state;
    assert_int_equal(target(0x001000ef, 0, 0), 0x800);  // jal ra,.+0x800
    assert_int_equal(target(0xf01ff06f, 0, 0), -0x100); // jal zero,.-0x100
    assert_int_equal(target(0xa005, 0, 0), 0x20);       // c.j .+0x20
    assert_int_equal(target(0xbfc5, 0, 0), -0x10);      // c.j .-0x10
    uint64_t there = (uintptr_t)code + 0x1000;
    assert_int_equal(target(0xfd4500e7, there, 0), 0x1000 - 44); // jalr ra,-44(a0)
    assert_int_equal(target(0xfd4500e7, there + 1, 0), 0x1000 - 44);
    assert_int_equal(target(0x8502, there, 0), 0x1000); // c.jr a0
    assert_int_equal(target(0x9502, there, 0), 0x1000); // c.jalr a0
}

static void a_call_also_tells_where_it_returns_to(void **state)
{
    (void)state;
    static const struct {
        uint32_t insn;
        unsigned count, length;
    } cases[] = {
        {0x001000ef, 2, 4}, // jal ra
        {0xf01ff06f, 1, 4}, // jal zero
        {0x9502, 2, 2},     // c.jalr a0
        {0x8502, 1, 2},     // c.jr a0
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct kd_frame frame = frame_at(&cases[i].insn, 4);
        uintptr_t targets[2];
        assert_int_equal(kd_step_targets(&frame, targets), cases[i].count);
        if (cases[i].count == 2)
            assert_int_equal(targets[1] - frame.pc, cases[i].length);
    }
}

static void what_cannot_be_read_has_no_target(void **state)
{
    (void)state;
    struct kd_frame frame = {.pc = 0};
    uintptr_t targets[2];
    assert_int_equal(kd_step_targets(&frame, targets), 0);
    frame.pc = (uintptr_t)code + 1; // nothing is executed at odd addresses
    assert_int_equal(kd_step_targets(&frame, targets), 0);
}

// In a frame SPIE is what SIE was when the exception came.
static void the_interrupt_mask_is_changed_in_the_frame(void **state)
{
    (void)state;
    const uint32_t csrrci = 0x10017573; // csrrci a0,sstatus,2
    struct kd_frame frame = frame_at(&csrrci, sizeof(csrrci));
    struct kd_return_state returning = {0};
    frame.sstatus = SPIE | SPP;
    assert_true(kd_step_emulate(&frame, &returning));
    assert_int_equal(frame.x[10] & SIE, SIE);
    assert_int_equal(frame.sstatus, SPP);
    assert_int_equal(frame.pc, (uintptr_t)code + 4);
    assert_false(returning.status_loaded);
}

static void the_way_out_of_an_exception_is_followed(void **state)
{
    (void)state;
    // csrw sepc,a1; csrw sstatus,a0; csrr a2,sepc; sret
    static const uint32_t insns[] = {0x14159073, 0x10051073, 0x14102673, 0x10200073};
    struct kd_frame frame = frame_at(insns, sizeof(insns));
    struct kd_return_state returning = {0};
    frame.sstatus = SPP;
    frame.x[10] = SPIE | SPP;
    frame.x[11] = 0x4000;
    for (unsigned i = 0; i < 3; i++) {
        assert_true(kd_step_emulate(&frame, &returning));
        assert_true(returning.pc_loaded);
        assert_int_equal(frame.sstatus, SPP);
    }
    assert_int_equal(frame.x[12], 0x4000);
    assert_true(kd_step_emulate(&frame, &returning));
    assert_int_equal(frame.pc, 0x4000);
    assert_int_equal(frame.sstatus, SPIE | SPP);
    assert_false(returning.pc_loaded || returning.status_loaded);
}

static void an_exception_return_whose_address_is_lost_is_not_invented(void **state)
{
    (void)state;
    const uint32_t sret = 0x10200073;
    struct kd_frame frame = frame_at(&sret, sizeof(sret));
    struct kd_return_state returning = {0};
    assert_false(kd_step_emulate(&frame, &returning));
}

static void waiting_for_an_interrupt_ends_at_once(void **state)
{
    (void)state;
    const uint32_t wfi = 0x10500073;
    struct kd_frame frame = frame_at(&wfi, sizeof(wfi));
    struct kd_return_state returning = {0};
    assert_true(kd_step_emulate(&frame, &returning));
    assert_int_equal(frame.pc, (uintptr_t)code + 4);
}

static void a_sequence_is_left_behind_its_retry_and_by_its_branches(void **state)
{
    (void)state;
    // lr.w t0,(a0); bne t0,a1,.+12; sc.w t1,t2,(a0); bnez t1,.-12
    static const uint32_t insns[] = {0x100522af, 0x00b29863, 0x1875232f, 0xfe031ae3};
    struct kd_frame frame = frame_at(insns, sizeof(insns));
    uintptr_t exits[KD_ATOMIC_EXITS];
    assert_int_equal(kd_atomic_exits(frame.pc, exits), 2);
    assert_int_equal(exits[0] - frame.pc, 20); // bne at 4 goes to 4 + 16
    assert_int_equal(exits[1] - frame.pc, 16);
    assert_int_equal(kd_atomic_exits(frame.pc + 4, exits), 0);
}

static void a_load_that_waits_for_another_is_stepped_singly(void **state)
{
    (void)state;
    // lr.w t0,(a0); bnez t0,.-4 and no store within reach
    static const uint32_t insns[] = {0x100522af, 0xfe029ee3, 0x1875232f};
    struct kd_frame frame = frame_at(insns, sizeof(insns));
    uintptr_t exits[KD_ATOMIC_EXITS];
    assert_int_equal(kd_atomic_exits(frame.pc, exits), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(straight_code_goes_to_the_next_instruction),
        cmocka_unit_test(branches_follow_the_registers),
        cmocka_unit_test(jumps_go_where_they_say),
        cmocka_unit_test(a_call_also_tells_where_it_returns_to),
        cmocka_unit_test(what_cannot_be_read_has_no_target),
        cmocka_unit_test(the_interrupt_mask_is_changed_in_the_frame),
        cmocka_unit_test(the_way_out_of_an_exception_is_followed),
        cmocka_unit_test(an_exception_return_whose_address_is_lost_is_not_invented),
        cmocka_unit_test(waiting_for_an_interrupt_ends_at_once),
        cmocka_unit_test(a_sequence_is_left_behind_its_retry_and_by_its_branches),
        cmocka_unit_test(a_load_that_waits_for_another_is_stepped_singly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
