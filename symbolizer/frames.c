// SPDX-License-Identifier: MIT
// See frames.h.
#include "symbolizer/frames.h"

#include <stdlib.h>
#include <string.h>

enum {
    // Encodings of addresses in .eh_frame (LSB 5.0, 10.5.1).
    ENCODING_FORMAT = 0x0f,
    ENCODING_RELATIVE = 0x70,
    PC_RELATIVE = 0x10,
    INDIRECT = 0x80,
    OMITTED = 0xff,
};

// .debug_frame and .eh_frame: the same but for how an entry names its CIE, and for addresses.
struct frames {
    const struct sym_elf *elf;
    struct sym_bytes bytes;
    uint64_t address; // of the section
    bool eh;
};

struct entry {
    uint64_t offset, bytes; // with its length
    uint64_t id_offset;     // of the field behind the length
    uint64_t cie;           // the offset of an FDE's CIE
    bool wide;              // DWARF's 64-bit format
    bool is_cie;
    struct sym_cursor body; // behind the id
};

struct cie {
    struct entry entry;
    bool known, signal;
    uint8_t encoding; // of addresses, in .eh_frame
    uint64_t letters; // the offset of the augmentation
};

struct sym_frame_section {
    struct sym_bytes bytes;
    uint8_t *owned;
    uint64_t address;
    const struct sym_elf *elf;
    bool eh;
    Dwarf_Obj_Access_Methods methods;
    Dwarf_Obj_Access_Interface interface;
};

// -- looking for it -------------------------------------------------------------------------------

static bool read_entry(const struct frames *frames, uint64_t offset, struct entry *out)
{
    struct sym_cursor cursor = sym_cursor_over(frames->bytes, frames->elf->swap);
    sym_cursor_seek(&cursor, offset);
    uint64_t length = sym_read_u32(&cursor);
    *out = (struct entry){.offset = offset, .wide = length == UINT32_MAX};
    if (out->wide)
        length = sym_read_u64(&cursor);
    out->id_offset = sym_cursor_offset(&cursor);
    if (cursor.failed || length == 0 || length > sym_cursor_left(&cursor))
        return false; // 0 ends .eh_frame
    cursor.end = cursor.at + length;
    out->bytes = out->id_offset + length - offset;
    uint64_t id = out->wide && !frames->eh ? sym_read_u64(&cursor) : sym_read_u32(&cursor);
    out->is_cie = frames->eh ? id == 0 : id == (out->wide ? UINT64_MAX : UINT32_MAX);
    out->cie = frames->eh ? out->id_offset - id : id;
    out->body = cursor;
    return !cursor.failed;
}

static void skip_encoded(const struct frames *frames, struct sym_cursor *cursor, uint8_t encoding)
{
    static const uint8_t sizes[16] = {0, 0, 2, 4, 8, 0, 0, 0, 0, 0, 2, 4, 8};
    unsigned bytes = sizes[encoding & ENCODING_FORMAT];
    if ((encoding & ENCODING_FORMAT) == 1 || (encoding & ENCODING_FORMAT) == 9)
        sym_read_uleb(cursor);
    else
        sym_cursor_skip(cursor, bytes ? bytes : frames->elf->wide ? 8 : 4);
}

static bool read_cie(const struct frames *frames, uint64_t offset, struct cie *out)
{
    *out = (struct cie){.encoding = 0};
    if (!read_entry(frames, offset, &out->entry) || !out->entry.is_cie)
        return false;
    struct sym_cursor cursor = out->entry.body;
    uint8_t version = sym_read_u8(&cursor);
    out->letters = sym_cursor_offset(&cursor);
    const char *letters = sym_read_string(&cursor);
    if (version >= 4)
        sym_cursor_skip(&cursor, 2); // sizes of addresses and segments
    sym_read_uleb(&cursor);          // code alignment
    sym_read_sleb(&cursor);          // data alignment
    if (version == 1)
        sym_read_u8(&cursor); // return address column
    else
        sym_read_uleb(&cursor);
    for (; *letters && !cursor.failed; letters++)
        if (*letters == 'z')
            sym_read_uleb(&cursor);
        else if (*letters == 'R')
            out->encoding = sym_read_u8(&cursor);
        else if (*letters == 'P')
            skip_encoded(frames, &cursor, sym_read_u8(&cursor));
        else if (*letters == 'L')
            sym_read_u8(&cursor);
        else if (*letters == 'S')
            out->signal = true;
    out->known = !cursor.failed;
    return out->known;
}

