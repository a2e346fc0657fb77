// SPDX-License-Identifier: MIT
// See debug.h. Everything libdwarf says is taken as hearsay: a call that fails means that the
// attribute is not there.
#include "symbolizer/debug.h"

#include <stdlib.h>
#include <string.h>

enum {
    ORIGINS_MOST = 8,       // of an inlined copy of a copy
    CHILDREN_MOST = 100000, // a list that goes in a circle is as long
};

// Sections libdwarf may see: what it needs for our questions, so that no other is decompressed.
// .debug_rnglists is not among them: libdwarf 20210528 frees what it has not allocated when the
// head of a list is damaged, so those lists are read here.
static const char *const section_names[] = {
    ".debug_info",        ".debug_types", ".debug_abbrev", ".debug_str", ".debug_line_str",
    ".debug_str_offsets", ".debug_addr",  ".debug_ranges", ".debug_loc", ".debug_loclists",
};

#define SECTION_COUNT (sizeof(section_names) / sizeof(*section_names))

struct sym_debug_private {
    struct section { // number 0 is ELF's null section
        const char *name;
        uint64_t address;
        struct sym_bytes contents;
    } sections[SECTION_COUNT + 1];
    size_t section_count;
    struct sym_bytes range_lists; // .debug_rnglists
    struct sym_symbols symbols;
    bool symbols_read;
    struct sym_unit unit; // the last one read for a chain
    bool unit_read;
    Dwarf_Obj_Access_Methods methods;
    Dwarf_Obj_Access_Interface interface;
};

// -- what libdwarf asks ---------------------------------------------------------------------------

static int get_section_info(void *object, Dwarf_Half index, Dwarf_Obj_Access_Section *out,
                            int *error)
{
    const struct sym_debug_private *own = ((const struct sym_debug *)object)->private_;
    (void)error;
    if (index >= own->section_count)
        return DW_DLV_NO_ENTRY;
    *out = (Dwarf_Obj_Access_Section){
        .addr = own->sections[index].address,
        .type = index ? 1 : 0, // SHT_PROGBITS
        .size = own->sections[index].contents.size,
        .name = own->sections[index].name,
    };
    return DW_DLV_OK;
}

static Dwarf_Endianness get_byte_order(void *object)
{
    const struct sym_debug *debug = object;
    return debug->elf->big_endian ? DW_OBJECT_MSB : DW_OBJECT_LSB;
}

static Dwarf_Small get_word_bytes(void *object)
{
    const struct sym_debug *debug = object;
    return debug->elf->wide ? 8 : 4;
}

static Dwarf_Unsigned get_section_count(void *object)
{
    return ((const struct sym_debug *)object)->private_->section_count;
}

static int load_section(void *object, Dwarf_Half index, Dwarf_Small **out, int *error)
{
    const struct sym_debug_private *own = ((const struct sym_debug *)object)->private_;
    (void)error;
    if (index == 0 || index >= own->section_count)
        return DW_DLV_NO_ENTRY;
    *out = (Dwarf_Small *)own->sections[index].contents.data; // libdwarf only reads
    return DW_DLV_OK;
}

// -- opening --------------------------------------------------------------------------------------

// Those that are there and hold something.
static struct error *find_sections(struct sym_debug *debug)
{
    struct sym_debug_private *own = debug->private_;
    own->sections[0].name = "";
    own->section_count = 1;
    for (size_t i = 0; i < SECTION_COUNT; i++) {
        struct section *section = &own->sections[own->section_count];
        unsigned number = sym_elf_section_named(debug->elf, section_names[i]);
        struct error *error =
            sym_elf_contents_named(debug->elf, section_names[i], &section->contents);
        if (error)
            return error;
        section->name = section_names[i];
        section->address =
            number && !debug->elf->relocatable ? debug->elf->sections[number].address : 0;
        own->section_count += section->contents.size > 0;
    }
    return sym_elf_contents_named(debug->elf, ".debug_rnglists", &own->range_lists);
}

