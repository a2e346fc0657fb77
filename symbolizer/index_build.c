// SPDX-License-Identifier: MIT
// Builds an index: reads the debug information unit by unit and writes what each says about its
// addresses, in the form of index_format.h, into parts that grow in memory. Line tables are encoded
// at once, sequence by sequence, and their blocks sorted at the end; scopes become intervals, see
// index_segments.c.
#include "symbolizer/index_build.h"

#include <elf.h>

#include "symbolizer/index.h"
#include "symbolizer/symbols.h"
#include "symbolizer/unit_reader.h"

// -- positions ------------------------------------------------------------------------------------

static int by_section_address(const void *left, const void *right)
{
    const struct index_section *a = left, *b = right;
    uint64_t x = le64toh(a->address), y = le64toh(b->address);
    if (x != y)
        return x < y ? -1 : 1;
    return le32toh(a->number) < le32toh(b->number) ? -1 : 1;
}

// Loaded sections one behind the other; what overlaps the one before is left out.
static struct error *put_sections(struct index_build *build)
{
    const struct sym_elf *elf = build->elf;
    struct index_buffer *part = &build->parts[INDEX_SECTIONS];
    for (size_t i = 1; i < elf->section_count; i++) {
        const struct sym_elf_section *section = &elf->sections[i];
        if (!(section->flags & SHF_ALLOC) || (section->flags & SHF_TLS) || !section->size)
            continue;
        struct index_section row = {
            .address = htole64(section->address),
            .bytes = htole64(section->size),
            .number = htole32((uint32_t)i),
            .name = htole32(index_string(&build->strings, section->name)),
            .flags = htole32(section->flags & SHF_EXECINSTR ? INDEX_SECTION_CODE : 0),
        };
        index_put_bytes(part, &row, sizeof(row));
    }
    struct index_section *rows = (void *)part->data;
    size_t count = part->size / sizeof(*rows), kept = 0;
    if (count)
        qsort(rows, count, sizeof(*rows), by_section_address);
    uint64_t end = 0, position = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t address = le64toh(rows[i].address), bytes = le64toh(rows[i].bytes);
        if ((kept && address < end) || address + bytes < address)
            continue;
        if (position + bytes + 1 > UINT32_MAX)
            return error_make(EXIT_FAILED, "%s: more than 4 GiB of sections: too much for an index",
                              elf->path);
        rows[kept] = rows[i];
        rows[kept++].position = htole32((uint32_t)position);
        end = address + bytes;
        position += bytes + 1; // the end of one is not the start of the next
    }
    part->size = kept * sizeof(*rows);
    build->counts[INDEX_SECTIONS] = (uint32_t)kept;
    build->sections = rows;
    build->section_count = kept;
    return NULL;
}

static bool in_section(const struct index_section *section, uint64_t address)
{
    return address - le64toh(section->address) < le64toh(section->bytes);
}

// The position of an address; `left` is how much of the section there is from it on.
static bool position_of(struct index_build *build, uint64_t address, uint32_t *position,
                        uint64_t *left)
{
    if (build->section >= build->section_count ||
        !in_section(&build->sections[build->section], address)) {
        size_t low = 0, high = build->section_count;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (le64toh(build->sections[middle].address) <= address)
                low = middle + 1;
            else
                high = middle;
        }
        if (!low || !in_section(&build->sections[low - 1], address))
            return false;
        build->section = low - 1;
    }
    const struct index_section *section = &build->sections[build->section];
    uint64_t offset = address - le64toh(section->address);
    *position = (uint32_t)(le32toh(section->position) + offset);
    *left = le64toh(section->bytes) - offset;
    return true;
}

// -- files and functions --------------------------------------------------------------------------

// Numbers once found for a unit's own numbers; what does not fit in is found anew each time.
#define CACHED_MAX 65536

static uint32_t *cached(struct index_buffer *cache, uint32_t number)
{
    if (number >= CACHED_MAX)
        return NULL;
    size_t bytes = (number + 1) * sizeof(uint32_t);
    if (cache->size < bytes) {
        size_t more = bytes - cache->size;
        void *to = index_put(cache, more);
        if (!to)
            return NULL;
        memset(to, 0, more);
    }
    return &((uint32_t *)(void *)cache->data)[number];
}

