// SPDX-License-Identifier: MIT
// See symbols.h. One pass over the table makes rows sorted by address; a second order, by name, is
// made when somebody asks for one.
#include "symbolizer/symbols.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX (UINT32_C(1) << 26) // 64 M symbols: 3 GB of rows; files of that size do not exist

enum rank { // the better the higher
    RANK_PLAIN = 0,
    RANK_TYPED = 1,
    RANK_FUNCTION = 2,
};

struct raw_symbol { // an entry of either class
    uint32_t name;
    uint8_t info, other;
    uint16_t section;
    uint64_t value, size;
};

struct table {
    const struct sym_elf *elf;
    struct sym_bytes entries, strings;
    struct sym_bytes wide_sections; // SHT_SYMTAB_SHNDX: section numbers that do not fit 16 bits
    size_t entry_bytes, count;
};

// -- reading the table ----------------------------------------------------------------------------

static struct raw_symbol raw_symbol(const struct table *table, size_t number)
{
    const uint8_t *at = table->entries.data + number * table->entry_bytes;
    bool swap = table->elf->swap;
    if (table->elf->wide)
        return (struct raw_symbol){sym_load_u32(at, swap),
                                   at[4],
                                   at[5],
                                   sym_load_u16(at + 6, swap),
                                   sym_load_u64(at + 8, swap),
                                   sym_load_u64(at + 16, swap)};
    return (struct raw_symbol){sym_load_u32(at, swap),
                               at[12],
                               at[13],
                               sym_load_u16(at + 14, swap),
                               sym_load_u32(at + 4, swap),
                               sym_load_u32(at + 8, swap)};
}

static uint32_t raw_section(const struct table *table, const struct raw_symbol *raw, size_t number)
{
    if (raw->section != SHN_XINDEX)
        return raw->section < SHN_LORESERVE ? raw->section : 0;
    if ((number + 1) * 4 > table->wide_sections.size)
        return 0;
    return sym_load_u32(table->wide_sections.data + number * 4, table->elf->swap);
}

static const char *raw_name(const struct table *table, uint32_t offset)
{
    if (offset >= table->strings.size ||
        !memchr(table->strings.data + offset, 0, table->strings.size - offset))
        return "";
    return (const char *)table->strings.data + offset;
}

static unsigned find_table(const struct sym_elf *elf, uint32_t type)
{
    for (unsigned i = 1; i < elf->section_count; i++)
        if (elf->sections[i].type == type)
            return i;
    return 0;
}

static struct error *open_table(struct sym_elf *elf, uint32_t type, struct table *table)
{
    *table = (struct table){.elf = elf, .entry_bytes = elf->wide ? 24 : 16};
    unsigned number = find_table(elf, type);
    if (!number)
        return NULL;
    struct error *error = sym_elf_contents(elf, number, &table->entries);
    if (error)
        return error;
    if (elf->sections[number].link < elf->section_count)
        error = sym_elf_contents(elf, elf->sections[number].link, &table->strings);
    for (unsigned i = 1; !error && i < elf->section_count; i++)
        if (elf->sections[i].type == SHT_SYMTAB_SHNDX && elf->sections[i].link == number)
            error = sym_elf_contents(elf, i, &table->wide_sections);
    table->count = table->entries.size / table->entry_bytes;
    if (!error && table->count > ROWS_MAX)
        error = error_make(EXIT_FAILED, "%s: the symbol table at 0x%llx has %zu entries", elf->path,
                           (unsigned long long)elf->sections[number].offset, table->count);
    return error;
}

// -- which symbols count --------------------------------------------------------------------------

// Marks between code and data, and labels that assembler and linker made for themselves.
static bool is_mark(const struct sym_elf *elf, const char *name)
{
    switch (elf->machine) {
    case EM_RISCV:
        if (!strncmp(name, ".L", 2))
            return true;
        return name[0] == '$' && strchr("dx", name[1]) && name[1];
    case EM_AARCH64:
    case EM_ARM:
        return name[0] == '$' && name[1] && strchr("dxat", name[1]) &&
               (name[2] == 0 || name[2] == '.');
    default:
        return false;
    }
}