static struct error *open_libdwarf(struct sym_debug *debug)
{
    struct sym_debug_private *own = debug->private_;
    struct error *failed = find_sections(debug);
    if (failed)
        return failed;
    own->methods = (Dwarf_Obj_Access_Methods){
        .get_section_info = get_section_info,
        .get_byte_order = get_byte_order,
        .get_length_size = get_word_bytes,
        .get_pointer_size = get_word_bytes,
        .get_section_count = get_section_count,
        .load_section = load_section,
    };
    own->interface = (Dwarf_Obj_Access_Interface){.object = debug, .methods = &own->methods};
    Dwarf_Error error = NULL;
    int result =
        dwarf_object_init_b(&own->interface, NULL, NULL, DW_GROUPNUMBER_ANY, &debug->dbg, &error);
    if (result == DW_DLV_ERROR) {
        struct error *said =
            error_make(EXIT_FAILED, "%s: libdwarf: %s", debug->elf->path, dwarf_errmsg(error));
        dwarf_dealloc_error(NULL, error);
        debug->dbg = NULL;
        return said;
    }
    if (result != DW_DLV_OK)
        debug->dbg = NULL;
    return NULL;
}

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
    struct error *error = open_libdwarf(debug);
    if (!error)
        error = sym_dwarf_open(elf, &debug->units);
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
    if (debug->dbg)
        dwarf_object_finish(debug->dbg, NULL);
    if (debug->units)
        sym_dwarf_close(debug->units);
    sym_symbols_deinit(&debug->private_->symbols);
    sym_unit_deinit(&debug->private_->unit);
    free(debug->private_);
    free(debug);
}

const struct sym_symbol_row *sym_debug_symbol(struct sym_debug *debug, uint64_t address)
{
    struct sym_debug_private *own = debug->private_;
    if (!own->symbols_read)
        error_free(sym_symbols_load(&own->symbols, debug->elf)); // a pointer without a name will do
    own->symbols_read = true;
    return sym_symbols_at(&own->symbols, debug->elf, address);
}

// -- attributes -----------------------------------------------------------------------------------

void sym_debug_forget(struct sym_debug *debug, Dwarf_Error error)
{
    if (error)
        dwarf_dealloc_error(debug->dbg, error);
}

static Dwarf_Attribute own_attribute(struct sym_debug *debug, Dwarf_Die die, Dwarf_Half name)
{
    Dwarf_Attribute attribute = NULL;
    Dwarf_Error error = NULL;
    int result = dwarf_attr(die, name, &attribute, &error);
    if (result == DW_DLV_ERROR)
        sym_debug_forget(debug, error);
    return result == DW_DLV_OK ? attribute : NULL;
}

static Dwarf_Die own_reference(struct sym_debug *debug, Dwarf_Die die, Dwarf_Half name)
{
    Dwarf_Attribute attribute = own_attribute(debug, die, name);
    Dwarf_Off offset = 0;
    Dwarf_Die target = NULL;
    Dwarf_Error error = NULL;
    if (!attribute)
        return NULL;
    // A type unit's type, which is found by its signature, is the one kind that is not an offset.
    int result = dwarf_global_formref(attribute, &offset, &error);
    if (result == DW_DLV_OK)
        result =
            dwarf_offdie_b(debug->dbg, offset, dwarf_get_die_infotypes_flag(die), &target, &error);
    if (result == DW_DLV_ERROR)
        sym_debug_forget(debug, error);
    dwarf_dealloc_attribute(attribute);
    return result == DW_DLV_OK ? target : NULL;
}

// The entry this one is a copy of, or completes.
static Dwarf_Die origin_of(struct sym_debug *debug, Dwarf_Die die)
{
    Dwarf_Die origin = own_reference(debug, die, DW_AT_abstract_origin);
    return origin ? origin : own_reference(debug, die, DW_AT_specification);
}

Dwarf_Attribute sym_debug_attribute(struct sym_debug *debug, Dwarf_Die die, Dwarf_Half name)
{
    Dwarf_Attribute attribute = own_attribute(debug, die, name);
    Dwarf_Die at = NULL;
    for (int i = 0; i < ORIGINS_MOST && !attribute; i++) {
        Dwarf_Die origin = origin_of(debug, at ? at : die);
        if (at)
            dwarf_dealloc_die(at);
        at = origin;
        if (!at)
            break;
        attribute = own_attribute(debug, at, name);
    }
    // An attribute points to its entry, which then stays until the end.
    if (at && !attribute)
        dwarf_dealloc_die(at);
    return attribute;
}

Dwarf_Die sym_debug_reference(struct sym_debug *debug, Dwarf_Die die, Dwarf_Half name)
{
    Dwarf_Die target = own_reference(debug, die, name), at = NULL;
    for (int i = 0; i < ORIGINS_MOST && !target; i++) {
        Dwarf_Die origin = origin_of(debug, at ? at : die);
        if (at)
            dwarf_dealloc_die(at);
        at = origin;
        if (!at)
            break;
        target = own_reference(debug, at, name);
    }
    if (at)
        dwarf_dealloc_die(at);
    return target;
}

