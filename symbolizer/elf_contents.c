// SPDX-License-Identifier: MIT
// Makes the contents of an ELF section what the program meant: decompresses them (zlib and zstd as
// the gABI has it, and GNU's older .zdebug), and applies the relocations of debug sections in a
// relocatable file. Called by elf.c for one section at a time.
#include <elf.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "symbolizer/elf_private.h"

enum {
    COMPRESSED_ZLIB = 1, // ELFCOMPRESS_ZLIB
    COMPRESSED_ZSTD = 2, // ELFCOMPRESS_ZSTD, which older <elf.h> lacks
    // Debug information shrinks to a third or so. A file whose sections together claim much more is
    // made to fill the memory.
    RATIO_MOST = 64,
    RATIO_FREE_BYTES = 4 << 20,
};

static struct error *spoilt(const struct sym_elf *elf, const struct sym_elf_section *section,
                            const char *what)
{
    return error_make(EXIT_FAILED, "%s: section %s (offset 0x%llx): %s", elf->path, section->name,
                      (unsigned long long)section->offset, what);
}

// zlib counts in 32 bits, so that large sections go in pieces.
static bool inflate_all(struct sym_bytes from, uint8_t *to, size_t size)
{
    z_stream stream = {0};
    if (inflateInit(&stream) != Z_OK)
        return false;
    size_t in = 0, out = 0;
    int result = Z_OK;
    while (result == Z_OK) {
        size_t in_piece = from.size - in < UINT_MAX ? from.size - in : UINT_MAX;
        size_t out_piece = size - out < UINT_MAX ? size - out : UINT_MAX;
        stream.next_in = (uint8_t *)from.data + in;
        stream.avail_in = (unsigned)in_piece;
        stream.next_out = to + out;
        stream.avail_out = (unsigned)out_piece;
        result = inflate(&stream, Z_NO_FLUSH);
        in += in_piece - stream.avail_in;
        out += out_piece - stream.avail_out;
    }
    inflateEnd(&stream);
    return result == Z_STREAM_END && out == size;
}

static struct error *decompress(const struct sym_elf *elf, const struct sym_elf_section *section,
                                uint32_t method, struct sym_bytes packed, uint64_t size,
                                struct sym_elf_contents *contents)
{
    uint64_t most = RATIO_FREE_BYTES + RATIO_MOST * (uint64_t)elf->file.size;
    if (size > most - elf->private_->decompressed)
        return spoilt(elf, section, "its compressed contents claim to be far too large");
    uint8_t *to = malloc(size ? size : 1);
    if (!to)
        return spoilt(elf, section, "no memory for its decompressed contents");
    bool done;
    if (method == COMPRESSED_ZLIB)
        done = inflate_all(packed, to, size);
    else
        done = ZSTD_decompress(to, size, packed.data, packed.size) == size;
    if (!done) {
        free(to);
        return spoilt(elf, section, "its compressed contents are damaged");
    }
    elf->private_->decompressed += size;
    contents->owned = to;
    contents->bytes = (struct sym_bytes){to, size};
    return NULL;
}

struct error *sym_elf_decompress_(const struct sym_elf *elf, const struct sym_elf_section *section,
                                  struct sym_elf_contents *contents)
{
    struct sym_cursor cursor = sym_cursor_over(contents->bytes, elf->swap);
    uint32_t method;
    uint64_t size = 0;
    if (section->flags & SHF_COMPRESSED) {
        method = sym_read_u32(&cursor);
        if (elf->wide)
            sym_read_u32(&cursor); // reserved
        size = elf->wide ? sym_read_u64(&cursor) : sym_read_u32(&cursor);
        sym_cursor_skip(&cursor, elf->wide ? 8 : 4); // alignment
        if (cursor.failed)
            return spoilt(elf, section, "its compression header is cut short");
        if (method != COMPRESSED_ZLIB && method != COMPRESSED_ZSTD)
            return spoilt(elf, section, "compressed in a way this program does not know");
    } else if (strncmp(section->name, ".zdebug_", 8) == 0) {
        static const char magic[] = {'Z', 'L', 'I', 'B'};
        method = COMPRESSED_ZLIB;
        if (contents->bytes.size < 12 || memcmp(contents->bytes.data, magic, sizeof(magic)) != 0)
            return NULL;
        cursor.at += sizeof(magic);
        for (int i = 0; i < 8; i++)
            size = size << 8 | sym_read_u8(&cursor);
    } else {
        return NULL;
    }
    struct sym_bytes packed = {cursor.at, sym_cursor_left(&cursor)};
    return decompress(elf, section, method, packed, size, contents);
}