static uint64_t read_number(const struct frames *frames, struct sym_cursor *cursor,
                            uint8_t encoding)
{
    switch (encoding & ENCODING_FORMAT) {
    case 0x01:
        return sym_read_uleb(cursor);
    case 0x02:
        return sym_read_u16(cursor);
    case 0x03:
        return sym_read_u32(cursor);
    case 0x09:
        return (uint64_t)sym_read_sleb(cursor);
    case 0x0a:
        return (uint64_t)(int16_t)sym_read_u16(cursor);
    case 0x0b:
        return (uint64_t)(int32_t)sym_read_u32(cursor);
    case 0x04:
    case 0x0c:
        return sym_read_u64(cursor);
    default:
        return sym_read_unsigned(cursor, frames->elf->wide ? 8 : 4);
    }
}

static bool covers(const struct frames *frames, const struct entry *fde, const struct cie *cie,
                   uint64_t pc)
{
    struct sym_cursor cursor = fde->body;
    uint64_t at = frames->address + sym_cursor_offset(&cursor);
    if (cie->encoding == OMITTED || cie->encoding & INDIRECT)
        return false;
    uint64_t low = read_number(frames, &cursor, cie->encoding);
    if ((cie->encoding & ENCODING_RELATIVE) == PC_RELATIVE)
        low += at;
    uint64_t bytes = read_number(frames, &cursor, cie->encoding & 0x07);
    return !cursor.failed && pc >= low && pc - low < bytes;
}

static bool find_fde(const struct frames *frames, uint64_t pc, struct entry *fde, struct cie *cie)
{
    *cie = (struct cie){0};
    for (uint64_t at = 0; read_entry(frames, at, fde); at += fde->bytes) {
        if (fde->is_cie)
            continue;
        // Many follow each other with the same CIE.
        if (!cie->known || cie->entry.offset != fde->cie)
            read_cie(frames, fde->cie, cie);
        if (cie->known && covers(frames, fde, cie, pc))
            return true;
    }
    return false;
}

// -- libdwarf's view ------------------------------------------------------------------------------

static int get_section_info(void *object, Dwarf_Half index, Dwarf_Obj_Access_Section *out,
                            int *error)
{
    const struct sym_frame_section *section = object;
    (void)error;
    if (index > 1)
        return DW_DLV_NO_ENTRY;
    *out = (Dwarf_Obj_Access_Section){.name = ""};
    if (index == 1)
        *out = (Dwarf_Obj_Access_Section){
            .addr = section->address,
            .type = 1, // SHT_PROGBITS
            .size = section->bytes.size,
            .name = section->eh ? ".eh_frame" : ".debug_frame",
        };
    return DW_DLV_OK;
}

static Dwarf_Endianness get_byte_order(void *object)
{
    const struct sym_frame_section *section = object;
    return section->elf->big_endian ? DW_OBJECT_MSB : DW_OBJECT_LSB;
}

static Dwarf_Small get_word_bytes(void *object)
{
    const struct sym_frame_section *section = object;
    return section->elf->wide ? 8 : 4;
}

static Dwarf_Unsigned get_section_count(void *object)
{
    (void)object;
    return 2;
}

static int load_section(void *object, Dwarf_Half index, Dwarf_Small **out, int *error)
{
    const struct sym_frame_section *section = object;
    (void)error;
    if (index != 1)
        return DW_DLV_NO_ENTRY;
    *out = section->owned;
    return DW_DLV_OK;
}

static void put_number(uint8_t *at, uint64_t value, unsigned bytes, bool big)
{
    for (unsigned i = 0; i < bytes; i++)
        at[big ? bytes - 1 - i : i] = (uint8_t)(value >> 8 * i);
}

// CIE and FDE, one behind the other. In .debug_frame libdwarf knows no "S" (.cfi_signal_frame): it
// is taken out, with one more DW_CFA_nop at the CIE's end.
static struct sym_frame_section *make_section(const struct frames *frames, const struct entry *fde,
                                              const struct cie *cie)
{
    struct sym_frame_section *section = calloc(1, sizeof(*section));
    uint64_t head = cie->entry.bytes;
    if (!section)
        return NULL;
    section->bytes.size = head + fde->bytes + 4; // and .eh_frame's end
    section->owned = calloc(1, section->bytes.size);
    if (!section->owned) {
        free(section);
        return NULL;
    }
    section->bytes.data = section->owned;
    section->elf = frames->elf;
    section->eh = frames->eh;
    // Addresses relative to where they stand stay right.
    section->address = frames->address + fde->offset - head;
    memcpy(section->owned, frames->bytes.data + cie->entry.offset, head);
    memcpy(section->owned + head, frames->bytes.data + fde->offset, fde->bytes);
    uint64_t id = head + fde->id_offset - fde->offset;
    put_number(section->owned + id, frames->eh ? id : 0, fde->wide && !frames->eh ? 8 : 4,
               frames->elf->big_endian);
    uint8_t *letters = section->owned + (cie->letters - cie->entry.offset);
    if (!frames->eh) {
        section->bytes.size -= 4;
        if (!strcmp((const char *)letters, "S")) {
            memmove(letters, letters + 1, (size_t)(section->owned + head - letters) - 1);
            section->owned[head - 1] = DW_CFA_nop;
        }
    }
    section->methods = (Dwarf_Obj_Access_Methods){
        .get_section_info = get_section_info,
        .get_byte_order = get_byte_order,
        .get_length_size = get_word_bytes,
        .get_pointer_size = get_word_bytes,
        .get_section_count = get_section_count,
        .load_section = load_section,
    };
    section->interface =
        (Dwarf_Obj_Access_Interface){.object = section, .methods = &section->methods};
    return section;
}