const char *sym_debug_name(struct sym_debug *debug, Dwarf_Die die)
{
    Dwarf_Attribute attribute = sym_debug_attribute(debug, die, DW_AT_name);
    char *name = NULL;
    Dwarf_Error error = NULL;
    if (!attribute)
        return NULL;
    int result = dwarf_formstring(attribute, &name, &error);
    if (result == DW_DLV_ERROR)
        sym_debug_forget(debug, error);
    dwarf_dealloc_attribute(attribute);
    return result == DW_DLV_OK ? name : NULL;
}

bool sym_debug_unsigned(struct sym_debug *debug, Dwarf_Die die, Dwarf_Half name, uint64_t *value)
{
    Dwarf_Attribute attribute = sym_debug_attribute(debug, die, name);
    Dwarf_Unsigned number = 0;
    Dwarf_Signed negative = 0;
    Dwarf_Error error = NULL;
    if (!attribute)
        return false;
    int result = dwarf_formudata(attribute, &number, &error);
    if (result == DW_DLV_ERROR) {
        sym_debug_forget(debug, error);
        error = NULL;
        result = dwarf_formsdata(attribute, &negative, &error); // DW_FORM_sdata below zero
        number = (Dwarf_Unsigned)negative;
    }
    if (result == DW_DLV_ERROR)
        sym_debug_forget(debug, error);
    dwarf_dealloc_attribute(attribute);
    *value = number;
    return result == DW_DLV_OK;
}

bool sym_debug_signed(struct sym_debug *debug, Dwarf_Die die, Dwarf_Half name, int64_t *value)
{
    Dwarf_Attribute attribute = sym_debug_attribute(debug, die, name);
    Dwarf_Signed number = 0;
    Dwarf_Error error = NULL;
    if (!attribute)
        return false;
    int result = dwarf_formsdata(attribute, &number, &error);
    if (result == DW_DLV_ERROR)
        sym_debug_forget(debug, error);
    dwarf_dealloc_attribute(attribute);
    *value = number;
    return result == DW_DLV_OK;
}

bool sym_debug_flag(struct sym_debug *debug, Dwarf_Die die, Dwarf_Half name)
{
    Dwarf_Attribute attribute = sym_debug_attribute(debug, die, name);
    Dwarf_Bool flag = false;
    Dwarf_Error error = NULL;
    if (!attribute)
        return false;
    if (dwarf_formflag(attribute, &flag, &error) == DW_DLV_ERROR)
        sym_debug_forget(debug, error);
    dwarf_dealloc_attribute(attribute);
    return flag;
}

Dwarf_Half sym_debug_tag(Dwarf_Die die)
{
    Dwarf_Half tag = 0;
    Dwarf_Error error = NULL;
    return dwarf_tag(die, &tag, &error) == DW_DLV_OK ? tag : 0;
}

uint64_t sym_debug_offset(Dwarf_Die die)
{
    Dwarf_Off offset = 0;
    Dwarf_Error error = NULL;
    return dwarf_dieoffset(die, &offset, &error) == DW_DLV_OK ? offset : 0;
}

void sym_debug_each_child(struct sym_debug *debug, Dwarf_Die die, sym_debug_fn *fn, void *argument)
{
    Dwarf_Die child = NULL;
    Dwarf_Error error = NULL;
    int result = dwarf_child(die, &child, &error);
    for (int i = 0; result == DW_DLV_OK; i++) {
        bool more = i < CHILDREN_MOST && fn(debug, child, argument);
        Dwarf_Die next = NULL;
        result = DW_DLV_NO_ENTRY;
        if (more)
            result = dwarf_siblingof_b(debug->dbg, child, dwarf_get_die_infotypes_flag(child),
                                       &next, &error);
        dwarf_dealloc_die(child);
        child = next;
    }
    if (result == DW_DLV_ERROR)
        sym_debug_forget(debug, error);
}

// -- ranges ---------------------------------------------------------------------------------------

bool sym_debug_number(struct sym_debug *debug, Dwarf_Attribute attribute, sym_debug_form_fn *form,
                      uint64_t *out)
{
    Dwarf_Unsigned number = 0;
    Dwarf_Error error = NULL;
    if (!attribute)
        return false;
    int result = form(attribute, &number, &error);
    if (result == DW_DLV_ERROR)
        sym_debug_forget(debug, error);
    dwarf_dealloc_attribute(attribute);
    *out = number;
    return result == DW_DLV_OK;
}

