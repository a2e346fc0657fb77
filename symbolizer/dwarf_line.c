// SPDX-License-Identifier: MIT
// Line programs (DWARF 5, section 6.2; versions 2 to 5): their tables of folders and files, and the
// rows they make. Rows that answer nothing are dropped as they come: those that repeat the one
// before, those whose address the next one has too, and sequences of code the linker dropped.
#include <stdlib.h>
#include <string.h>

#include "symbolizer/dwarf_private.h"

// -- tables
// ----------------------------------------------------------------------------------------

static bool add_folder(struct dw_line_tables *tables, const char *name)
{
    if (!DW_GROW(tables->folders, tables->folder_capacity, tables->folder_count))
        return false;
    tables->folders[tables->folder_count++] = name;
    return true;
}

static bool add_file(struct dw_line_tables *tables, const char *name, uint64_t folder)
{
    if (!DW_GROW(tables->files, tables->file_capacity, tables->file_count))
        return false;
    tables->files[tables->file_count++] = (struct dw_file_row){name, folder};
    return true;
}

// A file as DWARF 2 to 4 write it, in the header and in DW_LNE_define_file.
static bool read_old_file(struct dw_line_tables *tables, struct sym_cursor *cursor,
                          const char *name)
{
    uint64_t folder = sym_read_uleb(cursor);
    sym_read_uleb(cursor); // time of change
    sym_read_uleb(cursor); // size
    return cursor->failed || add_file(tables, name, folder);
}

// File and folder numbers start at 1; what stands at 0 is the compilation's own.
static bool read_old_tables(struct dw_line_tables *tables, struct sym_cursor *cursor)
{
    bool room = add_folder(tables, NULL) && add_file(tables, NULL, 0);
    const char *name;
    while (room && *(name = sym_read_string(cursor)))
        room = add_folder(tables, name);
    while (room && *(name = sym_read_string(cursor)))
        room = read_old_file(tables, cursor, name);
    return room;
}

static bool read_new_table(const struct dw_context *context, struct dw_line_tables *tables,
                           struct sym_cursor *cursor, bool files)
{
    struct sym_cursor formats = *cursor;
    unsigned format_count = sym_read_u8(&formats);
    formats.base = formats.at;
    *cursor = formats;
    for (unsigned i = 0; i < 2 * format_count; i++)
        sym_read_uleb(cursor);
    uint64_t count = sym_read_uleb(cursor);
    // Forms may be of no size at all, but nobody writes a table of such.
    if (count > sym_cursor_left(cursor))
        sym_cursor_fail(cursor);
    struct dw_header sizes = {.version = tables->version,
                              .address_bytes = tables->address_bytes,
                              .offset_bytes = tables->offset_bytes};
    for (uint64_t i = 0; i < count && !cursor->failed; i++) {
        const char *name = NULL;
        uint64_t folder = 0;
        struct sym_cursor format = formats;
        for (unsigned j = 0; j < format_count; j++) {
            struct dw_value value;
            uint64_t content = sym_read_uleb(&format);
            unsigned form = (unsigned)sym_read_uleb(&format);
            if (!dw_read_value(tables->file, &sizes, cursor, form, 0, &value))
                break;
            if (content == DW_LNCT_path)
                name = dw_string(context, &value);
            else if (content == DW_LNCT_directory_index && value.class == DW_CONSTANT)
                folder = value.number;
        }
        if (!(files ? add_file(tables, name, folder) : add_folder(tables, name)))
            return false;
    }
    return true;
}

static bool read_tables(const struct dw_context *context, struct dw_line_tables *tables,
                        struct sym_cursor *cursor)
{
    if (tables->version < 5)
        return read_old_tables(tables, cursor);
    const uint8_t *base = cursor->base;
    bool room = read_new_table(context, tables, cursor, false) &&
                read_new_table(context, tables, cursor, true);
    cursor->base = base;
    return room;
}

static const char *read_sizes(struct dw_line_tables *tables, struct sym_cursor *cursor)
{
    const uint8_t *section_end = cursor->end;
    uint64_t bytes = sym_read_u32(cursor);
    tables->offset_bytes = 4;
    if (bytes == 0xffffffff) {
        tables->offset_bytes = 8;
        bytes = sym_read_u64(cursor);
    }
    if (cursor->failed || bytes > (uint64_t)(section_end - cursor->at))
        return "a line table that is cut short";
    cursor->end = cursor->at + bytes;
    tables->end = (uint64_t)(cursor->end - cursor->base);
    tables->version = sym_read_u16(cursor);
    if (tables->version < 2 || tables->version > 5)
        return "a line table of an unknown version";
    if (tables->version >= 5) {
        tables->address_bytes = sym_read_u8(cursor);
        sym_read_u8(cursor); // size of segment selectors
    }
    uint64_t header_bytes = sym_read_unsigned(cursor, tables->offset_bytes);
    if (cursor->failed || header_bytes > sym_cursor_left(cursor))
        return "the header of a line table is cut short";
    tables->program = (uint64_t)(cursor->at - cursor->base) + header_bytes;
    cursor->end = cursor->at + header_bytes;
    return NULL;
}