static bool row_of(const struct table *table, const struct raw_symbol *raw, size_t number,
                   struct sym_symbol_row *row)
{
    unsigned type = ELF64_ST_TYPE(raw->info);
    if (type == STT_SECTION || type == STT_FILE || type == STT_TLS)
        return false;
    uint32_t section = raw_section(table, raw, number);
    if (!section || section >= table->elf->section_count)
        return false;
    const struct sym_elf_section *in = &table->elf->sections[section];
    if (!(in->flags & SHF_ALLOC))
        return false;
    bool local = ELF64_ST_BIND(raw->info) == STB_LOCAL;
    // What annobin leaves behind.
    if (local && type == STT_NOTYPE && !raw->size && (raw->other & 3) == STV_HIDDEN)
        return false;
    const char *name = raw_name(table, raw->name);
    if (!*name || (local && is_mark(table->elf, name)))
        return false;
    *row = (struct sym_symbol_row){
        .name = name,
        .address = table->elf->relocatable ? in->address + raw->value : raw->value,
        .size = raw->size,
        .section = section,
        .number = (uint32_t)number,
        .object = type == STT_OBJECT || type == STT_COMMON,
        .rank = type == STT_FUNC || type == STT_GNU_IFUNC ? RANK_FUNCTION
                : type != STT_NOTYPE                      ? RANK_TYPED
                                                          : RANK_PLAIN,
    };
    if (table->elf->machine == EM_ARM && row->rank == RANK_FUNCTION)
        row->address &= ~UINT64_C(1); // the lowest bit says Thumb
    return true;
}

static int by_address(const void *left, const void *right)
{
    const struct sym_symbol_row *a = left, *b = right;
    if (a->address != b->address)
        return a->address < b->address ? -1 : 1;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    if (a->size != b->size)
        return a->size > b->size ? -1 : 1;
    // Of equals the first in the file counts, as with binutils; searches come from behind.
    return a->number < b->number ? 1 : -1;
}

static const struct sym_elf_section *section_at(const struct sym_elf *elf, uint64_t address)
{
    for (size_t i = 1; i < elf->section_count; i++) {
        const struct sym_elf_section *section = &elf->sections[i];
        bool loaded = (section->flags & SHF_ALLOC) && !(section->flags & SHF_TLS);
        if (loaded && address - section->address < section->size)
            return section;
    }
    return NULL;
}

// The one address that symbols are wanted for, when only one is.
struct wanted {
    uint32_t section;
    uint64_t address;
    bool code;
    uint64_t best; // the address of the nearest below so far
};

static bool is_wanted(const struct table *table, const struct raw_symbol *raw,
                      const struct wanted *wanted)
{
    uint64_t address = raw->value;
    if (table->elf->relocatable)
        address += table->elf->sections[wanted->section].address;
    // ARM's mark of Thumb code makes an address one too high.
    return address >= wanted->best && address <= wanted->address + 1;
}

// Keeps the row there is if it is as near as those before, and forgets those if it is nearer.
static bool keep_wanted(struct sym_symbols *symbols, struct wanted *wanted)
{
    struct sym_symbol_row *row = &symbols->rows[symbols->count];
    if (row->section != wanted->section || row->address > wanted->address ||
        row->address < wanted->best || (wanted->code && row->object))
        return false;
    if (row->address > wanted->best) {
        wanted->best = row->address;
        symbols->rows[0] = *row;
        symbols->count = 0;
    }
    return true;
}

static void read_rows(const struct table *table, struct wanted *wanted, struct sym_symbols *symbols)
{
    // A global symbol is of the file named before it only as long as no second file is named: the
    // linker puts globals behind all files.
    const char *file = NULL;
    bool seen_symbol = false, second_file = false;
    for (size_t i = 1; i < table->count; i++) {
        struct raw_symbol raw = raw_symbol(table, i);
        if (ELF64_ST_TYPE(raw.info) == STT_FILE) {
            file = raw_name(table, raw.name);
            second_file |= seen_symbol;
            continue;
        }
        seen_symbol = true;
        struct sym_symbol_row *row = &symbols->rows[symbols->count];
        if (wanted && !is_wanted(table, &raw, wanted))
            continue;
        if (!row_of(table, &raw, i, row))
            continue;
        if (ELF64_ST_BIND(raw.info) == STB_LOCAL || !second_file)
            row->file = file;
        if (!wanted || keep_wanted(symbols, wanted))
            symbols->count++;
    }
}

static struct error *load(struct sym_symbols *symbols, struct sym_elf *elf, struct wanted *wanted)
{
    struct table table;
    struct error *error = open_table(elf, SHT_SYMTAB, &table);
    if (!error && table.count == 0)
        error = open_table(elf, SHT_DYNSYM, &table);
    *symbols = (struct sym_symbols){0};
    if (error || !table.count)
        return error;
    symbols->rows = malloc(table.count * sizeof(*symbols->rows));
    if (!symbols->rows)
        return error_errno("%s: no memory for %zu symbols", elf->path, table.count);
    read_rows(&table, wanted, symbols);
    qsort(symbols->rows, symbols->count, sizeof(*symbols->rows), by_address);
    return NULL;
}

