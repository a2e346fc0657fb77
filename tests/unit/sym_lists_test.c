// SPDX-License-Identifier: MIT
// Lists of places in the three forms they are written in (DWARF 5, section 7.29; DWARF 4, 2.6.2;
// GNU's split DWARF 4), in bytes written out here: which expression holds at which address.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "symbolizer/dwarf_private.h"

struct list_case {
    uint16_t version;
    bool split;
    enum dw_section section;
    struct sym_bytes bytes;
};

#define BYTES(...)                                                                                 \
    {                                                                                              \
        (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})                     \
    }

// The one operation that holds at an address; 0: none does. Addresses have two bytes, and the table
// of addresses has 0x1000 and 0x2000. The unit begins at 0x100.
static unsigned place_at(const struct list_case *list, uint64_t address)
{
    static const uint8_t addresses[] = {0x00, 0x10, 0x00, 0x20};
    struct sym_elf elf = {.path = "list"};
    struct dw_file file = {.elf = &elf, .split = list->split, .whole = true};
    struct dw_header header = {.version = list->version, .address_bytes = 2, .offset_bytes = 4};
    uint64_t budget = 100;
    struct dw_context context = {
        .file = &file, .header = &header, .address_file = &file, .low = 0x100, .budget = &budget};
    struct dw_value value = {.class = DW_SECTION_OFFSET};
    struct sym_bytes expression;
    file.sections[DW_ADDR] = (struct sym_bytes){addresses, sizeof(addresses)};
    file.sections[list->section] = list->bytes;
    if (!dw_location_find(&context, &value, address, &expression))
        return 0;
    assert_int_equal(expression.size, 1);
    return *expression.data;
}

static void rows_of_dwarf_5(void **state)
{
    const struct list_case list = {5, false, DW_LOCLISTS,
                                   BYTES(DW_LLE_offset_pair, 0x10, 0x20, 1, 'a',           //
                                         DW_LLE_default_location, 1, 'd',                  //
                                         DW_LLE_base_address, 0x00, 0x03,                  //
                                         DW_LLE_offset_pair, 0, 8, 1, 'b',                 //
                                         DW_LLE_start_end, 0x00, 0x04, 0x10, 0x04, 1, 'c', //
                                         DW_LLE_start_length, 0x00, 0x05, 4, 1, 'e',       //
                                         DW_LLE_startx_length, 1, 4, 1, 'x',               //
                                         DW_LLE_base_addressx, 0,                          //
                                         DW_LLE_offset_pair, 1, 2, 1, 'y',                 //
                                         DW_LLE_startx_endx, 0, 1, 1, 'z',                 //
                                         DW_LLE_end_of_list)};
    (void)state;
    assert_int_equal(place_at(&list, 0x10f), 'd');
    assert_int_equal(place_at(&list, 0x110), 'a');
    assert_int_equal(place_at(&list, 0x11f), 'a');
    assert_int_equal(place_at(&list, 0x120), 'd');
    assert_int_equal(place_at(&list, 0x307), 'b');
    assert_int_equal(place_at(&list, 0x40f), 'c');
    assert_int_equal(place_at(&list, 0x503), 'e');
    assert_int_equal(place_at(&list, 0x2003), 'x');
    assert_int_equal(place_at(&list, 0x1001), 'y');
    assert_int_equal(place_at(&list, 0x1002), 'z');
}

static void rows_of_dwarf_4(void **state)
{
    const struct list_case list = {4, false, DW_LOC,
                                   BYTES(0x10, 0, 0x20, 0, 1, 0, 'a', // from the unit's beginning
                                         0xff, 0xff, 0x00, 0x03,      // now from 0x300
                                         0x00, 0, 0x08, 0, 1, 0, 'b', //
                                         0, 0, 0, 0)};
    (void)state;
    assert_int_equal(place_at(&list, 0x110), 'a');
    assert_int_equal(place_at(&list, 0x120), 0);
    assert_int_equal(place_at(&list, 0x300), 'b');
    assert_int_equal(place_at(&list, 0x308), 0);
}

static void rows_of_split_dwarf_4(void **state)
{
    const struct list_case list = {4, true, DW_LOC,
                                   BYTES(DW_LLE_startx_length, 1, 4, 0, 0, 0, 1, 0, 'x',        //
                                         DW_LLE_offset_pair, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 'y', //
                                         DW_LLE_end_of_list)};
    (void)state;
    assert_int_equal(place_at(&list, 0x2003), 'x');
    assert_int_equal(place_at(&list, 0x2004), 0);
    assert_int_equal(place_at(&list, 0x101), 'y');
}

static void a_damaged_list_has_no_place_behind_the_damage(void **state)
{
    const struct list_case cut = {
        5, false, DW_LOCLISTS, BYTES(DW_LLE_offset_pair, 0x10, 0x20, 1, 'a', DW_LLE_offset_pair)};
    const struct list_case index = {5, false, DW_LOCLISTS,
                                    BYTES(DW_LLE_startx_length, 2, 4, 1, 'x', DW_LLE_end_of_list)};
    const struct list_case kind = {5, false, DW_LOCLISTS, BYTES(9, 1, 'x', DW_LLE_end_of_list)};
    const struct list_case large = {5, false, DW_LOCLISTS,
                                    BYTES(DW_LLE_offset_pair, 0x10, 0x20, 9, 'a')};
    (void)state;
    assert_int_equal(place_at(&cut, 0x110), 'a');
    assert_int_equal(place_at(&cut, 0x120), 0);
    assert_int_equal(place_at(&index, 0x2000), 0);
    assert_int_equal(place_at(&kind, 0x100), 0);
    assert_int_equal(place_at(&large, 0x110), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_dwarf_5),
        cmocka_unit_test(rows_of_dwarf_4),
        cmocka_unit_test(rows_of_split_dwarf_4),
        cmocka_unit_test(a_damaged_list_has_no_place_behind_the_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
