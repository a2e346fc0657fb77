// SPDX-License-Identifier: MIT
// See debug.h. Units stay once they were read, so that entries can be held by value.
#include <elf.h>
#include <stdlib.h>

#include "symbolizer/debug_private.h"

enum {
    // Looking through the table costs a tenth of sorting it: so often it is done without.
    SYMBOLS_ONE_BY_ONE = 8,
    // What units may cost: a damaged file can lead from each entry into another unit.
    UNITS_MOST = 1 << 14,
    ATTRIBUTES_MOST = 1 << 23, // of all their tables of abbreviations
};

struct error *sym_debug_open(struct sym_elf *elf, struct sym_debug **out)
{
    struct sym_debug *debug = calloc(1, sizeof(*debug));
    if (debug)
        debug->private_ = calloc(1, sizeof(*debug->private_));
    if (!debug || !debug->private_) {
        free(debug);
        return error_errno("%s", elf->path);
    }
    debug->elf = elf;
    struct error *error = dw_open_whole(elf, &debug->private_->dwarf);
    if (error) {
        sym_debug_close(debug);
        return error;
    }
    *out = debug;
    return NULL;
}

void sym_debug_close(struct sym_debug *debug)
{
    if (!debug)
        return;
    struct sym_debug_private *own = debug->private_;
    for (struct debug_unit *unit = own->units, *next; unit; unit = next) {
        next = unit->next;
        free(unit);
    }
    for (struct debug_table *table = own->tables, *next; table; table = next) {
        next = table->next;
        dw_abbrevs_deinit(&table->abbrevs);
        free(table);
    }
    sym_symbols_deinit(&own->symbols);
    sym_unit_deinit(&own->unit);
    sym_dwarf_close(own->dwarf);
    free(own->ranges);
    free(own);
    free(debug);
}

// Most pointers lead to what was allocated. 0 is nowhere, even where per-CPU data is linked for it.
static bool is_loaded(const struct sym_elf *elf, uint64_t address)
{
    for (size_t i = 1; i < elf->section_count && address; i++) {
        const struct sym_elf_section *section = &elf->sections[i];
        if (section->flags & SHF_ALLOC && address >= section->address &&
            address - section->address < section->size)
            return true;
    }
    return false;
}

const struct sym_symbol_row *sym_debug_symbol(struct sym_debug *debug, uint64_t address)
{
    struct sym_debug_private *own = debug->private_;
    struct error *error = NULL;
    if (!is_loaded(debug->elf, address))
        return NULL;
    if (own->symbols_asked < SYMBOLS_ONE_BY_ONE) {
        sym_symbols_deinit(&own->symbols);
        error = sym_symbols_load_at(&own->symbols, debug->elf, address);
    } else if (own->symbols_asked == SYMBOLS_ONE_BY_ONE) {
        sym_symbols_deinit(&own->symbols);
        error = sym_symbols_load(&own->symbols, debug->elf);
    }
    own->symbols_asked += own->symbols_asked <= SYMBOLS_ONE_BY_ONE;
    error_free(error); // a pointer without a name will do
    return sym_symbols_at(&own->symbols, debug->elf, address);
}

// -- units ----------------------------------------------------------------------------------------

// The table for a unit, to be filled if it is a new one; NULL: no memory.
static struct dw_abbrevs *find_table(struct sym_debug_private *own, const struct dw_file *file,
                                     const struct dw_header *header)
{
    for (struct debug_table *table = own->tables; table; table = table->next) {
        const struct dw_abbrevs *abbrevs = &table->abbrevs;
        if (abbrevs->file == file && abbrevs->offset == header->abbrev_offset &&
            abbrevs->version == header->version &&
            abbrevs->address_bytes == header->address_bytes &&
            abbrevs->offset_bytes == header->offset_bytes)
            return &table->abbrevs;
    }
    struct debug_table *table = calloc(1, sizeof(*table));
    if (!table)
        return NULL;
    table->next = own->tables;
    own->tables = table;
    return &table->abbrevs;
}

