// SPDX-License-Identifier: MIT
// The contract of kernel/firmware/acpi.h: good tables come out as the specification means them, and
// no byte of any table, however changed (with its checksum set right again, so that it is
// believed), makes the reader leave the memory it may see, exceed its arrays, or run for ever.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "kernel/arch/mmu.h"
#include "kernel/firmware/acpi.h"
#include "kernel/log/log.h"

#define ROOT_POINTER 0xe0010
#define TABLES       0x7fe0000
#define TABLE_STEP   0x400

static unsigned lines_logged;
static char last_line[LOG_LINE_MAX];

void log_at(enum log_level level, const char *format, ...)
{
    (void)level;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(last_line, sizeof(last_line), format, arguments);
    va_end(arguments);
    lines_logged++;
}

enum { XSDT, MADT, FADT, DSDT, MCFG, SPCR, HPET, TABLE_COUNT };
static const char *const signatures[] = {"XSDT", "APIC", "FACP", "DSDT", "MCFG", "SPCR", "HPET"};

static uint8_t *at(unsigned table)
{
    return phys_to_virt(TABLES + table * TABLE_STEP);
}

static void put(uint8_t *to, unsigned width, uint64_t value)
{
    memcpy(to, &value, width);
}

static uint8_t missing_sum(const uint8_t *bytes, size_t length)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + bytes[i]);
    return (uint8_t)-sum;
}

static void seal(unsigned table)
{
    uint8_t *bytes = at(table);
    uint32_t length;
    memcpy(&length, bytes + 4, sizeof(length));
    bytes[9] = 0;
    if (length <= TABLE_STEP)
        bytes[9] = missing_sum(bytes, length);
}

static void make(unsigned table, uint32_t length)
{
    uint8_t *bytes = at(table);
    memset(bytes, 0, TABLE_STEP);
    memcpy(bytes, signatures[table], 4);
    put(bytes + 4, 4, length);
    memcpy(bytes + 10, "BOCHS ", 6);
    memcpy(bytes + 16, "BXPC    ", 8);
}

static void root_seal(void)
{
    uint8_t *root = phys_to_virt(ROOT_POINTER);
    root[8] = root[32] = 0;
    root[8] = missing_sum(root, 20);
    root[32] = missing_sum(root, 36);
}

// Two CPUs, one of them disabled, an I/O APIC, one override; a segment; COM1; an HPET; \_S5.
static void make_all(void)
{
    uint8_t *root = phys_to_virt(ROOT_POINTER);
    memset(root, 0, 64);
    memcpy(root, "RSD PTR ", 8);
    root[15] = 2;
    put(root + 20, 4, 36);
    put(root + 24, 8, TABLES + XSDT * TABLE_STEP);
    root_seal();

    static const uint8_t listed[] = {MADT, FADT, MCFG, SPCR, HPET};
    make(XSDT, 36 + 8 * sizeof(listed));
    for (unsigned i = 0; i < sizeof(listed); i++)
        put(at(XSDT) + 36 + 8 * i, 8, TABLES + listed[i] * TABLE_STEP);

    static const uint8_t entries[] = {
        0, 8,  0, 0, 1, 0, 0,    0,                // CPU, APIC id 0
        0, 8,  1, 5, 1, 0, 0,    0,                // CPU, APIC id 5
        0, 8,  2, 6, 0, 0, 0,    0,                // disabled
        1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0, // I/O APIC
        2, 10, 0, 0, 2, 0, 0,    0,    0, 0,       // ISA 0 is GSI 2
    };
    make(MADT, 44 + sizeof(entries));
    memcpy(at(MADT) + 44, entries, sizeof(entries));

    make(FADT, 244);
    put(at(FADT) + 40, 4, TABLES + DSDT * TABLE_STEP);
    put(at(FADT) + 64, 4, 0x604);
    make(DSDT, 36 + 14);
    static const uint8_t soft_off[] = {0x10, 0x08, '_',  'S', '5',  '_', 0x12,
                                       0x06, 0x04, 0x0a, 5,   0x01, 0,   0};
    memcpy(at(DSDT) + 36, soft_off, sizeof(soft_off));

    make(MCFG, 44 + 16);
    put(at(MCFG) + 44, 8, 0xb0000000);
    at(MCFG)[44 + 11] = 255;

    make(SPCR, 80);
    at(SPCR)[40] = ACPI_SPACE_PORT;
    put(at(SPCR) + 44, 8, 0x3f8);
    at(SPCR)[52] = 3;
    put(at(SPCR) + 54, 4, 4);
    make(HPET, 56);
    put(at(HPET) + 44, 8, 0xfed00000);
    for (unsigned i = 0; i < TABLE_COUNT; i++)
        seal(i);
}

static void parse(void)
{
    memset(&acpi, 0, sizeof(acpi));
    lines_logged = 0;
    last_line[0] = '\0';
    acpi_parse(ROOT_POINTER);
    assert_true(acpi.cpu_count <= CPU_MAX && acpi.cpu_count <= acpi.cpu_found);
    assert_true(acpi.ioapic_count <= ACPI_IOAPICS_MAX);
    assert_true(acpi.ecam_count <= BOOT_ECAM_MAX);
    assert_true(strnlen(acpi.machine, sizeof(acpi.machine)) < sizeof(acpi.machine));
}

