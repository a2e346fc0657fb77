// SPDX-License-Identifier: MIT
// Addresses in order: every digit counts, equal ones keep theirs, and nothing beside them is
// touched.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fathom/address_sort.h"

#define COUNT 5000

static struct asked_address all[COUNT + 1], spare[COUNT + 1];

static void assert_sorted(size_t count)
{
    const struct asked_address untouched = {UINT64_MAX / 3, 77};

    all[count] = spare[count] = untouched;
    address_sort(all, spare, count);
    for (size_t i = 1; i < count; i++) {
        assert_true(all[i - 1].address <= all[i].address);
        if (all[i - 1].address == all[i].address)
            assert_true(all[i - 1].number < all[i].number);
    }
    assert_memory_equal(&all[count], &untouched, sizeof(untouched));
    assert_memory_equal(&spare[count], &untouched, sizeof(untouched));
}

static void assert_all_there(size_t count)
{
    static uint8_t seen[COUNT];

    for (size_t i = 0; i < count; i++)
        seen[i] = 0;
    for (size_t i = 0; i < count; i++)
        seen[all[i].number]++;
    for (size_t i = 0; i < count; i++)
        assert_int_equal(seen[i], 1);
}

static void test_any_bit_counts(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        all[0] = (struct asked_address){UINT64_C(1) << bit, 0};
        all[1] = (struct asked_address){(UINT64_C(1) << bit) - 1, 1};
        all[2] = (struct asked_address){0, 2};
        assert_sorted(3);
        assert_all_there(3);
    }
}

static void test_random_ones_of_any_size(void **state)
{
    (void)state;
    uint64_t random = 1;

    for (unsigned bits = 1; bits <= 64; bits++) {
        for (uint32_t i = 0; i < COUNT; i++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
            all[i] = (struct asked_address){random >> (64 - bits), i};
        }
        assert_sorted(COUNT);
        assert_all_there(COUNT);
    }
}

static void test_none_and_one(void **state)
{
    (void)state;
    assert_sorted(0);
    all[0] = (struct asked_address){42, 0};
    assert_sorted(1);
    assert_int_equal(all[0].address, 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_bit_counts),
        cmocka_unit_test(test_random_ones_of_any_size),
        cmocka_unit_test(test_none_and_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