static struct debug_unit *add_unit(struct sym_debug_private *own, const struct dw_file *file,
                                   const struct dw_header *header, const struct dw_context *from)
{
    if (own->unit_count == UNITS_MOST || own->attribute_count > ATTRIBUTES_MOST)
        return NULL;
    struct debug_unit *unit = calloc(1, sizeof(*unit));
    struct dw_abbrevs *abbrevs = unit ? find_table(own, file, header) : NULL;
    if (!abbrevs) {
        free(unit);
        return NULL;
    }
    bool is_new = !abbrevs->filled;
    unit->next = own->units;
    own->units = unit;
    own->unit_count++;
    unit->context.budget = &unit->budget;
    struct error *error = dw_root_read(own->dwarf, file, header, abbrevs, file->split ? from : NULL,
                                       &unit->context, &unit->root);
    if (is_new)
        own->attribute_count += abbrevs->attribute_count + abbrevs->count;
    unit->damaged = error != NULL;
    error_free(error); // what it describes is not known then
    return unit;
}

const struct dw_context *debug_unit_at(struct sym_debug *debug, const struct dw_file *file,
                                       const struct dw_header *header,
                                       const struct dw_context *from)
{
    struct debug_unit *unit = debug->private_->units;
    while (unit && (unit->context.header != header || unit->context.file != file))
        unit = unit->next;
    if (!unit)
        unit = add_unit(debug->private_, file, header, from);
    if (!unit || unit->damaged)
        return NULL;
    unit->budget = dw_list_budget(file, header);
    return &unit->context;
}

// -- which functions ------------------------------------------------------------------------------

struct chain_search {
    struct sym_debug *debug;
    uint64_t address;
    struct sym_debug_chain *out;
    struct error *error;
};

static bool scope_holds(const struct sym_unit *unit, const struct sym_scope *scope,
                        uint64_t address)
{
    for (uint32_t i = 0; i < scope->range_count; i++) {
        const struct sym_range *range = &unit->scope_ranges[scope->first_range + i];
        if (address >= range->low && address < range->high)
            return true;
    }
    return false;
}

// A parent stands before those inlined into it, so one walk finds the way down. Neighbouring frames
// often are of one unit, so the last one is kept.
static bool find_chain(size_t number, void *argument)
{
    struct chain_search *search = argument;
    struct sym_debug_chain *out = search->out;
    struct sym_debug_private *own = search->debug->private_;
    if (!own->unit_read || own->unit.number != number)
        search->error = sym_unit_read(own->dwarf, number, SYM_UNIT_SCOPES, &own->unit);
    own->unit_read = !search->error;
    if (search->error)
        return false;
    const struct sym_unit_storage *storage = own->unit.storage_;
    const struct dw_context *context = debug_unit_at(
        search->debug, storage->context.file, storage->context.header, &storage->line_context);
    if (storage->root.dwo_name && !own->unit.split)
        out->missing = storage->root.dwo_name;
    uint32_t last = SYM_NONE;
    size_t scopes = context ? own->unit.scope_count : 0;
    for (uint32_t i = 0; i < scopes && out->count < SYM_DEBUG_CHAIN_MOST; i++) {
        const struct sym_scope *scope = &own->unit.scopes[i];
        if (scope->parent != last || !scope_holds(&own->unit, scope, search->address))
            continue;
        struct sym_die die = die_at(context, scope->die);
        if (sym_die_is(die))
            out->dies[out->count++] = die;
        last = i;
    }
    return out->count == 0;
}

struct error *sym_debug_chain_at(struct sym_debug *debug, uint64_t address,
                                 struct sym_debug_chain *out)
{
    struct chain_search search = {.debug = debug, .address = address, .out = out};
    out->count = 0;
    out->missing = NULL;
    struct error *error = sym_dwarf_units_at(debug->private_->dwarf, address, find_chain, &search);
    if (error)
        error_free(search.error);
    return error ? error : search.error;
}
