// SPDX-License-Identifier: MIT
// Hostile ELF files with hostile DWARF: whatever the bytes, opening, reading every section and
// every unit and looking up addresses ends, in bounds, with an answer or an error that names the
// file.
#include <elf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/lazy.h"
#include "symbolizer/symbols.h"

static void check(struct error *error)
{
    if (error && strncmp(error_text(error), "fuzzed", 6) != 0)
        abort(); // an error that does not say which file
    error_free(error);
}

static void check_unit(struct sym_unit *unit)
{
    for (size_t i = 0; i < unit->scope_count; i++) {
        const struct sym_scope *scope = &unit->scopes[i];
        bool parent = scope->parent == SYM_NONE || scope->parent < i;
        if (!parent || scope->function >= unit->function_count || scope->range_count == 0 ||
            scope->first_range > unit->scope_range_count - scope->range_count)
            abort();
        sym_unit_file(unit, unit->functions[scope->function].file);
        sym_unit_file(unit, scope->call_file);
    }
    for (size_t i = 0; i < unit->sequence_count; i++) {
        const struct sym_sequence *sequence = &unit->sequences[i];
        if (sequence->row_count == 0 || sequence->low >= sequence->high ||
            sequence->first_row > unit->row_count - sequence->row_count)
            abort();
        const struct sym_row *row = &unit->rows[sequence->first_row];
        for (uint32_t j = 1; j < sequence->row_count; j++)
            if (row[j].address <= row[j - 1].address || row[j].address >= sequence->high)
                abort();
        sym_unit_file(unit, row->file);
    }
}

static void read_units(struct sym_elf *elf)
{
    struct sym_dwarf *dwarf;
    struct error *error = sym_dwarf_open(elf, &dwarf);
    if (error) {
        check(error);
        return;
    }
    struct sym_unit unit = {0};
    for (size_t i = 0; i < sym_dwarf_unit_count(dwarf); i++) {
        error = sym_unit_read(dwarf, i, SYM_UNIT_SCOPES | SYM_UNIT_LINES, &unit);
        check(error);
        if (!error)
            check_unit(&unit);
    }
    sym_unit_deinit(&unit);
    sym_dwarf_close(dwarf);
}

static void look_up(struct sym_elf *elf)
{
    struct sym_symbols symbols = {0};
    check(sym_symbols_load(&symbols, elf));
    struct sym_lazy *lazy;
    struct error *error = sym_lazy_open(elf, &lazy);
    check(error);
    for (size_t i = 0; i < symbols.count && i < 16; i++)
        sym_symbols_at(&symbols, elf, symbols.rows[i].address);
    if (!error) {
        struct sym_result result = {0};
        for (size_t i = 0; i < elf->section_count && i < 16; i++) {
            result.count = 0;
            check(sym_lazy_lookup(lazy, elf->sections[i].address + 4, &result));
        }
        free(result.storage_);
        sym_lazy_close(lazy);
    }
    sym_symbols_deinit(&symbols);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sym_elf *elf;
    struct error *error = sym_elf_over("fuzzed", (struct sym_bytes){data, size}, &elf);
    if (error) {
        check(error);
        return 0;
    }
    struct sym_bytes bytes;
    for (unsigned i = 0; i < elf->section_count; i++)
        check(sym_elf_contents(elf, i, &bytes));
    uint8_t word[8];
    sym_elf_read(elf, 0x1000, word, sizeof(word));
    read_units(elf);
    look_up(elf);
    sym_elf_close(elf);
    return 0;
}
