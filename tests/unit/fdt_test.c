// SPDX-License-Identifier: MIT
// The contract of kernel/firmware/fdt.h and fdt_boot.h: the numbers of fdt_board.dts come out as
// the specification means them, and no blob, however cut or changed, makes the reader look outside
// it (each blob lies in memory of exactly its size, so the address sanitizer sees one byte more)
// or run for ever.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "kernel/firmware/fdt_boot.h"
#include "kernel/log/log.h"

#define BOARD_PADDR 0x87000000

struct boot_info boot_info;
static unsigned lines_logged;

// The message is formatted, so that a string argument that does not end is noticed.
void log_at(enum log_level level, const char *format, ...)
{
    (void)level;
    char line[LOG_LINE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    lines_logged++;
}

size_t strlcpy(char *to, const char *from, size_t size)
{
    return (size_t)snprintf(to, size, "%s", from);
}

// -- blobs

static uint8_t board[16384];
static size_t board_bytes;
static struct fdt fdt; // of `board`

static int load_board(void **state)
{
    (void)state;
    FILE *file = fopen(FDT_BOARD, "rb");
    assert_non_null(file);
    board_bytes = fread(board, 1, sizeof(board), file);
    fclose(file);
    assert_in_range(board_bytes, FDT_HEADER_BYTES, sizeof(board) - 1);
    assert_int_equal(fdt_open(&fdt, board, board_bytes), 0);
    return 0;
}

static uint8_t *copy_of_board(size_t bytes)
{
    uint8_t *copy = malloc(bytes > 0 ? bytes : 1);
    assert_non_null(copy);
    memcpy(copy, board, bytes);
    return copy;
}

static uint32_t read_be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void write_be32(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static int boot_from(const uint8_t *blob, size_t bytes, uint64_t boot_hw_id)
{
    memset(&boot_info, 0, sizeof(boot_info));
    lines_logged = 0;
    return fdt_boot_info(blob, BOARD_PADDR, bytes, boot_hw_id);
}

// -- the format

static void finds_nodes_by_path_with_and_without_unit_address(void **state)
{
    (void)state;
    fdt_node serial = fdt_by_path(&fdt, "/bus@4000/island/serial@100");
    assert_string_equal(fdt_name(&fdt, serial), "serial@100");
    assert_int_equal(fdt_by_path(&fdt, "/bus/island/serial"), serial);
    assert_int_equal(fdt_by_path(&fdt, "serial0"), serial);
    assert_int_equal(fdt_by_path(&fdt, "serial0:115200n8"), serial);
    assert_int_equal(fdt_by_path(&fdt, "/"), fdt_root(&fdt));
    assert_int_equal(fdt_by_path(&fdt, "/bus@4000/island/serial@10"), 0);
    assert_int_equal(fdt_by_path(&fdt, "/bu"), 0);
    assert_int_equal(fdt_by_path(&fdt, "loop"), 0);
    assert_int_equal(fdt_by_path(&fdt, ""), 0);
}

static void walks_to_parents_children_and_siblings(void **state)
{
    (void)state;
    fdt_node cpus = fdt_by_path(&fdt, "/cpus");
    unsigned children = 0;
    FDT_FOR_EACH (&fdt, cpus, node) {
        assert_int_equal(fdt_parent(&fdt, node), cpus);
        children++;
    }
    assert_int_equal(children, 5);
    assert_int_equal(fdt_parent(&fdt, fdt_root(&fdt)), 0);
    assert_int_equal(fdt_child(&fdt, fdt_by_path(&fdt, "/chosen")), 0);
}

static void no_node_has_nothing_in_it(void **state)
{
    (void)state;
    struct fdt_value value;
    paddr_t address;
    assert_string_equal(fdt_name(&fdt, 0), "");
    assert_int_equal(fdt_child(&fdt, 0), 0);
    assert_int_equal(fdt_sibling(&fdt, 0), 0);
    assert_int_equal(fdt_next(&fdt, 0), 0);
    assert_int_equal(fdt_parent(&fdt, 0), 0);
    assert_false(fdt_property(&fdt, 0, "reg", &value));
    assert_false(fdt_reg(&fdt, 0, 0, &address, NULL));
}

static void a_value_too_short_reads_as_zero_and_says_so(void **state)
{
    (void)state;
    struct fdt_value value;
    assert_true(fdt_property(&fdt, fdt_by_path(&fdt, "/cpus/cpu@100"), "reg", &value));
    assert_int_equal(fdt_take_cells(&value, 1), 0x100);
    assert_false(value.short_value);
    assert_int_equal(fdt_take_cells(&value, 2), 0);
    assert_true(value.short_value);
    assert_int_equal(fdt_u32(&fdt, fdt_root(&fdt), "nothing", 7), 7);
    assert_null(fdt_string(&fdt, fdt_root(&fdt), "nothing"));
}

static void tells_compatible_from_alike(void **state)
{
    (void)state;
    assert_true(fdt_compatible(&fdt, fdt_root(&fdt), "acme,boards"));
    assert_true(fdt_compatible(&fdt, fdt_root(&fdt), "acme,board"));
    assert_false(fdt_compatible(&fdt, fdt_root(&fdt), "acme,boar"));
}

static void translates_addresses_through_every_bus(void **state)
{
    (void)state;
    paddr_t address;
    uint64_t bytes;
    assert_true(fdt_reg(&fdt, fdt_by_path(&fdt, "serial0"), 0, &address, &bytes));
    assert_int_equal(address, 0x20001100);
    assert_int_equal(bytes, 0x100);
    fdt_node timer = fdt_by_path(&fdt, "/bus@4000/timer@10");
    assert_true(fdt_reg(&fdt, timer, 0, &address, NULL));
    assert_int_equal(address, 0x10000010);
    assert_true(fdt_reg(&fdt, timer, 1, &address, NULL));
    assert_int_equal(address, 0x20000010);
    assert_false(fdt_reg(&fdt, timer, 2, &address, NULL));
}

static void an_address_no_bus_passes_on_is_none(void **state)
{
    (void)state;
    paddr_t address;
    assert_false(fdt_reg(&fdt, fdt_by_path(&fdt, "/bus@4000/lost@2000000"), 0, &address, NULL));
    assert_false(fdt_reg(&fdt, fdt_by_path(&fdt, "/closed-bus/device@0"), 0, &address, NULL));
}

static void reads_interrupts_of_both_forms(void **state)
{
    (void)state;
    struct fdt_interrupt to;
    bool level = false;
    assert_true(fdt_interrupt(&fdt, fdt_by_path(&fdt, "serial0"), 0, &to));
    assert_int_equal(fdt_boot_irq(&to, &level), 10);
    assert_true(level);
    fdt_node timer = fdt_by_path(&fdt, "/bus@4000/timer@10");
    assert_true(fdt_interrupt(&fdt, timer, 0, &to));
    assert_int_equal(fdt_boot_irq(&to, NULL), 7);
    assert_true(fdt_interrupt(&fdt, timer, 1, &to));
    assert_int_equal(to.controller, fdt_by_path(&fdt, "/gic"));
    assert_int_equal(fdt_boot_irq(&to, &level), 16 + 13);
    assert_false(fdt_interrupt(&fdt, timer, 2, &to));
    assert_false(fdt_interrupt(&fdt, fdt_by_path(&fdt, "/clock"), 0, &to));
}

static void maps_pci_pins_to_interrupts(void **state)
{
    (void)state;
    struct fdt_interrupt to;
    fdt_node host = fdt_by_path(&fdt, "/pci");
    assert_true(fdt_pci_interrupt(&fdt, host, 0, 0, 1, &to));
    assert_int_equal(fdt_boot_irq(&to, NULL), 0x20);
    assert_true(fdt_pci_interrupt(&fdt, host, 0, 4, 2, &to)); // slot 4 is slot 0 under the mask
    assert_int_equal(fdt_boot_irq(&to, NULL), 0x21);
    assert_true(fdt_pci_interrupt(&fdt, host, 0, 1, 1, &to));
    assert_int_equal(fdt_boot_irq(&to, NULL), 32 + 5);
    assert_false(fdt_pci_interrupt(&fdt, host, 0, 2, 1, &to));
}

static void maps_pci_requesters_to_message_controllers(void **state)
{
    (void)state;
    fdt_node host = fdt_by_path(&fdt, "/pci"), controller;
    uint32_t device_id;
    assert_true(fdt_pci_message(&fdt, host, 0x9, &controller, &device_id));
    assert_int_equal(controller, fdt_by_path(&fdt, "/plic"));
    assert_int_equal(device_id, 0x8); // the mask makes the functions of a slot one
    assert_true(fdt_pci_message(&fdt, host, 0x107, &controller, &device_id));
    assert_int_equal(controller, fdt_by_path(&fdt, "/gic"));
    assert_int_equal(device_id, 0x8000);
    assert_false(fdt_pci_message(&fdt, host, 0x108, &controller, &device_id));
    assert_false(fdt_pci_message(&fdt, fdt_by_path(&fdt, "/clock"), 0, &controller, &device_id));
}

// -- boot_info

static void assert_range(const struct memory_range *range, uint64_t start, uint64_t bytes)
{
    assert_int_equal(range->start, start);
    assert_int_equal(range->bytes, bytes);
}

static void boot_info_has_the_memory_and_what_of_it_is_taken(void **state)
{
    (void)state;
    assert_int_equal(boot_from(board, board_bytes, 2), 0);
    // two that touch have become one, without the firmware's part, which may not be mapped
    assert_int_equal(boot_info.ram_count, 2);
    assert_range(&boot_info.ram[0], 0x80080000, 0xff80000);
    assert_range(&boot_info.ram[1], 0x100000000, 0x40000000);
    assert_int_equal(boot_info.reserved_count, 4);
    assert_range(&boot_info.reserved[0], 0x80010000, 0x1000);
    assert_range(&boot_info.reserved[1], 0x81000000, 0x200000);
    assert_range(&boot_info.reserved[2], BOARD_PADDR, board_bytes);
    assert_range(&boot_info.reserved[3], 0x88000000, 0x100000);
}

static void boot_info_has_what_the_loader_chose(void **state)
{
    (void)state;
    assert_int_equal(boot_from(board, board_bytes, 2), 0);
    assert_string_equal(boot_info.command_line, "kdebug=wait test");
    assert_string_equal(boot_info.machine, "acme,board");
    assert_ptr_equal(boot_info.device_tree, board);
}

static void the_boot_cpu_comes_first_and_disabled_ones_do_not_come(void **state)
{
    (void)state;
    assert_int_equal(boot_from(board, board_bytes, 2), 0);
    assert_int_equal(boot_info.cpu_count, 3);
    assert_int_equal(boot_info.cpu_found, 3);
    assert_int_equal(boot_info.cpu_hw_id[0], 2);
    assert_int_equal(boot_info.cpu_hw_id[1], 1);
    assert_int_equal(boot_info.cpu_hw_id[2], 0x100);
}

static void the_console_is_the_first_serial_line(void **state)
{
    (void)state;
    assert_int_equal(boot_from(board, board_bytes, 2), 0);
    assert_int_equal(boot_info.uart_count, 2);
    const struct boot_uart *console = &boot_info.uart[0];
    assert_int_equal(console->kind, UART_16550_MMIO);
    assert_int_equal(console->base, 0x20001100);
    assert_int_equal(console->register_shift, 2);
    assert_int_equal(console->clock_hz, 3686400);
    assert_int_equal(console->irq, 10);
    const struct boot_uart *second = &boot_info.uart[1];
    assert_int_equal(second->kind, UART_PL011);
    assert_int_equal(second->base, 0x9000000);
    assert_int_equal(second->clock_hz, 24000000);
    assert_int_equal(second->irq, 33);
    assert_true(second->irq_level);
}

static void a_host_bridge_has_the_buses_its_space_is_large_enough_for(void **state)
{
    (void)state;
    assert_int_equal(boot_from(board, board_bytes, 2), 0);
    assert_int_equal(boot_info.ecam_count, 1);
    const struct boot_ecam *ecam = &boot_info.ecam[0];
    assert_int_equal(ecam->base, 0x30000000);
    assert_int_equal(ecam->bus_first, 0);
    assert_int_equal(ecam->bus_last, 7);
    assert_range(&ecam->window_32, 0x40000000, 0x40000000);
    // the first 64-bit window has other addresses on the bus than for the CPU
    assert_range(&ecam->window_64, 0x600000000, 0x100000000);
    assert_int_equal(ecam->window_io_base, 0x3000000);
    assert_int_equal(ecam->window_io_bytes, 0x10000);
    assert_int_equal(fdt_boot_pci_irq(0, 0, 2), 0x21);
}

// -- blobs that are wrong

static void a_tree_that_is_none_leaves_one_cpu_and_a_message(void **state)
{
    (void)state;
    uint8_t nothing[64] = {0};
    assert_int_equal(boot_from(nothing, sizeof(nothing), 5), -EINVAL);
    assert_int_equal(boot_info.cpu_count, 1);
    assert_int_equal(boot_info.cpu_hw_id[0], 5);
    assert_int_equal(boot_info.ram_count, 0);
    assert_null(boot_info.device_tree);
    assert_true(lines_logged > 0);
    assert_int_equal(fdt_boot_pci_irq(0, 0, 1), -1);
}

static void a_tree_outside_memory_is_not_kept(void **state)
{
    (void)state;
    memset(&boot_info, 0, sizeof(boot_info));
    lines_logged = 0;
    assert_int_equal(fdt_boot_info(board, 0x1000, board_bytes, 2), 0);
    assert_int_equal(boot_info.ram_count, 2);
    assert_null(boot_info.device_tree);
    assert_int_equal(fdt_root(fdt_boot_tree()), 0);
    assert_true(lines_logged > 0);
}

static void a_cut_tree_is_refused_at_every_length(void **state)
{
    (void)state;
    for (size_t bytes = 0; bytes < board_bytes; bytes++) {
        uint8_t *cut = copy_of_board(bytes);
        struct fdt refused;
        assert_int_equal(fdt_open(&refused, cut, bytes), -EINVAL);
        assert_non_null(refused.error);
        assert_int_equal(fdt_root(&refused), 0);
        free(cut);
    }
}

// The header says the tree is whole, but the structure ends in the middle.
static void a_structure_cut_anywhere_is_refused(void **state)
{
    (void)state;
    uint32_t whole = read_be32(board + 36);
    for (uint32_t bytes = 0; bytes < whole; bytes++) {
        uint8_t *cut = copy_of_board(board_bytes);
        write_be32(cut + 36, bytes);
        struct fdt refused;
        assert_int_equal(fdt_open(&refused, cut, board_bytes), -EINVAL);
        free(cut);
    }
}

static void nodes_too_deep_are_refused(void **state)
{
    (void)state;
    // A structure block of nothing but beginnings: token 1 and an empty name.
    uint8_t *deep = copy_of_board(board_bytes);
    uint32_t start = read_be32(deep + 8), bytes = read_be32(deep + 36) & ~7U;
    for (uint32_t at = start; at < start + bytes; at += 8) {
        write_be32(deep + at, 1);
        write_be32(deep + at + 4, 0);
    }
    struct fdt refused;
    assert_int_equal(fdt_open(&refused, deep, board_bytes), -EINVAL);
    assert_string_equal(refused.error, "nodes too deep");
    free(deep);
}

// Each cell of the blob in turn holds something it should not. Most such trees are still sound in
// structure, and all of boot_info is read from them.
static void no_changed_cell_makes_the_reader_leave_the_blob(void **state)
{
    (void)state;
    static const uint32_t values[] = {0,          1,          2,          3,         9,
                                      0x7fffffff, 0x80000000, 0xfffffff0, UINT32_MAX};
    unsigned opened = 0;
    for (size_t at = 0; at + 4 <= board_bytes; at += 4) {
        for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
            uint8_t *changed = copy_of_board(board_bytes);
            write_be32(changed + at, values[i]);
            opened += boot_from(changed, board_bytes, 2) == 0;
            fdt_boot_pci_irq(0, 1, 1);
            assert_in_range(boot_info.cpu_count, 1, CPU_MAX);
            assert_in_range(boot_info.ram_count, 0, BOOT_RANGES_MAX);
            assert_in_range(boot_info.reserved_count, 0, BOOT_RANGES_MAX);
            free(changed);
        }
    }
    assert_true(opened > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_nodes_by_path_with_and_without_unit_address),
        cmocka_unit_test(walks_to_parents_children_and_siblings),
        cmocka_unit_test(no_node_has_nothing_in_it),
        cmocka_unit_test(a_value_too_short_reads_as_zero_and_says_so),
        cmocka_unit_test(tells_compatible_from_alike),
        cmocka_unit_test(translates_addresses_through_every_bus),
        cmocka_unit_test(an_address_no_bus_passes_on_is_none),
        cmocka_unit_test(reads_interrupts_of_both_forms),
        cmocka_unit_test(maps_pci_pins_to_interrupts),
        cmocka_unit_test(maps_pci_requesters_to_message_controllers),
        cmocka_unit_test(boot_info_has_the_memory_and_what_of_it_is_taken),
        cmocka_unit_test(boot_info_has_what_the_loader_chose),
        cmocka_unit_test(the_boot_cpu_comes_first_and_disabled_ones_do_not_come),
        cmocka_unit_test(the_console_is_the_first_serial_line),
        cmocka_unit_test(a_host_bridge_has_the_buses_its_space_is_large_enough_for),
        cmocka_unit_test(a_tree_that_is_none_leaves_one_cpu_and_a_message),
        cmocka_unit_test(a_tree_outside_memory_is_not_kept),
        cmocka_unit_test(a_cut_tree_is_refused_at_every_length),
        cmocka_unit_test(a_structure_cut_anywhere_is_refused),
        cmocka_unit_test(nodes_too_deep_are_refused),
        cmocka_unit_test(no_changed_cell_makes_the_reader_leave_the_blob),
    };
    return cmocka_run_group_tests(tests, load_board, NULL);
}