static struct error *read_header(const struct dw_context *context, struct dw_line_tables *tables)
{
    const struct dw_file *file = tables->file;
    struct sym_cursor cursor = sym_cursor_over(file->sections[DW_LINE], file->elf->swap);
    sym_cursor_seek(&cursor, tables->offset);
    const char *wrong = read_sizes(tables, &cursor);
    if (wrong)
        return dw_damaged(file, DW_LINE, tables->offset, wrong);
    tables->minimum_instruction = sym_read_u8(&cursor);
    tables->most_operations = tables->version >= 4 ? sym_read_u8(&cursor) : 1;
    sym_read_u8(&cursor); // whether rows are statements at first
    tables->line_base = (int8_t)sym_read_u8(&cursor);
    tables->line_range = sym_read_u8(&cursor);
    tables->opcode_base = sym_read_u8(&cursor);
    memset(tables->opcode_operands, 0, sizeof(tables->opcode_operands));
    for (unsigned i = 1; i < tables->opcode_base; i++)
        tables->opcode_operands[i] = sym_read_u8(&cursor);
    if (!cursor.failed && tables->line_range == 0)
        return dw_damaged(file, DW_LINE, tables->offset, "a line table with a line range of 0");
    if (!read_tables(context, tables, &cursor))
        return dw_no_memory(file);
    if (cursor.failed)
        return dw_damaged(file, DW_LINE, sym_cursor_offset(&cursor),
                          "the files of a line table are cut short");
    return NULL;
}

// A table that is there already is kept.
struct error *dw_line_tables_read(const struct dw_context *context, const struct dw_root *root,
                                  struct dw_line_tables *tables)
{
    if (tables->filled && tables->file == context->file && tables->offset == root->line_offset)
        return NULL;
    tables->filled = false;
    tables->file = context->file;
    tables->offset = root->line_offset;
    tables->address_bytes = context->header->address_bytes;
    tables->folder_count = tables->file_count = 0;
    struct error *error = read_header(context, tables);
    tables->filled = !error;
    size_t paths =
        tables->path_capacity < tables->file_count ? tables->path_capacity : tables->file_count;
    if (paths)
        memset(tables->paths, 0, paths * sizeof(*tables->paths));
    return error;
}

void dw_line_tables_deinit(struct dw_line_tables *tables)
{
    free(tables->folders);
    free(tables->files);
    free(tables->paths);
    *tables = (struct dw_line_tables){0};
}

// -- paths
// -----------------------------------------------------------------------------------------

static const char *join(struct sym_dwarf *dwarf, const char *const parts[3])
{
    size_t length = 0;
    for (int i = 0; i < 3; i++)
        length += parts[i] ? strlen(parts[i]) + 1 : 0;
    char short_path[512];
    char *path = length <= sizeof(short_path) ? short_path : malloc(length);
    if (!path)
        return NULL;
    char *to = path;
    for (int i = 0; i < 3; i++)
        if (parts[i])
            to = stpcpy(to, parts[i]), *to++ = '/';
    const char *kept = dw_intern(dwarf, path, length - 1);
    if (path != short_path)
        free(path);
    return kept;
}

// What a relative name is relative to is a folder of the table, and what that is relative to the
// compilation's folder. No part is tidied up: so GNU addr2line does it.
static const char *make_path(const struct dw_context *context, const char *comp_dir,
                             const struct dw_line_tables *tables, const struct dw_file_row *row)
{
    if (!row->name)
        return NULL;
    const char *folder = row->folder < tables->folder_count ? tables->folders[row->folder] : NULL;
    const char *parts[3] = {NULL, NULL, row->name};
    if (row->name[0] != '/') {
        parts[1] = folder;
        if (!folder || folder[0] != '/')
            parts[0] = comp_dir;
    }
    return join(context->dwarf, parts);
}