static void forget(Dwarf_Debug dbg, Dwarf_Error error)
{
    if (error)
        dwarf_dealloc_error(dbg, error);
}

static bool read_rules(struct sym_frame_rules *out, bool eh, uint64_t pc)
{
    Dwarf_Cie *cies = NULL, cie;
    Dwarf_Fde *fdes = NULL;
    Dwarf_Signed cie_count = 0, fde_count = 0, data_factor;
    Dwarf_Unsigned bytes, code_factor, initial_bytes;
    Dwarf_Small version;
    Dwarf_Half column = 0, offset_bytes;
    Dwarf_Ptr initial;
    Dwarf_Addr row;
    Dwarf_Error error = NULL;
    char *letters = NULL;
    dwarf_set_frame_rule_table_size(out->dbg_, out->table.rt3_reg_table_size);
    dwarf_set_frame_rule_initial_value(out->dbg_, DW_FRAME_SAME_VAL);
    int result = (eh ? dwarf_get_fde_list_eh : dwarf_get_fde_list)(out->dbg_, &cies, &cie_count,
                                                                   &fdes, &fde_count, &error);
    if (result == DW_DLV_OK && fde_count > 0) {
        result = dwarf_get_cie_of_fde(fdes[0], &cie, &error);
        if (result == DW_DLV_OK)
            result =
                dwarf_get_cie_info_b(cie, &bytes, &version, &letters, &code_factor, &data_factor,
                                     &column, &initial, &initial_bytes, &offset_bytes, &error);
        if (result == DW_DLV_OK)
            result = dwarf_get_fde_info_for_all_regs3(fdes[0], pc, &out->table, &row, &error);
        dwarf_fde_cie_list_dealloc(out->dbg_, cies, cie_count, fdes, fde_count);
    }
    if (result == DW_DLV_ERROR)
        forget(out->dbg_, error);
    out->return_column = column;
    return result == DW_DLV_OK && fde_count > 0;
}

static void close_section(struct sym_frame_rules *rules)
{
    if (rules->dbg_)
        dwarf_object_finish(rules->dbg_, NULL);
    free(rules->section_->owned);
    free(rules->section_);
}

static bool find_in(struct sym_elf *elf, const char *name, bool eh, uint64_t pc,
                    struct sym_frame_rules *out)
{
    struct frames frames = {.elf = elf, .eh = eh};
    struct entry fde;
    struct cie cie;
    struct error *failed = sym_elf_contents_named(elf, name, &frames.bytes);
    unsigned number = sym_elf_section_named(elf, name);
    if (number)
        frames.address = elf->sections[number].address;
    if (failed || frames.bytes.size == 0 || !find_fde(&frames, pc, &fde, &cie)) {
        error_free(failed); // without it there are still frame pointers
        return false;
    }
    out->section_ = make_section(&frames, &fde, &cie);
    out->signal = cie.signal;
    if (!out->section_)
        return false;
    Dwarf_Error error = NULL;
    int result = dwarf_object_init_b(&out->section_->interface, NULL, NULL, DW_GROUPNUMBER_ANY,
                                     &out->dbg_, &error);
    if (result == DW_DLV_ERROR)
        forget(NULL, error);
    if (result != DW_DLV_OK)
        out->dbg_ = NULL;
    if (result == DW_DLV_OK && read_rules(out, eh, pc))
        return true;
    close_section(out);
    return false;
}

bool sym_frame_rules_find(struct sym_elf *elf, uint64_t pc, unsigned count,
                          struct sym_frame_rules *out)
{
    *out = (struct sym_frame_rules){.rules = calloc(count, sizeof(*out->rules))};
    out->table =
        (Dwarf_Regtable3){.rt3_reg_table_size = (Dwarf_Half)count, .rt3_rules = out->rules};
    if (out->rules &&
        (find_in(elf, ".debug_frame", false, pc, out) || find_in(elf, ".eh_frame", true, pc, out)))
        return true;
    free(out->rules);
    return false;
}

void sym_frame_rules_end(struct sym_frame_rules *rules)
{
    close_section(rules);
    free(rules->rules);
}