struct file_wanted {
    const struct index_build *build;
    const char *path;
};

static bool same_file(uint32_t number, const void *argument)
{
    const struct file_wanted *wanted = argument;
    return ((const char *const *)(const void *)wanted->build->file_paths.data)[number] ==
           wanted->path;
}

static uint32_t put_file(struct index_build *build, const char *path)
{
    if (!path)
        return 0;
    struct file_wanted wanted = {build, path};
    uint64_t hash = index_mix(0, (uintptr_t)path);
    struct index_slot *slot = index_table_find(&build->files, hash, same_file, &wanted);
    if (!slot)
        return 0;
    if (!slot->number) {
        uint32_t name = htole32(index_string(&build->strings, path));
        index_table_fill(&build->files, slot, hash, build->counts[INDEX_FILES]++);
        index_put_bytes(&build->parts[INDEX_FILES], &name, sizeof(name));
        index_put_bytes(&build->file_paths, &path, sizeof(path));
        if (build->file_paths.failed)
            slot->number = 0;
    }
    return slot->number;
}

static uint32_t file_number(struct index_build *build, struct sym_unit *unit, uint32_t file)
{
    if (file == SYM_NONE)
        return 0;
    uint32_t *known = cached(&build->unit_files, file);
    if (known && *known)
        return *known - 1;
    uint32_t number = put_file(build, sym_unit_file(unit, file));
    if (known)
        *known = number + 1;
    return number;
}

struct function_wanted {
    const struct index_build *build;
    const uint8_t *encoded;
    size_t bytes;
};

static bool same_function(uint32_t number, const void *argument)
{
    const struct function_wanted *wanted = argument;
    const struct index_buffer *part = &wanted->build->parts[INDEX_FUNCTIONS];
    return wanted->bytes <= part->size - number &&
           !memcmp(part->data + number, wanted->encoded, wanted->bytes);
}

// Encodes the function at the stream's end, and takes it back when it is there already.
static uint32_t put_function(struct index_build *build, struct sym_unit *unit,
                             const struct sym_function *function)
{
    uint32_t name = index_string(&build->strings, function->name);
    uint32_t linkage = index_string(&build->strings, function->linkage);
    uint32_t file = file_number(build, unit, function->file);
    struct index_buffer *part = &build->parts[INDEX_FUNCTIONS];
    size_t start = part->size;
    index_put_uleb(part, name);
    index_put_uleb(part, linkage);
    index_put_uleb(part, file);
    index_put_uleb(part, function->line);
    uint64_t hash = index_mix(index_mix(index_mix(name, linkage), file), function->line);
    struct function_wanted wanted = {build, part->data + start, part->size - start};
    struct index_slot *slot = index_table_find(&build->functions, hash, same_function, &wanted);
    if (!slot || part->failed)
        return 0;
    if (slot->number)
        part->size = start;
    else
        index_table_fill(&build->functions, slot, hash, (uint32_t)start);
    return slot->number;
}

static uint32_t function_number(struct index_build *build, struct sym_unit *unit, uint32_t function)
{
    if (function >= unit->function_count)
        return 0;
    uint32_t *known = cached(&build->unit_functions, function);
    if (known && *known)
        return *known - 1;
    uint32_t number = put_function(build, unit, &unit->functions[function]);
    known = cached(&build->unit_functions, function);
    if (known)
        *known = number + 1;
    return number;
}

// -- scopes ---------------------------------------------------------------------------------------

static void put_node(struct index_build *build, struct sym_unit *unit,
                     const struct sym_scope *scope, const uint32_t *nodes)
{
    uint64_t function = function_number(build, unit, scope->function);
    struct index_buffer *part = &build->parts[INDEX_NODES];
    uint32_t node = (uint32_t)part->size;
    if (scope->parent == SYM_NONE) {
        index_put_uleb(part, function << 1);
        return;
    }
    uint64_t file = file_number(build, unit, scope->call_file);
    index_put_uleb(part, function << 1 | 1);
    index_put_uleb(part, node - nodes[scope->parent]);
    index_put_uleb(part, file << 1 | (scope->call_discriminator != 0));
    index_put_uleb(part, scope->call_line);
    index_put_uleb(part, scope->call_column);
    if (scope->call_discriminator)
        index_put_uleb(part, scope->call_discriminator);
}