// -- relocations
// -------------------------------------------------------------------------------------

enum operation {
    NOTHING,
    SET,    // symbol + addend
    SET_PC, // symbol + addend - place
    ADD,    // to what is there
    SUBTRACT,
    SET_6, // in the low six bits of a byte
    SUBTRACT_6,
    SET_ULEB, // in as many bytes as the number there has
    SUBTRACT_ULEB,
    OFFSET, // the addend alone: an offset into thread-local memory, of no use here
};

struct relocation_kind {
    uint16_t machine;
    uint16_t type;
    enum operation operation;
    uint8_t bytes;
};

// Each machine's psABI, those that compilers put into debug sections.
static const struct relocation_kind kinds[] = {
    {EM_X86_64, R_X86_64_NONE, NOTHING, 0},
    {EM_X86_64, R_X86_64_64, SET, 8},
    {EM_X86_64, R_X86_64_32, SET, 4},
    {EM_X86_64, R_X86_64_32S, SET, 4},
    {EM_X86_64, R_X86_64_16, SET, 2},
    {EM_X86_64, R_X86_64_8, SET, 1},
    {EM_X86_64, R_X86_64_PC32, SET_PC, 4},
    {EM_X86_64, R_X86_64_PC64, SET_PC, 8},
    {EM_X86_64, R_X86_64_DTPOFF32, OFFSET, 4},
    {EM_X86_64, R_X86_64_DTPOFF64, OFFSET, 8},
    {EM_AARCH64, R_AARCH64_NONE, NOTHING, 0},
    {EM_AARCH64, R_AARCH64_ABS64, SET, 8},
    {EM_AARCH64, R_AARCH64_ABS32, SET, 4},
    {EM_AARCH64, R_AARCH64_ABS16, SET, 2},
    {EM_AARCH64, R_AARCH64_PREL64, SET_PC, 8},
    {EM_AARCH64, R_AARCH64_PREL32, SET_PC, 4},
    {EM_AARCH64, R_AARCH64_TLS_DTPREL, OFFSET, 8},
    {EM_RISCV, R_RISCV_NONE, NOTHING, 0},
    {EM_RISCV, R_RISCV_RELAX, NOTHING, 0},
    {EM_RISCV, R_RISCV_32, SET, 4},
    {EM_RISCV, R_RISCV_64, SET, 8},
    {EM_RISCV, R_RISCV_TLS_DTPREL32, OFFSET, 4},
    {EM_RISCV, R_RISCV_TLS_DTPREL64, OFFSET, 8},
    {EM_RISCV, R_RISCV_ADD8, ADD, 1},
    {EM_RISCV, R_RISCV_ADD16, ADD, 2},
    {EM_RISCV, R_RISCV_ADD32, ADD, 4},
    {EM_RISCV, R_RISCV_ADD64, ADD, 8},
    {EM_RISCV, R_RISCV_SUB8, SUBTRACT, 1},
    {EM_RISCV, R_RISCV_SUB16, SUBTRACT, 2},
    {EM_RISCV, R_RISCV_SUB32, SUBTRACT, 4},
    {EM_RISCV, R_RISCV_SUB64, SUBTRACT, 8},
    {EM_RISCV, R_RISCV_SUB6, SUBTRACT_6, 1},
    {EM_RISCV, R_RISCV_SET6, SET_6, 1},
    {EM_RISCV, R_RISCV_SET8, SET, 1},
    {EM_RISCV, R_RISCV_SET16, SET, 2},
    {EM_RISCV, R_RISCV_SET32, SET, 4},
    {EM_RISCV, R_RISCV_32_PCREL, SET_PC, 4},
    {EM_RISCV, 60 /* SET_ULEB128 */, SET_ULEB, 1},
    {EM_RISCV, 61 /* SUB_ULEB128 */, SUBTRACT_ULEB, 1},
    {EM_386, R_386_NONE, NOTHING, 0},
    {EM_386, R_386_32, SET, 4},
    {EM_386, R_386_PC32, SET_PC, 4},
    {EM_386, R_386_TLS_LDO_32, OFFSET, 4},
    {EM_ARM, R_ARM_NONE, NOTHING, 0},
    {EM_ARM, R_ARM_ABS32, SET, 4},
    {EM_ARM, R_ARM_REL32, SET_PC, 4},
    {EM_ARM, R_ARM_TLS_LDO32, OFFSET, 4},
    {EM_PPC64, R_PPC64_NONE, NOTHING, 0},
    {EM_PPC64, R_PPC64_ADDR64, SET, 8},
    {EM_PPC64, R_PPC64_ADDR32, SET, 4},
    {EM_PPC64, R_PPC64_DTPREL64, OFFSET, 8},
    {EM_PPC, R_PPC_NONE, NOTHING, 0},
    {EM_PPC, R_PPC_ADDR32, SET, 4},
    {EM_S390, R_390_NONE, NOTHING, 0},
    {EM_S390, R_390_64, SET, 8},
    {EM_S390, R_390_32, SET, 4},
    {EM_S390, R_390_TLS_LDO64, OFFSET, 8},
};