static bool read_address(struct sym_debug *debug, Dwarf_Die die, Dwarf_Half name, uint64_t *out)
{
    return sym_debug_number(debug, own_attribute(debug, die, name), dwarf_formaddr, out);
}

static bool covers_from_to(struct sym_debug *debug, Dwarf_Die die, uint64_t address, bool *known)
{
    uint64_t low, high;
    *known = read_address(debug, die, DW_AT_low_pc, &low);
    if (!*known)
        return false;
    if (!read_address(debug, die, DW_AT_high_pc, &high)) {
        if (!sym_debug_unsigned(debug, die, DW_AT_high_pc, &high))
            return false;
        high += low;
    }
    return address >= low && address < high;
}

static Dwarf_Die unit_of(struct sym_debug *debug, Dwarf_Die die)
{
    Dwarf_Off offset;
    Dwarf_Die unit = NULL;
    Dwarf_Error error = NULL;
    int result = dwarf_CU_dieoffset_given_die(die, &offset, &error);
    if (result == DW_DLV_OK)
        result =
            dwarf_offdie_b(debug->dbg, offset, dwarf_get_die_infotypes_flag(die), &unit, &error);
    if (result == DW_DLV_ERROR)
        sym_debug_forget(debug, error);
    return result == DW_DLV_OK ? unit : NULL;
}

// What the ranges of a unit's entries are relative to.
static uint64_t unit_base(struct sym_debug *debug, Dwarf_Die die)
{
    Dwarf_Die unit = unit_of(debug, die);
    uint64_t base = 0;
    if (unit) {
        read_address(debug, unit, DW_AT_low_pc, &base);
        dwarf_dealloc_die(unit);
    }
    return base;
}

// DWARF 4, section 2.17.3.
static bool covers_old_list(struct sym_debug *debug, Dwarf_Die die, Dwarf_Off offset,
                            uint64_t address)
{
    Dwarf_Ranges *ranges = NULL;
    Dwarf_Signed count = 0;
    Dwarf_Unsigned bytes = 0;
    Dwarf_Off real = 0;
    Dwarf_Error error = NULL;
    int result =
        dwarf_get_ranges_b(debug->dbg, offset, die, &real, &ranges, &count, &bytes, &error);
    if (result != DW_DLV_OK) {
        if (result == DW_DLV_ERROR)
            sym_debug_forget(debug, error);
        return false;
    }
    uint64_t base = unit_base(debug, die);
    bool covers = false;
    for (Dwarf_Signed i = 0; i < count && !covers; i++)
        if (ranges[i].dwr_type == DW_RANGES_ADDRESS_SELECTION)
            base = ranges[i].dwr_addr2;
        else if (ranges[i].dwr_type == DW_RANGES_ENTRY)
            covers = address >= base + ranges[i].dwr_addr1 && address < base + ranges[i].dwr_addr2;
    dwarf_ranges_dealloc(debug->dbg, ranges, count);
    return covers;
}

static bool read_offset(struct sym_debug *debug, Dwarf_Die die, Dwarf_Half name, uint64_t *out)
{
    return sym_debug_number(debug, own_attribute(debug, die, name), dwarf_global_formref, out);
}

static uint64_t address_at(struct sym_debug *debug, Dwarf_Die die, uint64_t index, bool *right)
{
    Dwarf_Addr address = 0;
    Dwarf_Error error = NULL;
    int result = dwarf_debug_addr_index_to_addr(die, index, &address, &error);
    if (result == DW_DLV_ERROR)
        sym_debug_forget(debug, error);
    *right &= result == DW_DLV_OK;
    return address;
}

// DWARF 5, section 7.25. An end of less than its beginning covers nothing.
static bool covers_list(struct sym_debug *debug, Dwarf_Die die, uint64_t offset, uint64_t address)
{
    const struct sym_elf *elf = debug->elf;
    unsigned bytes = elf->wide ? 8 : 4;
    struct sym_cursor cursor = sym_cursor_over(debug->private_->range_lists, elf->swap);
    uint64_t base = unit_base(debug, die), low, high;
    bool right = true;
    sym_cursor_seek(&cursor, offset);
    while (right && !cursor.failed) {
        uint8_t kind = sym_read_u8(&cursor);
        low = high = 0;
        switch (kind) {
        case DW_RLE_base_addressx:
            base = address_at(debug, die, sym_read_uleb(&cursor), &right);
            break;
        case DW_RLE_startx_endx:
            low = address_at(debug, die, sym_read_uleb(&cursor), &right);
            high = address_at(debug, die, sym_read_uleb(&cursor), &right);
            break;
        case DW_RLE_startx_length:
            low = address_at(debug, die, sym_read_uleb(&cursor), &right);
            high = low + sym_read_uleb(&cursor);
            break;
        case DW_RLE_offset_pair:
            low = base + sym_read_uleb(&cursor);
            high = base + sym_read_uleb(&cursor);
            break;
        case DW_RLE_base_address:
            base = sym_read_unsigned(&cursor, bytes);
            break;
        case DW_RLE_start_end:
            low = sym_read_unsigned(&cursor, bytes);
            high = sym_read_unsigned(&cursor, bytes);
            break;
        case DW_RLE_start_length:
            low = sym_read_unsigned(&cursor, bytes);
            high = low + sym_read_uleb(&cursor);
            break;
        default: // DW_RLE_end_of_list, and what is none
            return false;
        }
        if (right && !cursor.failed && address >= low && address < high)
            return true;
    }
    return false;
}