static void put_scopes(struct index_build *build, struct sym_unit *unit)
{
    build->unit_nodes.size = 0;
    uint32_t *nodes = index_put(&build->unit_nodes, unit->scope_count * sizeof(*nodes));
    if (!nodes)
        return;
    for (size_t i = 0; i < unit->scope_count; i++) {
        const struct sym_scope *scope = &unit->scopes[i];
        nodes[i] = (uint32_t)build->parts[INDEX_NODES].size;
        put_node(build, unit, scope, nodes);
        for (uint32_t j = 0; j < scope->range_count; j++) {
            const struct sym_range *range = &unit->scope_ranges[scope->first_range + j];
            uint32_t low;
            uint64_t left, bytes = range->high - range->low;
            if (!position_of(build, range->low, &low, &left))
                continue;
            bytes = bytes < left ? bytes : left;
            struct index_interval interval = {low, (uint32_t)(low + bytes), nodes[i]};
            index_put_bytes(&build->intervals, &interval, sizeof(interval));
        }
    }
    index_flatten(build);
}

// -- lines ----------------------------------------------------------------------------------------

struct line_state {
    uint32_t position, file, line, column;
};

static void put_row(struct index_buffer *stream, struct line_state *last,
                    const struct line_state *row, uint32_t discriminator)
{
    uint32_t step = row->position - last->position;
    uint8_t flags = (uint8_t)((row->file != last->file ? INDEX_LINE_FILE : 0) |
                              (row->column != last->column ? INDEX_LINE_COLUMN : 0) |
                              (discriminator ? INDEX_LINE_DISCRIMINATOR : 0));
    uint32_t shortened = step < INDEX_LINE_STEP_LONG ? step : INDEX_LINE_STEP_LONG;
    flags |= (uint8_t)(shortened << INDEX_LINE_STEP_SHIFT);
    index_put_bytes(stream, &flags, 1);
    if (step >= INDEX_LINE_STEP_LONG)
        index_put_uleb(stream, step - INDEX_LINE_STEP_LONG);
    index_put_signed(stream, (int64_t)row->line - last->line);
    if (flags & INDEX_LINE_FILE)
        index_put_signed(stream, (int64_t)row->file - last->file);
    if (flags & INDEX_LINE_COLUMN)
        index_put_uleb(stream, row->column);
    if (flags & INDEX_LINE_DISCRIMINATOR)
        index_put_uleb(stream, discriminator);
    *last = *row;
}

// The sequence's rows and one more, of nothing, where it ends.
static void put_sequence(struct index_build *build, struct sym_unit *unit,
                         const struct sym_sequence *sequence)
{
    uint32_t start;
    uint64_t left;
    if (!sequence->row_count || !position_of(build, sequence->low, &start, &left))
        return;
    const struct sym_row *rows = &unit->rows[sequence->first_row];
    uint64_t bytes = sequence->high - sequence->low;
    bytes = bytes < left ? bytes : left;
    size_t count = 0;
    while (count < sequence->row_count && rows[count].address - sequence->low < bytes)
        count++;

    struct index_buffer *stream = &build->parts[INDEX_LINES];
    struct line_state last = {0};
    for (size_t i = 0; i <= count; i++) {
        struct line_state now = {.position = (uint32_t)(start + bytes)};
        uint32_t discriminator = 0;
        if (i < count) {
            now = (struct line_state){(uint32_t)(start + (rows[i].address - sequence->low)),
                                      file_number(build, unit, rows[i].file), rows[i].line,
                                      rows[i].column};
            discriminator = rows[i].discriminator;
        }
        if (i % INDEX_BLOCK == 0) {
            size_t more = count + 1 - i;
            index_block_begin(build, INDEX_LINE_BLOCKS, now.position,
                              more < INDEX_BLOCK ? more : INDEX_BLOCK);
            last = (struct line_state){.position = now.position};
        }
        put_row(stream, &last, &now, discriminator);
    }
    build->counts[INDEX_LINES] += (uint32_t)count + 1;
}