static const struct relocation_kind *find_kind(uint16_t machine, uint32_t type)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (kinds[i].machine == machine && kinds[i].type == type)
            return &kinds[i];
    return NULL;
}

// The symbols that relocations refer to.
struct symbols {
    struct sym_bytes rows;
    struct sym_bytes large; // SHT_SYMTAB_SHNDX: section numbers that do not fit in the rows
    size_t row_bytes;
};

static bool symbol_value(const struct sym_elf *elf, const struct symbols *symbols, uint64_t index,
                         uint64_t *value)
{
    if (index >= symbols->rows.size / symbols->row_bytes)
        return false;
    const uint8_t *row = symbols->rows.data + index * symbols->row_bytes;
    uint32_t section;
    if (elf->wide) {
        section = sym_load_u16(row + offsetof(Elf64_Sym, st_shndx), elf->swap);
        *value = sym_load_u64(row + offsetof(Elf64_Sym, st_value), elf->swap);
    } else {
        section = sym_load_u16(row + offsetof(Elf32_Sym, st_shndx), elf->swap);
        *value = sym_load_u32(row + offsetof(Elf32_Sym, st_value), elf->swap);
    }
    if (section == SHN_XINDEX && index < symbols->large.size / 4)
        section = sym_load_u32(symbols->large.data + index * 4, elf->swap);
    if (section < elf->section_count && (elf->sections[section].flags & SHF_ALLOC))
        *value += elf->sections[section].address;
    return true;
}

static uint64_t load(const uint8_t *from, unsigned bytes, bool swap)
{
    struct sym_cursor cursor = sym_cursor_over((struct sym_bytes){from, bytes}, swap);
    return sym_read_unsigned(&cursor, bytes);
}

static void store(uint8_t *to, unsigned bytes, bool big_endian, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        to[i] = (uint8_t)(value >> 8 * (big_endian ? bytes - 1 - i : i));
}

// A LEB128 number keeps its length, whatever it becomes.
static void change_uleb(uint8_t *at, const uint8_t *end, bool subtract, uint64_t value)
{
    struct sym_cursor cursor = sym_cursor_over((struct sym_bytes){at, (size_t)(end - at)}, false);
    uint64_t old = sym_read_uleb(&cursor);
    if (cursor.failed)
        return;
    if (subtract)
        value = old - value;
    for (; at < cursor.at; value >>= 7, at++)
        *at = (uint8_t)((value & 0x7f) | (at + 1 < cursor.at ? 0x80 : 0));
}

static void apply(const struct sym_elf *elf, const struct relocation_kind *kind, uint8_t *at,
                  const uint8_t *end, uint64_t place, uint64_t value, uint64_t addend)
{
    uint64_t sum = value + addend;
    switch (kind->operation) {
    case NOTHING:
        break;
    case SET:
        store(at, kind->bytes, elf->big_endian, sum);
        break;
    case SET_PC:
        store(at, kind->bytes, elf->big_endian, sum - place);
        break;
    case ADD:
        store(at, kind->bytes, elf->big_endian, load(at, kind->bytes, elf->swap) + sum);
        break;
    case SUBTRACT:
        store(at, kind->bytes, elf->big_endian, load(at, kind->bytes, elf->swap) - sum);
        break;
    case SET_6:
        *at = (uint8_t)((*at & 0xc0) | (sum & 0x3f));
        break;
    case SUBTRACT_6:
        *at = (uint8_t)((*at & 0xc0) | ((*at - sum) & 0x3f));
        break;
    case SET_ULEB:
    case SUBTRACT_ULEB:
        change_uleb(at, end, kind->operation == SUBTRACT_ULEB, sum);
        break;
    case OFFSET:
        store(at, kind->bytes, elf->big_endian, addend);
        break;
    }
}

