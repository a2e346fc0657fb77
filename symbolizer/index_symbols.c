// SPDX-License-Identifier: MIT
// The symbols and sections an index holds: by position, by name, and all of them.
#include <string.h>

#include "symbolizer/index_private.h"
#include "symbolizer/symbols.h"

static struct sym_place place_of(const struct sym_index *index, uint32_t position)
{
    size_t count, low = 0;
    const struct index_section *all = index_sections(index, &count);
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (le32toh(all[middle].position) <= position)
            low = middle + 1;
        else
            high = middle;
    }
    if (!low)
        return (struct sym_place){0, 0};
    uint64_t offset = position - le32toh(all[low - 1].position);
    if (index->header->flags & INDEX_RELOCATABLE)
        return (struct sym_place){le32toh(all[low - 1].number), offset};
    return (struct sym_place){0, le64toh(all[low - 1].address) + offset};
}

// -- symbols --------------------------------------------------------------------------------------

struct entry { // of a block of symbols
    uint32_t position;
    uint64_t size, name, file;
    uint8_t rank;
    bool object;
};

static void read_entry(struct sym_cursor *cursor, struct entry *entry)
{
    entry->position += (uint32_t)sym_read_uleb(cursor);
    entry->size = sym_read_uleb(cursor);
    entry->name = sym_read_uleb(cursor);
    uint64_t rest = sym_read_uleb(cursor);
    entry->file = rest >> 3;
    entry->object = rest & 4;
    entry->rank = rest & 3;
}

static bool symbol_of(const struct sym_index *index, const struct entry *entry,
                      struct sym_symbol *symbol)
{
    *symbol =
        (struct sym_symbol){index_string(index, entry->name), place_of(index, entry->position),
                            entry->size, index_string(index, entry->file), entry->object};
    return symbol->name;
}

// The best of a block for a position; see sym_symbols_at().
static bool symbol_in_block(const struct sym_index *index, size_t number,
                            const struct index_section *section, uint32_t position,
                            struct entry *best)
{
    struct entry entry = {0};
    uint64_t count;
    bool found = false, code = le32toh(section->flags) & INDEX_SECTION_CODE;
    struct sym_cursor cursor =
        index_block_at(index, INDEX_SYMBOL_BLOCKS, number, &entry.position, &count);
    for (; count; count--) {
        read_entry(&cursor, &entry);
        if (entry.position > position)
            break;
        if (entry.position < le32toh(section->position) || (code && entry.object))
            continue;
        // Of equals the later is preferred.
        if (!found || entry.position != best->position ||
            !sym_symbol_better(best->size, best->rank, entry.size, entry.rank,
                               position - entry.position))
            *best = entry;
        found = true;
    }
    return found;
}

void index_find_symbol(const struct sym_index *index, const struct index_section *section,
                       uint32_t position, struct sym_symbol *symbol)
{
    size_t number = index_block_before(index, INDEX_SYMBOL_BLOCKS, position);
    struct entry best, earlier;
    bool found = false;
    for (; number; number--) {
        const struct index_block *block =
            (const struct index_block *)(const void *)index->parts[INDEX_SYMBOL_BLOCKS].data +
            number - 1;
        if (symbol_in_block(index, number - 1, section, position, &earlier)) {
            if (!found || (earlier.position == best.position &&
                           sym_symbol_better(earlier.size, earlier.rank, best.size, best.rank,
                                             position - best.position)))
                best = earlier;
            found = true;
        }
        // Symbols of one address may begin in the block before.
        if (found && le32toh(block->first) < best.position)
            break;
        if (le32toh(block->first) < le32toh(section->position))
            break;
    }
    if (found)
        symbol_of(index, &best, symbol);
}

static bool numbered(const struct sym_index *index, uint32_t number, struct sym_symbol *symbol)
{
    size_t block = number / INDEX_BLOCK;
    if (block >= index->parts[INDEX_SYMBOL_BLOCKS].size / sizeof(struct index_block))
        return false;
    struct entry entry = {0};
    uint64_t count;
    struct sym_cursor cursor =
        index_block_at(index, INDEX_SYMBOL_BLOCKS, block, &entry.position, &count);
    if (number % INDEX_BLOCK >= count)
        return false;
    for (uint32_t i = 0; i <= number % INDEX_BLOCK; i++)
        read_entry(&cursor, &entry);
    return symbol_of(index, &entry, symbol);
}

static bool by_name_number(const struct sym_index *index, size_t at, struct sym_symbol *symbol)
{
    return numbered(index,
                    sym_load_u32(index->parts[INDEX_SYMBOL_NAMES].data + 4 * at,
                                 __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__),
                    symbol);
}

void sym_index_find(const struct sym_index *index, const char *name, sym_symbol_fn *fn,
                    void *argument)
{
    struct sym_symbol symbol;
    size_t count = index->parts[INDEX_SYMBOL_NAMES].size / 4, low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (!by_name_number(index, middle, &symbol))
            return;
        if (strcmp(symbol.name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < count && by_name_number(index, low, &symbol); low++)
        if (strcmp(symbol.name, name) != 0 || !fn(&symbol, argument))
            return;
}

void sym_index_each_symbol(const struct sym_index *index, sym_symbol_fn *fn, void *argument)
{
    size_t blocks = index->parts[INDEX_SYMBOL_BLOCKS].size / sizeof(struct index_block);
    for (size_t i = 0; i < blocks; i++) {
        struct entry entry = {0};
        uint64_t count;
        struct sym_cursor cursor =
            index_block_at(index, INDEX_SYMBOL_BLOCKS, i, &entry.position, &count);
        for (; count && !cursor.failed; count--) {
            struct sym_symbol symbol;
            read_entry(&cursor, &entry);
            if (symbol_of(index, &entry, &symbol) && !fn(&symbol, argument))
                return;
        }
    }
}

static const struct index_section *named(const struct sym_index *index, const char *name)
{
    size_t count;
    const struct index_section *all = index_sections(index, &count);
    for (size_t i = 0; i < count; i++) {
        const char *its = index_string(index, le32toh(all[i].name));
        if (its && !strcmp(its, name))
            return &all[i];
    }
    return NULL;
}

unsigned sym_index_section_count(const struct sym_index *index)
{
    size_t count;
    const struct index_section *all = index_sections(index, &count);
    unsigned largest = 0;
    for (size_t i = 0; i < count; i++)
        if (le32toh(all[i].number) > largest)
            largest = le32toh(all[i].number);
    return largest + 1;
}

unsigned sym_index_section(const struct sym_index *index, const char *name)
{
    const struct index_section *section = named(index, name);
    return section ? le32toh(section->number) : 0;
}

bool sym_index_section_place(const struct sym_index *index, const char *name,
                             struct sym_place *start, uint64_t *bytes)
{
    const struct index_section *section = named(index, name);
    if (!section)
        return false;
    *start = place_of(index, le32toh(section->position));
    *bytes = le64toh(section->bytes);
    return true;
}
