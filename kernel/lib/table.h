// SPDX-License-Identifier: MIT
// Tables whose rows stand in many files: commands, parameters, drivers, self-tests, init steps.
// A row is a constant in a linker section of the table's name; the linker joins the rows, and the
// start and stop symbols bound them. Row order is the link order and carries no meaning.
#pragma once

#define TABLE_ROW(table, type, ident)                                                              \
    static const type ident __attribute__((used, section("table_" #table), aligned(8)))

#define TABLE_DECLARE(table, type)                                                                 \
    extern const type __start_table_##table[] __attribute__((weak, visibility("hidden")));         \
    extern const type __stop_table_##table[] __attribute__((weak, visibility("hidden")))

#define TABLE_FOR_EACH(table, type, row)                                                           \
    for (const type *row = __start_table_##table; row < __stop_table_##table; row++)