static struct error *relocate_with(struct sym_elf *elf, const struct sym_elf_section *table,
                                   const struct symbols *symbols, struct sym_bytes rows,
                                   struct sym_elf_contents *contents)
{
    bool addends = table->type == SHT_RELA;
    struct sym_cursor cursor = sym_cursor_over(rows, elf->swap);
    unsigned row_bytes = (elf->wide ? 16 : 8) + (addends ? elf->wide ? 8 : 4 : 0);
    size_t size = contents->bytes.size;
    while (sym_cursor_left(&cursor) >= row_bytes) {
        uint64_t row = sym_cursor_offset(&cursor);
        uint64_t offset = elf->wide ? sym_read_u64(&cursor) : sym_read_u32(&cursor);
        uint64_t info = elf->wide ? sym_read_u64(&cursor) : sym_read_u32(&cursor);
        uint64_t addend = 0, value = 0;
        if (addends)
            addend = elf->wide ? sym_read_u64(&cursor) : (uint64_t)(int32_t)sym_read_u32(&cursor);
        uint32_t type = elf->wide ? (uint32_t)info : (uint32_t)(info & 0xff);
        uint64_t symbol = elf->wide ? info >> 32 : info >> 8;
        const struct relocation_kind *kind = find_kind(elf->machine, type);
        if (!kind)
            return error_make(EXIT_FAILED,
                              "%s: section %s: offset 0x%llx: relocation type %u of "
                              "machine %u is not known",
                              elf->path, table->name, (unsigned long long)row, type, elf->machine);
        if (offset > size || kind->bytes > size - offset ||
            !symbol_value(elf, symbols, symbol, &value))
            return error_make(EXIT_FAILED,
                              "%s: section %s: offset 0x%llx: a relocation of a place "
                              "or with a symbol that is not there",
                              elf->path, table->name, (unsigned long long)row);
        uint8_t *at = contents->owned + offset;
        if (!addends)
            addend = load(at, kind->bytes, elf->swap);
        apply(elf, kind, at, contents->owned + size, offset, value, addend);
    }
    return NULL;
}

static struct error *find_symbols(struct sym_elf *elf, const struct sym_elf_section *table,
                                  struct symbols *symbols)
{
    symbols->row_bytes = elf->wide ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
    if (table->link >= elf->section_count || elf->sections[table->link].type != SHT_SYMTAB)
        return spoilt(elf, table, "relocations without a symbol table");
    struct error *error = sym_elf_contents(elf, table->link, &symbols->rows);
    for (unsigned i = 1; i < elf->section_count && !error; i++)
        if (elf->sections[i].type == SHT_SYMTAB_SHNDX && elf->sections[i].link == table->link)
            error = sym_elf_contents(elf, i, &symbols->large);
    return error;
}

static struct error *own_copy(const struct sym_elf *elf, const struct sym_elf_section *section,
                              struct sym_elf_contents *contents)
{
    if (contents->owned)
        return NULL;
    contents->owned = malloc(contents->bytes.size + 1);
    if (!contents->owned)
        return spoilt(elf, section, "no memory for a copy to relocate");
    memcpy(contents->owned, contents->bytes.data, contents->bytes.size);
    contents->bytes.data = contents->owned;
    return NULL;
}

struct error *sym_elf_relocate_(struct sym_elf *elf, unsigned number,
                                struct sym_elf_contents *contents)
{
    const struct sym_elf_section *section = &elf->sections[number];
    size_t budget = elf->file.size; // tables that overlap are there to keep this busy
    for (unsigned i = 1; i < elf->section_count; i++) {
        const struct sym_elf_section *table = &elf->sections[i];
        if ((table->type != SHT_RELA && table->type != SHT_REL) || table->info != number)
            continue;
        struct symbols symbols = {0};
        struct sym_bytes rows;
        struct error *error = own_copy(elf, section, contents);
        if (!error)
            error = find_symbols(elf, table, &symbols);
        if (!error)
            error = sym_elf_contents(elf, i, &rows);
        if (!error && rows.size > budget)
            error = spoilt(elf, table, "more relocations than the file has room for");
        if (!error) {
            budget -= rows.size;
            error = relocate_with(elf, table, &symbols, rows, contents);
        }
        if (error)
            return error;
    }
    return NULL;
}