// DW_FORM_rnglistx: the unit's table of offsets tells where the list is.
static bool indexed_list(struct sym_debug *debug, Dwarf_Die die, uint64_t index, unsigned bytes,
                         uint64_t *offset)
{
    Dwarf_Die unit = unit_of(debug, die);
    uint64_t base = 0;
    bool right = unit && read_offset(debug, unit, DW_AT_rnglists_base, &base);
    if (unit)
        dwarf_dealloc_die(unit);
    struct sym_cursor cursor = sym_cursor_over(debug->private_->range_lists, debug->elf->swap);
    if (!right || index >= debug->private_->range_lists.size)
        return false;
    sym_cursor_seek(&cursor, base + index * bytes);
    *offset = base + sym_read_unsigned(&cursor, bytes);
    return !cursor.failed;
}

bool sym_debug_covers(struct sym_debug *debug, Dwarf_Die die, uint64_t address)
{
    Dwarf_Attribute attribute = own_attribute(debug, die, DW_AT_ranges);
    bool known;
    if (!attribute)
        return covers_from_to(debug, die, address, &known);
    Dwarf_Half form = 0, version = 0, offset_bytes = 4;
    uint64_t offset = 0, index = 0;
    Dwarf_Error error = NULL;
    dwarf_get_version_of_die(die, &version, &offset_bytes);
    if (dwarf_whatform(attribute, &form, &error) == DW_DLV_ERROR)
        sym_debug_forget(debug, error);
    dwarf_dealloc_attribute(attribute);
    bool found = form == DW_FORM_rnglistx
                     ? sym_debug_unsigned(debug, die, DW_AT_ranges, &index) &&
                           indexed_list(debug, die, index, offset_bytes, &offset)
                     : read_offset(debug, die, DW_AT_ranges, &offset);
    if (!found)
        return false;
    return version >= 5 ? covers_list(debug, die, offset, address)
                        : covers_old_list(debug, die, offset, address);
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
    struct sym_debug_private *own = search->debug->private_;
    if (!own->unit_read || own->unit.number != number)
        search->error = sym_unit_read(search->debug->units, number, SYM_UNIT_SCOPES, &own->unit);
    own->unit_read = !search->error;
    if (search->error)
        return false;
    uint32_t last = SYM_NONE;
    // Entries of a split unit are in a file that libdwarf was not given.
    size_t scopes = own->unit.split ? 0 : own->unit.scope_count;
    for (uint32_t i = 0; i < scopes && search->out->count < SYM_DEBUG_CHAIN_MOST; i++) {
        const struct sym_scope *scope = &own->unit.scopes[i];
        if (scope->parent != last || !scope_holds(&own->unit, scope, search->address))
            continue;
        search->out->dies[search->out->count++] = scope->die;
        last = i;
    }
    return search->out->count == 0;
}

struct error *sym_debug_chain_at(struct sym_debug *debug, uint64_t address,
                                 struct sym_debug_chain *out)
{
    struct chain_search search = {.debug = debug, .address = address, .out = out};
    out->count = 0;
    struct error *error = sym_dwarf_units_at(debug->units, address, find_chain, &search);
    if (error)
        error_free(search.error);
    return error ? error : search.error;
}

Dwarf_Die sym_debug_entry(struct sym_debug *debug, uint64_t offset)
{
    Dwarf_Die die = NULL;
    Dwarf_Error error = NULL;
    int result = dwarf_offdie_b(debug->dbg, offset, true, &die, &error);
    if (result == DW_DLV_ERROR)
        sym_debug_forget(debug, error);
    return result == DW_DLV_OK ? die : NULL;
}
