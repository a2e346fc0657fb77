// SPDX-License-Identifier: MIT
// Looks up functions in the symbol table that the kernel carries in itself: for backtraces, the
// panic report and the debugger's console. Runs in any context and reads nothing but the table.
#include "kernel/lib/ksyms.h"

#include <string.h>

// The format scripts/ksyms.py writes: a count, rows sorted by offset, then the names.
struct ksyms_row {
    uint32_t offset; // from __kernel_start
    uint32_t size;   // 0: unknown
    uint32_t name;   // from the first name
};

extern const char __ksyms_start[], __ksyms_end[];
extern const char __kernel_start[], __text_end[];

struct ksyms_table {
    uint32_t count;
    const struct ksyms_row *rows;
    const char *names;
    size_t name_bytes;
};

// The table may be missing: the first of the two links of the kernel has none.
__debugger_text static struct ksyms_table ksyms_table(void)
{
    struct ksyms_table table = {0};
    size_t bytes = (size_t)(__ksyms_end - __ksyms_start);
    if (bytes <= sizeof(uint32_t))
        return table;
    uint32_t count = *(const uint32_t *)__ksyms_start;
    if (count > (bytes - sizeof(uint32_t)) / sizeof(struct ksyms_row))
        return table;
    table.count = count;
    table.rows = (const struct ksyms_row *)(__ksyms_start + sizeof(uint32_t));
    table.names = (const char *)(table.rows + count);
    table.name_bytes = (size_t)(__ksyms_end - table.names);
    return table;
}

__debugger_text static const char *row_name(const struct ksyms_table *table,
                                            const struct ksyms_row *row)
{
    if (row->name >= table->name_bytes)
        return NULL;
    const char *name = table->names + row->name;
    size_t room = table->name_bytes - row->name;
    return strnlen(name, room) < room ? name : NULL;
}

__debugger_text bool ksyms_lookup(uintptr_t address, const char **name, uintptr_t *start,
                                  size_t *size)
{
    struct ksyms_table table = ksyms_table();
    uintptr_t base = (uintptr_t)__kernel_start;
    if (address < base || address >= (uintptr_t)__text_end)
        return false;
    uint64_t offset = address - base;
    // Invariant: rows before `low` start at or below the address, rows from `high` on above it.
    uint32_t low = 0, high = table.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (table.rows[middle].offset <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return false;
    const struct ksyms_row *row = &table.rows[low - 1];
    uint64_t length = row->size;
    if (length == 0) {
        uint64_t next =
            low < table.count ? table.rows[low].offset : (uint64_t)((uintptr_t)__text_end - base);
        length = next - row->offset;
    }
    const char *found = row_name(&table, row);
    if (offset - row->offset >= length || found == NULL)
        return false;
    if (name != NULL)
        *name = found;
    if (start != NULL)
        *start = base + row->offset;
    if (size != NULL)
        *size = length;
    return true;
}

__debugger_text uintptr_t ksyms_address(const char *name)
{
    struct ksyms_table table = ksyms_table();
    for (uint32_t i = 0; i < table.count; i++) {
        const char *candidate = row_name(&table, &table.rows[i]);
        if (candidate != NULL && strcmp(candidate, name) == 0)
            return (uintptr_t)__kernel_start + table.rows[i].offset;
    }
    return 0;
}
