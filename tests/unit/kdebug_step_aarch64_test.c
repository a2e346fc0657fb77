// SPDX-License-Identifier: MIT
// What the debugger does in an AArch64 instruction's place, and where an exclusive sequence ends
// (kdebug/arch/aarch64/step.c). Instructions were assembled with GNU as; code lies in host memory.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kdebug/arch/aarch64/debug_registers.h"
#include "kdebug/core.h"

#define PSTATE_D (1u << 9)
#define PSTATE_I (1u << 7)
#define PSTATE_F (1u << 6)
#define EL1H     5u

size_t kd_mem_copy(void *to, const void *from, size_t length)
{
    memcpy(to, from, length);
    return length;
}

static bool hardware_step;

void kd_hardware_step(bool on)
{
    hardware_step = on;
}

static uint32_t code[16];

static struct kd_frame frame_at(const void *insns, size_t size)
{
    memset(code, 0, sizeof(code));
    memcpy(code, insns, size);
    return (struct kd_frame){.pc = (uintptr_t)code, .pstate = EL1H};
}

static void the_interrupt_mask_is_changed_in_the_frame(void **state)
{
    (void)state;
    // msr daifset,#2; mrs x0,daif; msr daifclr,#8; msr daif,x1
    static const uint32_t insns[] = {0xd50342df, 0xd53b4220, 0xd50348ff, 0xd51b4221};
    struct kd_frame frame = frame_at(insns, sizeof(insns));
    struct kd_return_state returning = {0};
    frame.pstate |= PSTATE_D;
    frame.x[1] = PSTATE_F;
    assert_true(kd_step_emulate(&frame, &returning));
    assert_int_equal(frame.pstate, EL1H | PSTATE_D | PSTATE_I);
    assert_true(kd_step_emulate(&frame, &returning));
    assert_int_equal(frame.x[0], PSTATE_D | PSTATE_I);
    assert_true(kd_step_emulate(&frame, &returning));
    assert_int_equal(frame.pstate, EL1H | PSTATE_I);
    assert_true(kd_step_emulate(&frame, &returning));
    assert_int_equal(frame.pstate, EL1H | PSTATE_F);
    assert_int_equal(frame.pc, (uintptr_t)&code[4]);
}

static void the_way_out_of_an_exception_is_followed(void **state)
{
    (void)state;
    // msr elr_el1,x0; msr spsr_el1,x0; eret
    static const uint32_t insns[] = {0xd5184020, 0xd5184000, 0xd69f03e0};
    struct kd_frame frame = frame_at(insns, sizeof(insns));
    struct kd_return_state returning = {0};
    frame.x[0] = 0x3c4;
    assert_true(kd_step_emulate(&frame, &returning));
    assert_true(kd_step_emulate(&frame, &returning));
    assert_true(returning.pc_loaded && returning.status_loaded);
    assert_true(kd_step_emulate(&frame, &returning));
    assert_int_equal(frame.pc, 0x3c4);
    assert_int_equal(frame.pstate, 0x3c4);
    assert_false(returning.pc_loaded || returning.status_loaded);
}

static void an_exception_return_whose_address_is_lost_is_not_invented(void **state)
{
    (void)state;
    const uint32_t eret = 0xd69f03e0;
    struct kd_frame frame = frame_at(&eret, sizeof(eret));
    struct kd_return_state returning = {0};
    assert_false(kd_step_emulate(&frame, &returning));
}

static void waiting_ends_at_once_and_other_instructions_are_executed(void **state)
{
    (void)state;
    // wfi; wfe; cmp w0,w2
    static const uint32_t insns[] = {0xd503207f, 0xd503205f, 0x6b02001f};
    struct kd_frame frame = frame_at(insns, sizeof(insns));
    struct kd_return_state returning = {0};
    assert_true(kd_step_emulate(&frame, &returning));
    assert_true(kd_step_emulate(&frame, &returning));
    assert_false(kd_step_emulate(&frame, &returning));
    assert_int_equal(frame.pc, (uintptr_t)&code[2]);
}

static void a_step_masks_interrupts_and_gives_the_mask_back(void **state)
{
    (void)state;
    struct kd_frame frame = frame_at("", 0);
    struct kd_step_state step;
    frame.pstate |= PSTATE_F;
    kd_step_begin(&frame, &step, true);
    assert_true(hardware_step);
    assert_int_equal(frame.pstate & (PSTATE_I | PSTATE_F | PSTATE_D), PSTATE_I | PSTATE_F);
    kd_step_end(&frame, &step);
    assert_false(hardware_step);
    assert_int_equal(frame.pstate, EL1H | PSTATE_F);
}

static void a_sequence_is_left_behind_its_retry_and_by_its_branches(void **state)
{
    (void)state;
    // ldaxr w0,[x1]; cmp w0,w2; b.ne .+12; stlxr w3,w4,[x1]; cbnz w3,.-16
    static const uint32_t insns[] = {0x885ffc20, 0x6b02001f, 0x54000061, 0x8803fc24, 0x35ffff83};
    struct kd_frame frame = frame_at(insns, sizeof(insns));
    uintptr_t exits[KD_ATOMIC_EXITS];
    // The branch and the end of the retry are the same place.
    assert_int_equal(kd_atomic_exits(frame.pc, exits), 1);
    assert_int_equal(exits[0], (uintptr_t)&code[5]);
    assert_int_equal(kd_atomic_exits((uintptr_t)&code[1], exits), 0);
}

static void a_load_that_waits_for_another_is_stepped_singly(void **state)
{
    (void)state;
    // ldaxr w0,[x1]; cbnz w0,.-4; stlxr w3,w4,[x1]
    static const uint32_t insns[] = {0x885ffc20, 0x35ffffe0, 0x8803fc24};
    struct kd_frame frame = frame_at(insns, sizeof(insns));
    uintptr_t exits[KD_ATOMIC_EXITS];
    assert_int_equal(kd_atomic_exits(frame.pc, exits), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_interrupt_mask_is_changed_in_the_frame),
        cmocka_unit_test(the_way_out_of_an_exception_is_followed),
        cmocka_unit_test(an_exception_return_whose_address_is_lost_is_not_invented),
        cmocka_unit_test(waiting_ends_at_once_and_other_instructions_are_executed),
        cmocka_unit_test(a_step_masks_interrupts_and_gives_the_mask_back),
        cmocka_unit_test(a_sequence_is_left_behind_its_retry_and_by_its_branches),
        cmocka_unit_test(a_load_that_waits_for_another_is_stepped_singly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