static int by_first(const void *left, const void *right)
{
    const struct index_block *a = left, *b = right;
    uint32_t x = le32toh(a->first), y = le32toh(b->first);
    if (x != y)
        return x < y ? -1 : 1;
    return le32toh(a->offset) < le32toh(b->offset) ? -1 : le32toh(a->offset) > le32toh(b->offset);
}

// -- units ----------------------------------------------------------------------------------------

static void put_unit(struct index_build *build, struct sym_unit *unit)
{
    // Numbers are the unit's own.
    build->unit_files.size = 0;
    build->unit_functions.size = 0;
    put_scopes(build, unit);
    for (size_t i = 0; i < unit->sequence_count; i++)
        put_sequence(build, unit, &unit->sequences[i]);
}

// A unit that cannot be read costs its own addresses only, but at least one must be readable.
static struct error *put_units(struct index_build *build)
{
    struct sym_dwarf *dwarf;
    struct error *error = sym_dwarf_open(build->debug, &dwarf), *first = NULL;
    if (error)
        return error;
    struct unit_reader *reader = unit_reader_create(dwarf, SYM_UNIT_SCOPES | SYM_UNIT_LINES);
    if (!reader)
        first = error_errno("%s: no memory for its index", build->debug->path);
    struct sym_unit *unit;
    while (reader && (unit = unit_reader_next(reader, &error))) {
        if (!error) {
            put_unit(build, unit);
            build->has_debug = true;
            continue;
        }
        if (first)
            error_free(error);
        else
            first = error;
    }
    struct index_buffer *blocks = &build->parts[INDEX_LINE_BLOCKS];
    if (blocks->size)
        qsort(blocks->data, blocks->size / sizeof(struct index_block), sizeof(struct index_block),
              by_first);
    index_put_segments(build);
    unit_reader_destroy(reader);
    sym_dwarf_close(dwarf);
    if (build->has_debug || !first) {
        error_free(first);
        return NULL;
    }
    return first;
}

// -- symbols --------------------------------------------------------------------------------------

struct named { // a symbol of the index
    const char *name;
    uint32_t number;
};

static int by_name(const void *left, const void *right)
{
    const struct named *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    return order ? order : a->number < b->number ? -1 : a->number > b->number;
}

static void put_names(struct index_build *build, struct index_buffer *names)
{
    struct named *all = (void *)names->data;
    size_t count = names->size / sizeof(*all);
    if (count)
        qsort(all, count, sizeof(*all), by_name);
    uint32_t *to = index_put(&build->parts[INDEX_SYMBOL_NAMES], count * sizeof(*to));
    for (size_t i = 0; to && i < count; i++)
        to[i] = htole32(all[i].number);
    build->counts[INDEX_SYMBOL_NAMES] = (uint32_t)count;
}

// Symbols that lie in a section; an address just behind one, as of an end mark, counts as in it.
static bool symbol_position(struct index_build *build, const struct sym_symbol_row *row,
                            uint32_t *position)
{
    uint64_t left;
    if (position_of(build, row->address, position, &left))
        return true;
    if (!row->address || !position_of(build, row->address - 1, position, &left))
        return false;
    ++*position;
    return true;
}

