// SPDX-License-Identifier: MIT
// What the parts of the scanner (dwarf_*.c) share; nobody else includes it.
//
// The parts stand on each other in this order: dwarf_form.c reads values, dwarf_abbrev.c the
// declarations of what values an entry has, dwarf_entry.c single entries, wherever they are, with
// the names they lead to, dwarf_lists.c lists of ranges and of places, dwarf_scopes.c walks a
// unit's entries, dwarf_line.c runs its line program, dwarf_split.c finds the other half of a split
// unit, dwarf_types.c units of types by their signatures, dwarf_at.c the units of an address,
// dwarf_file.c opens files and finds their units, and dwarf.c puts units together. debug.c and
// die.c read types and variables by the same parts.
#pragma once

#include <pthread.h>

#include "symbolizer/cursor.h"
#include "symbolizer/dwarf.h"
#include "symbolizer/dwarf_numbers.h"

enum dw_section {
    DW_INFO,
    DW_ABBREV,
    DW_LINE,
    DW_STR,
    DW_LINE_STR,
    DW_STR_OFFSETS,
    DW_ADDR,
    DW_RANGES,
    DW_RNGLISTS,
    DW_ARANGES,
    DW_SCANNED, // those above are all that functions and lines need
    DW_LOC = DW_SCANNED,
    DW_LOCLISTS,
    DW_TYPES,
    DW_SECTIONS,
};

// How a unit's entries are written. `offset`, `entries` and `end` are offsets in .debug_info: of
// the header, of the first entry and of what follows the unit.
struct dw_header {
    uint64_t offset, entries, end;
    uint64_t abbrev_offset;
    uint64_t id;          // of a skeleton or split unit, in DWARF 5; a type unit's signature
    uint64_t type_offset; // of a type unit's type, from `offset` on
    uint16_t version;
    uint8_t type; // DW_UT_; up to DWARF 4 DW_UT_compile or DW_UT_type
    uint8_t address_bytes;
    uint8_t offset_bytes; // 4 or 8: 32- or 64-bit DWARF
};

// One set of sections: the file's own, a .dwo's, one unit's share of a .dwp, or the file that dwz
// moved common entries to.
struct dw_file {
    struct sym_elf *elf;
    struct sym_bytes sections[DW_SECTIONS];
    struct dw_header *headers; // by offset
    size_t header_count;
    struct dw_file *alternate; // .gnu_debugaltlink's; NULL: none
    bool split;                // .dwo names and rules
    bool whole;                // with the sections that only variables and types need
    // A file with whole: its .debug_types as sections[DW_INFO] of a file of their own, or NULL.
    struct dw_file *types;
    bool is_types;          // it is such a file
    uint8_t *joined;        // of several sections of one name, as a .dwo has them
    uint32_t *by_signature; // numbers of the headers of type units
    size_t signature_count;
};

struct dw_attribute_row {
    uint16_t name, form; // those that do not fit are unknown to everybody: UINT16_MAX
    int64_t constant;    // of DW_FORM_implicit_const
};

// How to get past an attribute whose size is not fixed, and then past `fixed` bytes more.
struct dw_step {
    uint8_t way; // enum dw_way
    uint32_t fixed;
};

enum dw_way {
    DW_WAY_FIXED,
    DW_WAY_LEB,
    DW_WAY_STRING,
    DW_WAY_BLOCK1,
    DW_WAY_BLOCK2,
    DW_WAY_BLOCK4,
    DW_WAY_BLOCK,
    DW_WAY_INDIRECT,
    DW_WAY_UNKNOWN,
};

// The length that a block begins with; a value of another kind fails the cursor.
static inline uint64_t dw_read_block_size(struct sym_cursor *cursor, enum dw_way way)
{
    switch (way) {
    case DW_WAY_BLOCK1:
        return sym_read_u8(cursor);
    case DW_WAY_BLOCK2:
        return sym_read_u16(cursor);
    case DW_WAY_BLOCK4:
        return sym_read_u32(cursor);
    case DW_WAY_BLOCK:
        return sym_read_uleb(cursor);
    default:
        sym_cursor_fail(cursor);
        return 0;
    }
}

// What the walk over a unit does with entries of a tag.
enum dw_action {
    DW_PASS,  // past it and past its children, if it says where its sibling is
    DW_TYPE,  // the same in C; elsewhere functions may stand in types
    DW_ENTER, // on with its children
    DW_SUBPROGRAM,
    DW_INLINED,
};