const char *dw_line_path(const struct dw_context *context, const char *comp_dir,
                         struct dw_line_tables *tables, uint32_t file)
{
    if (file >= tables->file_count)
        return NULL;
    if (tables->path_capacity < tables->file_count) {
        const char **paths = realloc(tables->paths, tables->file_count * sizeof(*paths));
        if (!paths)
            return NULL;
        memset(paths + tables->path_capacity, 0,
               (tables->file_count - tables->path_capacity) * sizeof(*paths));
        tables->paths = paths;
        tables->path_capacity = tables->file_count;
    }
    if (!tables->paths[file])
        tables->paths[file] = make_path(context, comp_dir, tables, &tables->files[file]);
    return tables->paths[file];
}

// -- the program
// -----------------------------------------------------------------------------------

struct machine {
    struct sym_unit_storage *storage;
    const struct dw_context *context;
    struct dw_line_tables *tables;
    struct sym_cursor cursor;
    uint64_t mask;     // of addresses
    uint64_t constant; // what DW_LNS_const_add_pc adds
    struct sym_row row;
    uint32_t operation; // of a long instruction word
    size_t first;       // row of the sequence
    bool unsorted;      // its addresses have gone backwards
    bool full;          // no memory
};

static void begin_sequence(struct machine *machine)
{
    machine->row = (struct sym_row){.file = 1, .line = 1};
    machine->operation = 0;
    machine->first = machine->storage->row_count;
    machine->unsorted = false;
}

static bool same_line(const struct sym_row *a, const struct sym_row *b)
{
    return a->line == b->line && a->file == b->file && a->column == b->column &&
           a->discriminator == b->discriminator;
}

static inline void add_row(struct machine *machine)
{
    struct sym_unit_storage *storage = machine->storage;
    size_t count = storage->row_count;
    if (count > machine->first && !machine->unsorted) {
        const struct sym_row *last = &storage->rows[count - 1];
        if (last->address == machine->row.address)
            count--; // nothing lies at that row
        else if (last->address > machine->row.address)
            machine->unsorted = true;
        if (count > machine->first && !machine->unsorted &&
            same_line(&storage->rows[count - 1], &machine->row)) {
            storage->row_count = count;
            return;
        }
    }
    if (count >= SYM_NONE || !DW_GROW(storage->rows, storage->row_capacity, count)) {
        machine->full = true;
        return;
    }
    storage->rows[count] = machine->row;
    storage->row_count = count + 1;
}

struct order {
    uint64_t address;
    size_t index;
};