static int setup(void **state)
{
    (void)state;
    void *memory = mmap(phys_to_virt(0), DIRECT_MAP_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    return memory == phys_to_virt(0) ? 0 : -1;
}

static void test_good_tables_are_read(void **state)
{
    (void)state;
    make_all();
    parse();
    assert_int_equal(lines_logged, 0);
    assert_string_equal(acpi.machine, "BOCHS BXPC");
    assert_int_equal(acpi.cpu_count, 2);
    assert_int_equal(acpi.cpu_apic_id[1], 5);
    assert_int_equal(acpi.ioapic_count, 1);
    assert_int_equal(acpi.ioapics[0].address, 0xfec00000);
    assert_int_equal(acpi_isa_gsi(0), 2);
    assert_int_equal(acpi.ecam[0].bus_last, 255);
    assert_int_equal(acpi.console.base, 0x3f8);
    assert_int_equal(acpi.hpet, 0xfed00000);
    assert_true(acpi.has_soft_off);
    assert_int_equal(acpi.soft_off_type[0], 5);
}

static void test_a_root_pointer_that_is_not_named_is_found(void **state)
{
    (void)state;
    make_all();
    memset(&acpi, 0, sizeof(acpi));
    acpi_parse(0);
    assert_int_equal(acpi.cpu_count, 2);
}

static void test_without_a_root_the_machine_is_small(void **state)
{
    (void)state;
    make_all();
    ((uint8_t *)phys_to_virt(ROOT_POINTER))[8] ^= 1;
    parse();
    assert_int_equal(acpi.cpu_count, 0);
    assert_non_null(strstr(last_line, "no root pointer"));
    make_all();
    at(XSDT)[9] ^= 1;
    parse();
    assert_int_equal(acpi.cpu_count, 0);
    assert_non_null(strstr(last_line, "root table"));
}

static void test_a_wrong_checksum_costs_one_table_and_names_it(void **state)
{
    (void)state;
    make_all();
    at(MCFG)[9] ^= 1;
    parse();
    assert_int_equal(lines_logged, 1);
    assert_non_null(strstr(last_line, "MCFG: wrong checksum"));
    assert_int_equal(acpi.ecam_count, 0);
    assert_int_equal(acpi.cpu_count, 2);
}

static void test_more_than_there_is_room_for_is_left_out(void **state)
{
    (void)state;
    make_all();
    make(MADT, 44 + 8 * 100);
    for (unsigned i = 0; i < 100; i++) {
        uint8_t cpu[8] = {0, 8, (uint8_t)i, (uint8_t)i, 1};
        memcpy(at(MADT) + 44 + 8 * i, cpu, sizeof(cpu));
    }
    seal(MADT);
    parse();
    assert_int_equal(acpi.cpu_count, CPU_MAX);
    assert_int_equal(acpi.cpu_found, 100);
    make(MADT, 44 + 12 * 40);
    for (unsigned i = 0; i < 40; i++)
        memcpy(at(MADT) + 44 + 12 * i, (uint8_t[12]){1, 12, 0, 0, 0, 0, 0xc0, 0xfe}, 12);
    seal(MADT);
    parse();
    assert_int_equal(acpi.ioapic_count, ACPI_IOAPICS_MAX);
}

static void test_any_byte_may_be_any_other(void **state)
{
    (void)state;
    static const uint8_t values[] = {0, 1, 2, 0x7f, 0x80, 0xfe, 0xff};
    for (unsigned table = 0; table < TABLE_COUNT; table++)
        for (unsigned offset = 0; offset < 256; offset++)
            for (unsigned v = 0; v < sizeof(values); v++) {
                make_all();
                at(table)[offset] = values[v];
                seal(table);
                parse();
            }
    for (unsigned offset = 0; offset < 36; offset++)
        for (unsigned v = 0; v < sizeof(values); v++) {
            make_all();
            ((uint8_t *)phys_to_virt(ROOT_POINTER))[offset] = values[v];
            root_seal();
            parse();
        }
}

static void test_many_bytes_may_be_noise(void **state)
{
    (void)state;
    srand(1);
    for (unsigned round = 0; round < 20000; round++) {
        make_all();
        unsigned table = (unsigned)rand() % TABLE_COUNT;
        for (unsigned i = 0; i < 1 + (unsigned)rand() % 16; i++)
            at(table)[4 + (unsigned)rand() % 128] = (uint8_t)rand();
        if (rand() % 2 == 0)
            put(at(table) + 4, 4, 36 + (unsigned)rand() % 256);
        seal(table);
        parse();
    }
}

static void test_a_table_at_the_end_of_what_is_mapped_is_not_read_beyond_it(void **state)
{
    (void)state;
    uint64_t end = DIRECT_MAP_BYTES;
    for (uint64_t back = 1; back <= 64; back++) {
        make_all();
        uint8_t *table = (uint8_t *)phys_to_virt(end - back);
        memcpy(table, at(MADT), back < 44 ? back : 44);
        put(at(XSDT) + 36, 8, end - back);
        seal(XSDT);
        parse();
        assert_int_equal(acpi.cpu_count, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_tables_are_read),
        cmocka_unit_test(test_a_root_pointer_that_is_not_named_is_found),
        cmocka_unit_test(test_without_a_root_the_machine_is_small),
        cmocka_unit_test(test_a_wrong_checksum_costs_one_table_and_names_it),
        cmocka_unit_test(test_more_than_there_is_room_for_is_left_out),
        cmocka_unit_test(test_any_byte_may_be_any_other),
        cmocka_unit_test(test_many_bytes_may_be_noise),
        cmocka_unit_test(test_a_table_at_the_end_of_what_is_mapped_is_not_read_beyond_it),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