struct dw_abbrev {
    uint64_t code;
    uint32_t tag;
    uint8_t action;
    bool children;
    uint8_t sibling_bytes; // 0: no DW_AT_sibling that can be read directly
    uint32_t sibling_at;   // behind the entry's code
    uint32_t fixed;        // the bytes before the first step
    uint32_t first_step, step_count;
    uint32_t first_attribute, attribute_count;
};

struct dw_abbrevs {
    const struct dw_file *file;
    uint64_t offset;
    uint16_t version;
    uint8_t address_bytes, offset_bytes;
    bool filled;
    bool root_only; // set before reading: nothing but a unit's first entry will be asked for
    bool direct;    // by code: rows[code - 1]
    struct dw_abbrev *rows;
    size_t count, capacity;
    struct dw_attribute_row *attributes;
    size_t attribute_count, attribute_capacity;
    struct dw_step *steps;
    size_t step_count, step_capacity;
};

enum dw_class {
    DW_NOTHING,
    DW_CONSTANT, // also flags, and section offsets before DWARF 4
    DW_STRING,
    DW_STRING_INDEX,
    DW_ADDRESS,
    DW_ADDRESS_INDEX,
    DW_REFERENCE,           // an offset in .debug_info of the same file
    DW_REFERENCE_ALTERNATE, // the same in the alternate file
    DW_SECTION_OFFSET,
    DW_LIST_INDEX,
    DW_BLOCK, // `number` bytes at `string`; also expressions and numbers of 16 bytes
    DW_SIGNATURE,
    DW_OTHER, // unknown to everybody, or damaged
};

struct dw_value {
    enum dw_class class;
    uint64_t number;
    const char *string;
};

// What is needed to understand a unit's values.
struct dw_context {
    struct sym_dwarf *dwarf;
    const struct dw_file *file;
    const struct dw_header *header;
    struct dw_abbrevs *abbrevs;
    // From the root entry, or for a split unit in part from its skeleton's.
    const struct dw_file *address_file; // whose .debug_addr indexes are of
    uint64_t address_base, string_base, rnglists_base, loclists_base, ranges_base;
    uint64_t low; // what lists are relative to
    // Entries of lists that may still be read for this unit. Lists are used once or twice;
    // a file in which all entries share one long list is made to keep this busy.
    uint64_t *budget;
};

struct dw_root {
    const char *name, *comp_dir, *dwo_name;
    struct dw_value low, high, ranges;
    uint64_t line_offset, id;
    bool has_lines;
    uint32_t language;
    uint32_t tag;
};

struct dw_file_row {
    const char *name;
    uint64_t folder;
};

// The tables of a line program's header.
struct dw_line_tables {
    const struct dw_file *file;
    uint64_t offset; // in .debug_line
    bool filled;
    uint16_t version;
    uint8_t address_bytes, offset_bytes;
    uint8_t minimum_instruction, most_operations, opcode_base, line_range;
    int8_t line_base;
    uint64_t program, end;
    uint8_t opcode_operands[256];
    const char **folders;
    size_t folder_count, folder_capacity;
    struct dw_file_row *files;
    size_t file_count, file_capacity;
    const char **paths; // by file, made when first asked for
    size_t path_capacity;
};

enum {
    DW_FOREIGN_CACHE = 64,
    DW_FOREIGN_FILE = 1 << 30, // file numbers from here on are in `foreign_files`
    DW_ORIGINS_MOST = 16,      // specifications and origins followed from one entry
    DW_DEPTH_MOST = 1 << 16,
};

// Another unit that entries of this one refer to.
struct dw_foreign {
    struct dw_context context;
    struct dw_abbrevs abbrevs;
    struct dw_line_tables lines;
    struct dw_root root;
    bool filled;
};

struct dw_slot {
    uint32_t turn, function;
};

struct sym_unit_storage {
    struct dw_context context; // of the unit's entries
    struct dw_abbrevs abbrevs; // the skeleton's, or the unit's when it is not split
    struct dw_abbrevs split_abbrevs;
    struct dw_context line_context; // the skeleton's, or the same as `context`
    struct dw_root root;            // the skeleton's, or the unit's when it is not split
    uint64_t budget;
    struct dw_line_tables lines;
    struct dw_foreign *foreign; // DW_FOREIGN_CACHE of them, made when first needed
    // Rows of other units' tables that may still be read for this unit: references that jump
    // between units for ever are there to keep this busy.
    uint64_t foreign_budget;