static int by_address(const void *left, const void *right)
{
    const struct order *a = left, *b = right;
    if (a->address != b->address)
        return a->address < b->address ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

// A sequence whose addresses go backwards is no proper one; what it says counts all the same, the
// later of two rows of one address.
static bool sort_sequence(struct machine *machine)
{
    struct sym_unit_storage *storage = machine->storage;
    struct sym_row *rows = storage->rows + machine->first;
    size_t count = storage->row_count - machine->first, kept = 0;
    struct order *order = malloc(count * sizeof(*order));
    struct sym_row *copy = malloc(count * sizeof(*copy));
    if (order && copy) {
        memcpy(copy, rows, count * sizeof(*copy));
        for (size_t i = 0; i < count; i++)
            order[i] = (struct order){rows[i].address, i};
        qsort(order, count, sizeof(*order), by_address);
        for (size_t i = 0; i < count; i++) {
            const struct sym_row *row = &copy[order[i].index];
            if (kept > 0 && rows[kept - 1].address == row->address)
                kept--;
            if (kept == 0 || !same_line(&rows[kept - 1], row))
                rows[kept++] = *row;
        }
        storage->row_count = machine->first + kept;
    }
    bool room = order && copy;
    free(order);
    free(copy);
    return room;
}

static void end_sequence(struct machine *machine)
{
    struct sym_unit_storage *storage = machine->storage;
    uint64_t high = machine->row.address;
    if (machine->unsorted && !sort_sequence(machine))
        machine->full = true;
    while (storage->row_count > machine->first &&
           storage->rows[storage->row_count - 1].address >= high)
        storage->row_count--;
    size_t count = storage->row_count - machine->first;
    if (count > 0) {
        uint64_t low = storage->rows[machine->first].address;
        if (!sym_elf_is_code(machine->context->dwarf->elf, low)) {
            storage->row_count = machine->first;
        } else if (!DW_GROW(storage->sequences, storage->sequence_capacity,
                            storage->sequence_count)) {
            machine->full = true;
        } else {
            storage->sequences[storage->sequence_count++] =
                (struct sym_sequence){low, high, (uint32_t)machine->first, (uint32_t)count};
        }
    }
    begin_sequence(machine);
}

static void advance(struct machine *machine, uint64_t operations)
{
    const struct dw_line_tables *tables = machine->tables;
    if (__builtin_expect(tables->most_operations > 1, 0)) {
        uint64_t total = machine->operation + operations;
        machine->operation = (uint32_t)(total % tables->most_operations);
        operations = total / tables->most_operations;
    }
    machine->row.address =
        (machine->row.address + operations * tables->minimum_instruction) & machine->mask;
}

static uint32_t clamp(uint64_t number)
{
    return number < UINT32_MAX ? (uint32_t)number : UINT32_MAX;
}

static void run_extended(struct machine *machine)
{
    struct sym_cursor *cursor = &machine->cursor;
    uint64_t bytes = sym_read_uleb(cursor);
    if (bytes == 0 || !sym_cursor_has(cursor, bytes))
        return;
    struct sym_cursor operand = *cursor;
    operand.end = operand.at + bytes;
    cursor->at += bytes;
    switch (sym_read_u8(&operand)) {
    case DW_LNE_end_sequence:
        end_sequence(machine);
        break;
    case DW_LNE_set_address:
        machine->row.address =
            sym_read_unsigned(&operand, (unsigned)sym_cursor_left(&operand)) & machine->mask;
        machine->operation = 0;
        break;
    case DW_LNE_define_file:
        if (!read_old_file(machine->tables, &operand, sym_read_string(&operand)))
            machine->full = true;
        break;
    case DW_LNE_set_discriminator:
        machine->row.discriminator = clamp(sym_read_uleb(&operand));
        break;
    default:
        break;
    }
    if (operand.failed)
        sym_cursor_fail(cursor);
}

static void run_standard(struct machine *machine, uint8_t opcode)
{
    struct sym_cursor *cursor = &machine->cursor;
    switch (opcode) {
    case DW_LNS_copy:
        add_row(machine);
        machine->row.discriminator = 0;
        break;
    case DW_LNS_advance_pc:
        advance(machine, sym_read_uleb(cursor));
        break;
    case DW_LNS_advance_line:
        machine->row.line += (uint32_t)sym_read_sleb(cursor);
        break;
    case DW_LNS_set_file:
        machine->row.file = clamp(sym_read_uleb(cursor));
        break;
    case DW_LNS_set_column:
        machine->row.column = clamp(sym_read_uleb(cursor));
        break;
    case DW_LNS_const_add_pc:
        advance(machine, machine->constant);
        break;
    case DW_LNS_fixed_advance_pc:
        machine->row.address = (machine->row.address + sym_read_u16(cursor)) & machine->mask;
        machine->operation = 0;
        break;
    default: // of no interest here, or not known: its operands are numbers
        for (unsigned i = 0; i < machine->tables->opcode_operands[opcode]; i++)
            sym_read_uleb(cursor);
        break;
    }
}

static void run(struct machine *machine)
{
    struct sym_cursor *cursor = &machine->cursor;
    uint8_t base = machine->tables->opcode_base, range = machine->tables->line_range;
    int8_t line_base = machine->tables->line_base;
    // Special opcodes are by far the most frequent: the division is done beforehand.
    uint8_t operations[256], lines[256];
    for (unsigned i = base; i < 256; i++) {
        operations[i] = (uint8_t)((i - base) / range);
        lines[i] = (uint8_t)((i - base) % range);
    }
    machine->constant = base ? (255u - base) / range : 0;
    begin_sequence(machine);
    while (cursor->at < cursor->end && !machine->full) {
        uint8_t opcode = *cursor->at++;
        if (__builtin_expect(opcode >= base, 1)) {
            advance(machine, operations[opcode]);
            machine->row.line += (uint32_t)(line_base + lines[opcode]);
            add_row(machine);
            machine->row.discriminator = 0;
        } else if (opcode == 0) {
            run_extended(machine);
        } else {
            run_standard(machine, opcode);
        }
    }
}

struct error *dw_lines_read(struct sym_unit_storage *storage, const struct dw_context *context)
{
    struct dw_line_tables *tables = &storage->lines;
    unsigned bytes = tables->address_bytes;
    struct machine machine = {
        .storage = storage,
        .context = context,
        .tables = tables,
        .cursor = sym_cursor_over(tables->file->sections[DW_LINE], tables->file->elf->swap),
        .mask = bytes >= 8 || bytes == 0 ? UINT64_MAX : (UINT64_C(1) << 8 * bytes) - 1,
    };
    machine.cursor.end = machine.cursor.base + tables->end;
    sym_cursor_seek(&machine.cursor, tables->program);
    run(&machine);
    if (machine.full)
        return dw_no_memory(tables->file);
    if (machine.cursor.failed)
        return dw_damaged(tables->file, DW_LINE, sym_cursor_offset(&machine.cursor),
                          "a line program that is cut short");
    // Rows behind the last end of a sequence are of none.
    storage->row_count = machine.first;
    return NULL;
}
