// SPDX-License-Identifier: MIT
// See lazy.h. A unit that was read gets two tables by address, one of its functions and one of its
// sequences of rows, so that a lookup is two binary searches and a walk over the calls inlined into
// one function.
#include "symbolizer/lazy.h"

#include <stdlib.h>

#include "symbolizer/result.h"

enum {
    KEPT_BYTES_MOST = 512 << 20,
    UNITS_AT_MOST = 32, // that share an address and are looked at; more than two make no sense
};

struct span {
    uint64_t low, high;
    uint64_t reach; // the highest `high` up to here
    uint32_t what;
    uint32_t end; // of functions: behind the last call inlined into it
};

struct spans {
    struct span *rows; // by low
    size_t count;
};

struct kept_unit {
    struct sym_unit unit;
    struct spans functions; // of scopes without a parent
    struct spans sequences;
    size_t bytes;
    uint64_t used; // the lookup that used it last
};

struct sym_lazy {
    struct sym_dwarf *dwarf;
    struct kept_unit **units; // by number; NULL: not read, or given up
    size_t bytes;
    uint64_t lookups;
};

struct error *sym_lazy_open(struct sym_elf *debug, struct sym_lazy **out)
{
    struct sym_lazy *lazy = calloc(1, sizeof(*lazy));
    if (!lazy)
        return error_errno("%s", debug->path);
    struct error *error = sym_dwarf_open(debug, &lazy->dwarf);
    if (!error) {
        lazy->units = calloc(sym_dwarf_unit_count(lazy->dwarf) + 1, sizeof(struct kept_unit *));
        if (!lazy->units)
            error = error_errno("%s", debug->path);
    }
    if (error) {
        sym_dwarf_close(lazy->dwarf);
        free(lazy);
        return error;
    }
    *out = lazy;
    return NULL;
}

static void give_up(struct sym_lazy *lazy, struct kept_unit **unit)
{
    if (!*unit)
        return;
    lazy->bytes -= (*unit)->bytes;
    sym_unit_deinit(&(*unit)->unit);
    free((*unit)->functions.rows);
    free((*unit)->sequences.rows);
    free(*unit);
    *unit = NULL;
}

void sym_lazy_close(struct sym_lazy *lazy)
{
    if (!lazy)
        return;
    for (size_t i = 0; i < sym_dwarf_unit_count(lazy->dwarf); i++)
        give_up(lazy, &lazy->units[i]);
    free(lazy->units);
    sym_dwarf_close(lazy->dwarf);
    free(lazy);
}

// -- units
// -----------------------------------------------------------------------------------------

static int by_low(const void *left, const void *right)
{
    const struct span *a = left, *b = right;
    if (a->low != b->low)
        return a->low < b->low ? -1 : 1;
    return a->what < b->what ? -1 : a->what > b->what;
}

static void sort_spans(struct spans *spans)
{
    if (spans->count)
        qsort(spans->rows, spans->count, sizeof(*spans->rows), by_low);
    uint64_t reach = 0;
    for (size_t i = 0; i < spans->count; i++) {
        if (spans->rows[i].high > reach)
            reach = spans->rows[i].high;
        spans->rows[i].reach = reach;
    }
}

// Where the calls inlined into each function end. Methods of a local class stand among them, with
// calls of their own. NULL: no memory.
static uint32_t *function_ends(const struct sym_unit *unit)
{
    uint32_t *ends = calloc(2 * unit->scope_count + 1, sizeof(*ends));
    if (!ends)
        return NULL;
    uint32_t *functions = ends + unit->scope_count; // that each scope is in
    for (size_t i = 0; i < unit->scope_count; i++) {
        uint32_t parent = unit->scopes[i].parent; // stands before it
        functions[i] = parent == SYM_NONE ? (uint32_t)i : functions[parent];
        ends[functions[i]] = (uint32_t)i + 1;
    }
    return ends;
}