    struct sym_range *ranges;
    size_t range_count, range_capacity;
    struct sym_function *functions;
    size_t function_count, function_capacity;
    struct sym_scope *scopes;
    size_t scope_count, scope_capacity;
    struct sym_range *scope_ranges;
    size_t scope_range_count, scope_range_capacity;
    struct sym_row *rows;
    size_t row_count, row_capacity;
    struct sym_sequence *sequences;
    size_t sequence_count, sequence_capacity;
    const char **foreign_files;
    size_t foreign_file_count, foreign_file_capacity;

    uint32_t *parents; // by depth, while walking
    size_t parent_capacity;
    // Functions by the entry that names them: open addressing over numbers in `functions`. A slot
    // of another turn than `turn` is free, so that nothing is to be cleared between units.
    struct dw_slot *by_entry;
    size_t by_entry_size;
    uint32_t turn;
};

struct dw_strings;

struct dw_split { // of a skeleton: its .dwo, or its share of the .dwp
    bool searched;
    struct dw_file *file;           // NULL: not found
    const struct dw_header *header; // in `file`
    struct sym_elf *elf;            // to be closed with it; NULL: the .dwp's
};

struct dw_share { // one unit's share of a .dwp, as a file of its own
    struct dw_share *next;
    uint64_t id;
    struct dw_file *file;           // NULL: the package has none
    const struct dw_header *header; // in `file`
};

struct dw_package { // a .dwp
    struct dw_file file;
    struct sym_bytes index, type_index; // .debug_cu_index, .debug_tu_index
    struct dw_share *shares;            // of units of types, as far as they were asked for
};

struct dw_place { // where a unit has code, for dwarf_at.c
    struct sym_range range;
    uint32_t unit;
};

struct dw_places {
    struct dw_place *rows; // by low
    uint64_t *reach;       // the highest `high` up to that row
    size_t count, capacity;
};

struct sym_dwarf {
    struct sym_elf *elf;
    bool whole; // files are opened with what variables and types need
    struct dw_file file;
    uint32_t *units; // numbers of headers
    size_t unit_count;

    pthread_mutex_t lock; // of what follows: units are read by several threads
    struct dw_strings *strings;
    struct dw_split *splits;    // by unit, when there are any
    struct dw_package *package; // NULL: there is none
    bool package_searched;

    // The tables of dwarf_at.c.
    bool aranges_read, roots_read;
    struct dw_places aranges, roots;
    struct error *roots_error; // the first of those of units that could not be read
    bool *named;               // by unit: .debug_aranges has it
};

// The error "FILE: SECTION: offset N: WHAT".
struct error *dw_damaged(const struct dw_file *file, enum dw_section section, uint64_t offset,
                         const char *what);
const char *dw_section_name(enum dw_section section);

// Makes room for one more row in an array that starts as NULL; false: no memory.
bool dw_grow(void **rows, size_t *capacity, size_t count, size_t row_bytes);
#define DW_GROW(array, capacity, count)                                                            \
    (__builtin_expect((count) < (capacity), 1) ||                                                  \
     dw_grow((void **)&(array), &(capacity), count, sizeof(*(array))))
struct error *dw_no_memory(const struct dw_file *file);

// The string kept for these bytes, the same for equal ones; NULL: no memory. Takes the lock.
const char *dw_intern(struct sym_dwarf *dwarf, const char *string, size_t length);

// dwarf_form.c
enum dw_way dw_form_way(unsigned form, unsigned version, unsigned address_bytes,
                        unsigned offset_bytes, unsigned *fixed);
bool dw_read_value(const struct dw_file *file, const struct dw_header *header,
                   struct sym_cursor *cursor, unsigned form, int64_t constant,
                   struct dw_value *value);
const char *dw_string(const struct dw_context *context, const struct dw_value *value);
bool dw_address(const struct dw_context *context, const struct dw_value *value, uint64_t *address);
bool dw_address_at(const struct dw_context *context, uint64_t index, uint64_t *address);
const char *dw_string_at(const struct dw_file *file, enum dw_section section, uint64_t offset);
// An element of a table that begins at `base`; false: it lies outside of the section.
bool dw_table_entry(const struct dw_file *file, enum dw_section section, uint64_t base,
                    uint64_t index, unsigned bytes, uint64_t *value);

// dwarf_abbrev.c
struct error *dw_abbrevs_read(const struct dw_file *file, const struct dw_header *header,
                              struct dw_abbrevs *abbrevs);
