// SPDX-License-Identifier: MIT
// Which of several symbols an address gets is what binutils would say. The table is this program's
// own, with symbols made in assembly for each case.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "symbolizer/symbols.h"

// Names are local, so that none can be meant by the C library.
__asm__(".section .text.sym_cases,\"ax\",@progbits\n"
        // a function with an alias, a smaller one inside at its start, and a plain label
        ".type case_whole,@function\ncase_whole:\n"
        ".type case_alias,@function\n.set case_alias,case_whole\n"
        ".type case_start,@function\ncase_start:\n"
        "case_label:\n"
        ".zero 8\n.size case_start,.-case_start\n"
        ".zero 8\n.size case_whole,.-case_whole\n.size case_alias,16\n"
        // padding belongs to what is before it
        ".zero 16\n"
        // a label without type and size, then data in the code
        "case_bare:\n.zero 8\n"
        ".type case_data,@object\ncase_data:\n.zero 8\n.size case_data,.-case_data\n"
        // a function of which only the size is known to end
        ".type case_last,@function\ncase_last:\n.zero 4\n.size case_last,.-case_last\n"
        ".previous\n"
        ".section .data.sym_cases,\"aw\",@progbits\n"
        ".type case_object,@object\ncase_object:\n.zero 8\n.size case_object,.-case_object\n"
        ".previous\n");

struct fixture {
    struct sym_elf *elf;
    struct sym_symbols symbols;
};

static bool keep(const struct sym_symbol *symbol, void *argument)
{
    *(struct sym_symbol *)argument = *symbol;
    return false;
}

static struct sym_symbol find(struct fixture *fixture, const char *name)
{
    struct sym_symbol symbol = {0};
    sym_symbols_find(&fixture->symbols, fixture->elf, name, keep, &symbol);
    if (!symbol.name)
        fail_msg("there is no %s", name);
    return symbol;
}

static const char *at(struct fixture *fixture, const char *name, uint64_t offset)
{
    uint64_t address = find(fixture, name).place.address + offset;
    const struct sym_symbol_row *row = sym_symbols_at(&fixture->symbols, fixture->elf, address);
    return row ? row->name : "none";
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_null(sym_elf_open("/proc/self/exe", &fixture->elf));
    assert_null(sym_symbols_load(&fixture->symbols, fixture->elf));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    sym_symbols_deinit(&fixture->symbols);
    sym_elf_close(fixture->elf);
    free(fixture);
    return 0;
}

static void of_functions_at_one_address_the_smallest_that_reaches_counts(void **state)
{
    struct fixture *fixture = *state;
    assert_string_equal(at(fixture, "case_whole", 0), "case_start");
    assert_string_equal(at(fixture, "case_whole", 7), "case_start");
    assert_string_equal(at(fixture, "case_whole", 8), "case_whole"); // the first of equals
    assert_string_equal(at(fixture, "case_whole", 15), "case_whole");
}

static void padding_belongs_to_what_is_before(void **state)
{
    assert_string_equal(at(*state, "case_whole", 20), "case_whole");
}

static void a_label_without_type_and_size_counts(void **state)
{
    assert_string_equal(at(*state, "case_bare", 5), "case_bare");
}

static void data_in_code_does_not_count(void **state)
{
    assert_string_equal(at(*state, "case_data", 3), "case_bare");
    assert_string_equal(at(*state, "case_last", 1), "case_last");
}

static void data_elsewhere_does(void **state)
{
    struct fixture *fixture = *state;
    assert_string_equal(at(fixture, "case_object", 7), "case_object");
    assert_true(find(fixture, "case_object").object);
}

static void the_file_of_a_local_symbol_is_told(void **state)
{
    const char *file = find(*state, "case_whole").file;
    assert_non_null(file);
    assert_string_equal(file, "symbolizer_symbols_test.c");
}

static void an_address_of_no_section_has_none(void **state)
{
    struct fixture *fixture = *state;
    assert_null(sym_symbols_at(&fixture->symbols, fixture->elf, ~UINT64_C(0)));
    assert_null(sym_symbols_at(&fixture->symbols, fixture->elf, 0));
}

static bool count(const struct sym_symbol *symbol, void *argument)
{
    (void)symbol;
    ++*(size_t *)argument;
    return true;
}

static void every_symbol_is_told_until_the_caller_has_enough(void **state)
{
    struct fixture *fixture = *state;
    size_t all = 0;
    struct sym_symbol first = {0};
    sym_symbols_each(&fixture->symbols, fixture->elf, count, &all);
    assert_int_equal(all, fixture->symbols.count);
    sym_symbols_each(&fixture->symbols, fixture->elf, keep, &first);
    assert_string_equal(first.name, fixture->symbols.rows[0].name);
}

static void names_are_demangled_if_they_are_mangled(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"_ZN3foo3barEi", "foo::bar(int)"},
        {"_ZL6helperi.cold", "helper(int) [clone .cold]"},
        {"_RNvC6_123foo3bar", "123foo::bar"},
        {"_ZN4core3fmt9Formatter3pad17h0123456789abcdefE", "core::fmt::Formatter::pad"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char *readable = sym_demangle(cases[i][0]);
        assert_non_null(readable);
        assert_string_equal(readable, cases[i][1]);
        free(readable);
    }
    assert_null(sym_demangle("main"));
    assert_null(sym_demangle("_Zebra"));
    assert_null(sym_demangle("i")); // a type's code, in a mangled name
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_functions_at_one_address_the_smallest_that_reaches_counts),
        cmocka_unit_test(padding_belongs_to_what_is_before),
        cmocka_unit_test(a_label_without_type_and_size_counts),
        cmocka_unit_test(data_in_code_does_not_count),
        cmocka_unit_test(data_elsewhere_does),
        cmocka_unit_test(the_file_of_a_local_symbol_is_told),
        cmocka_unit_test(an_address_of_no_section_has_none),
        cmocka_unit_test(every_symbol_is_told_until_the_caller_has_enough),
        cmocka_unit_test(names_are_demangled_if_they_are_mangled),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