static bool make_function_spans(struct kept_unit *kept)
{
    const struct sym_unit *unit = &kept->unit;
    size_t ranges = 0;
    for (size_t i = 0; i < unit->scope_count; i++)
        ranges += unit->scopes[i].parent == SYM_NONE ? unit->scopes[i].range_count : 0;
    kept->functions.rows = calloc(ranges + 1, sizeof(struct span));
    uint32_t *ends = function_ends(unit);
    for (size_t i = 0; kept->functions.rows && ends && i < unit->scope_count; i++) {
        const struct sym_scope *scope = &unit->scopes[i];
        const struct sym_range *range = &unit->scope_ranges[scope->first_range];
        for (uint32_t j = 0; scope->parent == SYM_NONE && j < scope->range_count; j++, range++)
            kept->functions.rows[kept->functions.count++] =
                (struct span){range->low, range->high, 0, (uint32_t)i, ends[i]};
    }
    bool made = kept->functions.rows && ends;
    free(ends);
    return made;
}

static bool make_spans(struct kept_unit *kept)
{
    const struct sym_unit *unit = &kept->unit;
    kept->sequences.rows = calloc(unit->sequence_count + 1, sizeof(struct span));
    if (!kept->sequences.rows || !make_function_spans(kept))
        return false;
    for (size_t i = 0; i < unit->sequence_count; i++)
        kept->sequences.rows[kept->sequences.count++] = (struct span){
            .low = unit->sequences[i].low, .high = unit->sequences[i].high, .what = (uint32_t)i};
    sort_spans(&kept->functions);
    sort_spans(&kept->sequences);
    kept->bytes = unit->scope_count * sizeof(*unit->scopes) +
                  unit->scope_range_count * sizeof(*unit->scope_ranges) +
                  unit->function_count * sizeof(*unit->functions) +
                  unit->row_count * sizeof(*unit->rows) +
                  (kept->functions.count + kept->sequences.count) * sizeof(struct span);
    return true;
}

// Not those that the present lookup stands on.
static void make_room(struct sym_lazy *lazy)
{
    while (lazy->bytes > KEPT_BYTES_MOST) {
        struct kept_unit **oldest = NULL;
        for (size_t i = 0; i < sym_dwarf_unit_count(lazy->dwarf); i++) {
            struct kept_unit **unit = &lazy->units[i];
            if (*unit && (*unit)->used != lazy->lookups &&
                (!oldest || (*unit)->used < (*oldest)->used))
                oldest = unit;
        }
        if (!oldest)
            break;
        give_up(lazy, oldest);
    }
}

static struct error *get_unit(struct sym_lazy *lazy, size_t number, struct kept_unit **out)
{
    struct kept_unit *kept = lazy->units[number];
    struct error *error = NULL;
    if (!kept) {
        make_room(lazy);
        kept = calloc(1, sizeof(*kept));
        if (!kept)
            return error_errno("a unit's debug information");
        lazy->units[number] = kept;
        error = sym_unit_read(lazy->dwarf, number, SYM_UNIT_SCOPES | SYM_UNIT_LINES, &kept->unit);
        if (!error && !make_spans(kept))
            error = error_errno("a unit's debug information");
        if (error) {
            give_up(lazy, &lazy->units[number]);
            return error;
        }
        sym_unit_trim(&kept->unit);
        lazy->bytes += kept->bytes;
    }
    kept->used = lazy->lookups;
    *out = kept;
    return NULL;
}

// -- lookups
// ---------------------------------------------------------------------------------------

// The last of the spans that an address lies in: of nested ones the inner. NULL: none.
static const struct span *find_span(const struct spans *spans, uint64_t address)
{
    size_t low = 0, high = spans->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (spans->rows[middle].low <= address)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t i = low; i > 0 && spans->rows[i - 1].reach > address; i--)
        if (spans->rows[i - 1].high > address)
            return &spans->rows[i - 1];
    return NULL;
}