void dw_abbrevs_deinit(struct dw_abbrevs *abbrevs);
const struct dw_abbrev *dw_abbrev_find(const struct dw_abbrevs *abbrevs, uint64_t code);
// Past an entry's attributes; NULL: the entry does not fit or has a form nobody knows.
const uint8_t *dw_abbrev_skip(const struct dw_abbrevs *abbrevs, const struct dw_abbrev *abbrev,
                              const uint8_t *at, const uint8_t *end, bool swap);

// dwarf_entry.c
// Fills context and root from a unit's first entry. `skeleton`: where a split unit takes its bases
// from, or NULL.
struct error *dw_root_read(struct sym_dwarf *dwarf, const struct dw_file *file,
                           const struct dw_header *header, struct dw_abbrevs *abbrevs,
                           const struct dw_context *skeleton, struct dw_context *context,
                           struct dw_root *root);
uint64_t dw_foreign_budget(const struct dw_file *file);
void dw_foreign_deinit(struct sym_unit_storage *storage);
// The first attribute of the entry at an offset; false: there is no entry. Then one
// dw_read_value() for each row of its abbreviation.
bool dw_entry_begin(const struct dw_context *context, uint64_t offset, struct sym_cursor *cursor,
                    const struct dw_abbrev **abbrev);
const struct dw_header *dw_header_at(const struct dw_file *file, uint64_t offset);
// The number in storage->functions of the function that the entry there names.
struct error *dw_function_find(struct sym_unit_storage *storage, const struct dw_context *context,
                               uint64_t entry, uint32_t *function);

// dwarf_lists.c
// How many rows of lists one unit, or one question about a unit, may read.
uint64_t dw_list_budget(const struct dw_file *file, const struct dw_header *header);
// Appends the ranges that low, high and ranges give to an array of ranges.
struct error *dw_ranges_add(const struct dw_context *context, const struct dw_value *low,
                            const struct dw_value *high, const struct dw_value *ranges,
                            struct sym_range **array, size_t *count, size_t *capacity);
// The expression of a place (DWARF 5, section 2.6) that holds at an address: the value itself, or
// the row of the list it leads to. False: there is none.
bool dw_location_find(const struct dw_context *context, const struct dw_value *value,
                      uint64_t address, struct sym_bytes *expression);

// dwarf_types.c
// The unit of the type with a signature, for a reference from `file`; *header NULL: it is not
// there.
struct error *dw_type_find(struct sym_dwarf *dwarf, const struct dw_file *file, uint64_t signature,
                           const struct dw_file **in, const struct dw_header **header);
// The same in one file alone.
const struct dw_header *dw_type_in(const struct dw_file *file, uint64_t signature);
// Fills by_signature.
struct error *dw_types_sort(struct dw_file *file);

// dwarf_scopes.c
struct error *dw_scopes_read(struct sym_unit_storage *storage, const struct dw_root *root);

// dwarf_line.c
struct error *dw_line_tables_read(const struct dw_context *context, const struct dw_root *root,
                                  struct dw_line_tables *tables);
struct error *dw_lines_read(struct sym_unit_storage *storage, const struct dw_context *context);
const char *dw_line_path(const struct dw_context *context, const char *comp_dir,
                         struct dw_line_tables *tables, uint32_t file);
void dw_line_tables_deinit(struct dw_line_tables *tables);

// dwarf_split.c
// The other half of a skeleton; *file NULL: it is not to be found.
struct error *dw_split_find(struct sym_dwarf *dwarf, size_t unit, const struct dw_root *root,
                            const struct dw_file **file, const struct dw_header **header);
// The same for a type's unit in a package, where `file` is a unit's share of one.
struct error *dw_package_type(struct sym_dwarf *dwarf, const struct dw_file *file,
                              uint64_t signature, const struct dw_file **in,
                              const struct dw_header **header);
void dw_splits_close(struct sym_dwarf *dwarf);

// dwarf_file.c
struct error *dw_file_open(struct sym_elf *elf, bool split, bool whole, struct dw_file *file);
struct error *dw_headers_read(struct dw_file *file);
// The file that .gnu_debugaltlink names, if any and if it is there.
struct error *dw_alternate_open(struct dw_file *file);
void dw_file_deinit(struct dw_file *file);

// dwarf.c
// sym_dwarf_open() with what variables and types need.
struct error *dw_open_whole(struct sym_elf *elf, struct sym_dwarf **out);

// dwarf_at.c
void dw_places_deinit(struct dw_places *places);