static struct error *put_symbols(struct index_build *build)
{
    // The file itself may be stripped, and then the debug file has the table.
    struct sym_symbols own = {0}, other = {0};
    struct error *error = sym_symbols_load(&own, build->elf);
    if (!error && build->debug != build->elf)
        error = sym_symbols_load(&other, build->debug);
    if (error) {
        sym_symbols_deinit(&own);
        sym_symbols_deinit(&other);
        return error;
    }
    const struct sym_symbols *symbols = other.count > own.count ? &other : &own;
    struct index_buffer *stream = &build->parts[INDEX_SYMBOLS], names = {0}, taken = {0};
    uint32_t *positions = index_put(&taken, symbols->count * sizeof(*positions));
    size_t count = 0;
    for (size_t i = 0; positions && i < symbols->count; i++) {
        uint32_t position;
        if (symbol_position(build, &symbols->rows[i], &position)) {
            struct named named = {symbols->rows[i].name, (uint32_t)count++};
            index_put_bytes(&names, &named, sizeof(named));
            positions[i] = position + 1;
        } else {
            positions[i] = 0;
        }
    }
    uint32_t last = 0, number = 0;
    for (size_t i = 0; positions && i < symbols->count; i++) {
        const struct sym_symbol_row *row = &symbols->rows[i];
        if (!positions[i])
            continue;
        uint32_t position = positions[i] - 1;
        if (number % INDEX_BLOCK == 0) {
            size_t left = count - number;
            index_block_begin(build, INDEX_SYMBOL_BLOCKS, position,
                              left < INDEX_BLOCK ? left : INDEX_BLOCK);
            last = position;
        }
        build->mangled |= sym_is_mangled(row->name);
        index_put_uleb(stream, position - last);
        index_put_uleb(stream, row->size);
        index_put_uleb(stream, index_string(&build->strings, row->name));
        index_put_uleb(stream, (uint64_t)index_string(&build->strings, row->file) << 3 |
                                   (row->object ? 4 : 0) | row->rank);
        last = position;
        number++;
    }
    build->counts[INDEX_SYMBOLS] = number;
    put_names(build, &names);
    stream->failed |= names.failed || taken.failed;
    index_buffer_deinit(&names);
    index_buffer_deinit(&taken);
    sym_symbols_deinit(&own);
    sym_symbols_deinit(&other);
    return NULL;
}

// -- the whole ------------------------------------------------------------------------------------

static void build_deinit(struct index_build *build)
{
    index_strings_deinit(&build->strings);
    for (size_t i = 0; i < INDEX_PARTS; i++)
        index_buffer_deinit(&build->parts[i]);
    index_table_deinit(&build->functions);
    index_table_deinit(&build->files);
    index_buffer_deinit(&build->file_paths);
    index_buffer_deinit(&build->intervals);
    index_buffer_deinit(&build->pieces);
    index_buffer_deinit(&build->stack);
    index_buffer_deinit(&build->unit_files);
    index_buffer_deinit(&build->unit_functions);
    index_buffer_deinit(&build->unit_nodes);
}

static bool ran_out(const struct index_build *build)
{
    bool failed = build->strings.bytes.failed || build->strings.by_bytes.failed ||
                  build->functions.failed || build->files.failed || build->file_paths.failed ||
                  build->intervals.failed || build->pieces.failed || build->stack.failed ||
                  build->unit_files.failed || build->unit_functions.failed ||
                  build->unit_nodes.failed;
    for (size_t i = 0; i < INDEX_PARTS; i++)
        failed |= build->parts[i].failed;
    return failed;
}

struct error *sym_index_build(struct sym_elf *elf, struct sym_elf *debug, const char *to)
{
    struct index_build build = {.elf = elf, .debug = debug};
    index_strings_init(&build.strings);
    // Number 0 means something in these, see index_format.h.
    static const uint32_t nothing;
    static const char *const no_path;
    index_put_bytes(&build.parts[INDEX_FILES], &nothing, sizeof(nothing));
    index_put_bytes(&build.file_paths, &no_path, sizeof(no_path));
    build.counts[INDEX_FILES] = 1;
    index_put_bytes(&build.parts[INDEX_FUNCTIONS], &nothing, sizeof(nothing));
    index_put_bytes(&build.parts[INDEX_NODES], &nothing, sizeof(nothing));

    struct error *error = put_sections(&build);
    if (!error)
        error = put_units(&build);
    if (!error)
        error = put_symbols(&build);
    if (!error && ran_out(&build))
        error = error_make(EXIT_FAILED, "%s: no memory for its index, or it is larger than 4 GiB",
                           elf->path);
    if (!error)
        error = index_write(&build, to);
    build_deinit(&build);
    return error;
}