static const struct sym_row *find_row(const struct kept_unit *kept, uint64_t address)
{
    const struct span *span = find_span(&kept->sequences, address);
    if (!span)
        return NULL;
    const struct sym_sequence *sequence = &kept->unit.sequences[span->what];
    const struct sym_row *rows = &kept->unit.rows[sequence->first_row];
    size_t low = 0, high = sequence->row_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (rows[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &rows[low - 1] : NULL;
}

static bool scope_has(const struct sym_unit *unit, const struct sym_scope *scope, uint64_t address)
{
    const struct sym_range *range = &unit->scope_ranges[scope->first_range];
    for (uint32_t i = 0; i < scope->range_count; i++, range++)
        if (range->low <= address && address < range->high)
            return true;
    return false;
}

// The innermost scope; SYM_NONE: the unit has no function there. Calls inlined into a function
// stand behind it, a parent before its own: each that has the address is further in than the one
// before if that is its parent.
static uint32_t find_scope(const struct kept_unit *kept, uint64_t address)
{
    const struct sym_unit *unit = &kept->unit;
    const struct span *span = find_span(&kept->functions, address);
    if (!span)
        return SYM_NONE;
    uint32_t innermost = span->what;
    for (size_t i = innermost + 1; i < span->end; i++) {
        const struct sym_scope *scope = &unit->scopes[i];
        if (scope->parent == innermost && scope_has(unit, scope, address))
            innermost = (uint32_t)i;
    }
    return innermost;
}

struct found {
    struct kept_unit *scope_unit, *row_unit;
    uint32_t scope;
    const struct sym_row *row;
};

static bool add_frames(const struct found *found, struct sym_result *result)
{
    struct sym_frame where = {0};
    if (found->row) {
        where.file = sym_unit_file(&found->row_unit->unit, found->row->file);
        where.line = found->row->line;
        where.column = found->row->column;
        where.discriminator = found->row->discriminator;
    }
    uint32_t number = found->scope;
    do {
        struct sym_frame *frame = sym_result_add(result);
        if (!frame)
            return false;
        *frame = where;
        if (number == SYM_NONE)
            break; // lines without a function
        struct sym_unit *unit = &found->scope_unit->unit;
        const struct sym_scope *scope = &unit->scopes[number];
        const struct sym_function *function = &unit->functions[scope->function];
        frame->function = function->name;
        frame->linkage = function->linkage;
        frame->declared_file = sym_unit_file(unit, function->file);
        frame->declared_line = function->line;
        where = (struct sym_frame){.file = sym_unit_file(unit, scope->call_file),
                                   .line = scope->call_line,
                                   .column = scope->call_column,
                                   .discriminator = scope->call_discriminator};
        number = scope->parent;
    } while (number != SYM_NONE);
    return true;
}

struct units_at {
    size_t numbers[UNITS_AT_MOST];
    size_t count;
};

static bool take_unit(size_t number, void *argument)
{
    struct units_at *units = argument;
    units->numbers[units->count++] = number;
    return units->count < UNITS_AT_MOST;
}

struct error *sym_lazy_lookup(struct sym_lazy *lazy, uint64_t address, struct sym_result *result)
{
    struct units_at units = {.count = 0};
    struct found found = {.scope = SYM_NONE};
    struct error *error = sym_dwarf_units_at(lazy->dwarf, address, take_unit, &units);
    lazy->lookups++;
    for (size_t i = 0; i < units.count && !error; i++) {
        struct kept_unit *kept = NULL;
        error = get_unit(lazy, units.numbers[i], &kept);
        if (!kept)
            break;
        if (found.scope == SYM_NONE) {
            found.scope = find_scope(kept, address);
            found.scope_unit = kept;
        }
        if (!found.row && (found.row = find_row(kept, address)))
            found.row_unit = kept;
        if (found.row && found.scope != SYM_NONE)
            break;
    }
    if (!error && (found.row || found.scope != SYM_NONE) && !add_frames(&found, result))
        error = error_errno("a lookup");
    return error;
}