struct error *sym_symbols_load(struct sym_symbols *symbols, struct sym_elf *elf)
{
    return load(symbols, elf, NULL);
}

struct error *sym_symbols_load_at(struct sym_symbols *symbols, struct sym_elf *elf,
                                  uint64_t address)
{
    const struct sym_elf_section *section = section_at(elf, address);
    *symbols = (struct sym_symbols){0};
    if (!section)
        return NULL;
    struct wanted wanted = {(uint32_t)(section - elf->sections), address,
                            section->flags & SHF_EXECINSTR, section->address};
    return load(symbols, elf, &wanted);
}

bool sym_symbols_mangled(struct sym_elf *elf)
{
    struct table table;
    struct error *error = open_table(elf, SHT_SYMTAB, &table);
    if (!error && !table.count)
        error = open_table(elf, SHT_DYNSYM, &table);
    bool failed = error;
    error_free(error);
    struct sym_bytes names = table.strings;
    return !failed && names.size &&
           (memmem(names.data, names.size, "\0_Z", 3) || memmem(names.data, names.size, "\0_R", 3));
}

void sym_symbols_deinit(struct sym_symbols *symbols)
{
    free(symbols->rows);
    free(symbols->by_name);
    *symbols = (struct sym_symbols){0};
}

// -- at an address --------------------------------------------------------------------------------

bool sym_symbol_better(uint64_t size, uint8_t rank, uint64_t best_size, uint8_t best_rank,
                       uint64_t offset)
{
    if (best_size <= offset) // one without a size does not even reach its own address
        return size > best_size;
    if (size <= offset)
        return false;
    if (rank != best_rank)
        return rank > best_rank;
    return size < best_size;
}

const struct sym_symbol_row *sym_symbols_at(const struct sym_symbols *symbols,
                                            const struct sym_elf *elf, uint64_t address)
{
    const struct sym_elf_section *section = section_at(elf, address);
    if (!section)
        return NULL;
    uint32_t number = (uint32_t)(section - elf->sections);
    bool code = section->flags & SHF_EXECINSTR;
    size_t low = 0, high = symbols->count; // the first row past the address is in [low, high]
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (symbols->rows[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    const struct sym_symbol_row *best = NULL;
    for (; low > 0; low--) {
        const struct sym_symbol_row *row = &symbols->rows[low - 1];
        if (row->address < section->address || (best && row->address != best->address))
            break;
        if (row->section != number || (code && row->object))
            continue;
        if (!best ||
            sym_symbol_better(row->size, row->rank, best->size, best->rank, address - row->address))
            best = row;
    }
    return best;
}

struct sym_symbol sym_symbol_of(const struct sym_symbol_row *row, const struct sym_elf *elf)
{
    struct sym_place place = {elf->relocatable ? row->section : 0, row->address};
    if (elf->relocatable)
        place.address -= elf->sections[row->section].address;
    return (struct sym_symbol){row->name, place, row->size, row->file, row->object};
}

// -- by name --------------------------------------------------------------------------------------

static int by_name(const void *left, const void *right, void *argument)
{
    const struct sym_symbol_row *rows = argument;
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    int order = strcmp(rows[a].name, rows[b].name);
    return order ? order : a < b ? -1 : a > b;
}

static bool order_by_name(struct sym_symbols *symbols)
{
    if (symbols->by_name || !symbols->count)
        return symbols->by_name;
    symbols->by_name = malloc(symbols->count * sizeof(*symbols->by_name));
    if (!symbols->by_name)
        return false;
    for (size_t i = 0; i < symbols->count; i++)
        symbols->by_name[i] = (uint32_t)i;
    qsort_r(symbols->by_name, symbols->count, sizeof(*symbols->by_name), by_name, symbols->rows);
    return true;
}

void sym_symbols_find(struct sym_symbols *symbols, const struct sym_elf *elf, const char *name,
                      sym_symbol_fn *fn, void *argument)
{
    if (!order_by_name(symbols))
        return;
    size_t low = 0, high = symbols->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(symbols->rows[symbols->by_name[middle]].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < symbols->count; low++) {
        const struct sym_symbol_row *row = &symbols->rows[symbols->by_name[low]];
        struct sym_symbol symbol = sym_symbol_of(row, elf);
        if (strcmp(row->name, name) != 0 || !fn(&symbol, argument))
            return;
    }
}

void sym_symbols_each(const struct sym_symbols *symbols, const struct sym_elf *elf,
                      sym_symbol_fn *fn, void *argument)
{
    for (size_t i = 0; i < symbols->count; i++) {
        struct sym_symbol symbol = sym_symbol_of(&symbols->rows[i], elf);
        if (!fn(&symbol, argument))
            return;
    }
}
