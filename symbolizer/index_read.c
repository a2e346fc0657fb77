// SPDX-License-Identifier: MIT
// Reads an index where it is mapped. The header and the bounds of the parts are checked when it is
// opened; everything else when it is read, since looking at all of it would cost more than a
// lookup: an offset that points outside gives "not known", a chain of callers only ever leads
// towards the start of its stream, and a block is left when its bytes end. So a damaged index gives
// wrong answers at worst, which sym_index_verify() finds out.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "symbolizer/index.h"
#include "symbolizer/index_format.h"
#include "symbolizer/index_pack.h"
#include "symbolizer/result.h"
#include "symbolizer/symbols.h"

struct line {
    uint32_t file, line, column, discriminator;
};

// Where the last lookup stopped reading a stream, for the next one if that lies behind it in the
// same block: addresses often come sorted.
struct resting {
    size_t number;     // of the block, plus one; 0: nowhere
    const uint8_t *at; // the first entry not used
    uint64_t left;     // entries from there on
    uint32_t low;      // the position of the last entry used, and what it says
    uint32_t node;
    struct line line;
};

struct sym_index {
    char *path;
    struct sym_bytes map;
    const struct index_header *header;
    struct sym_bytes parts[INDEX_PARTS];
    size_t section; // where the last place was
    struct resting nodes, lines;
};

// -- opening --------------------------------------------------------------------------------------

bool sym_index_is_one(const char *path)
{
    char magic[INDEX_MAGIC_BYTES];
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return false;
    bool whole = read(file, magic, sizeof(magic)) == sizeof(magic);
    close(file);
    return whole && (!memcmp(magic, INDEX_MAGIC, sizeof(magic)) ||
                     !memcmp(magic, INDEX_MAGIC_PACKED, sizeof(magic)));
}

static struct error *map_file(const char *path, struct sym_bytes *map)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    struct error *error = NULL;
    if (file < 0)
        return error_errno("cannot open %s", path);
    if (fstat(file, &status)) {
        error = error_errno("cannot read %s", path);
    } else if (!S_ISREG(status.st_mode) || !status.st_size) {
        error = error_make(EXIT_FAILED, "%s: not an index", path);
    } else {
        void *at = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
        if (at == MAP_FAILED)
            error = error_errno("cannot map %s", path);
        else
            *map = (struct sym_bytes){at, (size_t)status.st_size};
    }
    close(file);
    return error;
}

static size_t entry_bytes(enum index_part_kind kind)
{
    switch (kind) {
    case INDEX_SECTIONS:
        return sizeof(struct index_section);
    case INDEX_FILES:
    case INDEX_SYMBOL_NAMES:
        return sizeof(uint32_t);
    case INDEX_SEGMENT_BLOCKS:
    case INDEX_LINE_BLOCKS:
    case INDEX_SYMBOL_BLOCKS:
        return sizeof(struct index_block);
    default:
        return 0;
    }
}

static struct error *check_parts(struct sym_index *index, const struct index_header *header)
{
    for (size_t i = 0; i < INDEX_PARTS; i++) {
        const struct index_part *part = &header->parts[i];
        uint64_t offset = le64toh(part->offset), bytes = le64toh(part->bytes);
        size_t each = entry_bytes((enum index_part_kind)i);
        if (offset > index->map.size || bytes > index->map.size - offset ||
            offset % INDEX_PART_ALIGN || bytes > UINT32_MAX ||
            (each && bytes != each * (uint64_t)le32toh(part->count)))
            return error_make(EXIT_FAILED, "%s: part %zu of the index lies outside of it",
                              index->path, i);
        index->parts[i] = (struct sym_bytes){index->map.data + offset, bytes};
    }
    // So that every string that begins in the part ends there.
    struct sym_bytes strings = index->parts[INDEX_STRINGS];
    if (!strings.size || strings.data[strings.size - 1])
        return error_make(EXIT_FAILED, "%s: the index's strings do not end", index->path);
    return NULL;
}

static struct error *check_header(struct sym_index *index)
{
    const struct index_header *header = (const void *)index->map.data;
    if (index->map.size < sizeof(*header) ||
        memcmp(header->magic, INDEX_MAGIC, INDEX_MAGIC_BYTES) != 0)
        return error_make(EXIT_FAILED, "%s: not an index", index->path);
    if (le32toh(header->version) != INDEX_VERSION)
        return error_make(EXIT_FAILED,
                          "%s: an index of version %u, and this fathom reads version %u: build it "
                          "again with 'fathom index'",
                          index->path, le32toh(header->version), INDEX_VERSION);
    if (le32toh(header->header_bytes) != sizeof(*header) ||
        le64toh(header->file_bytes) != index->map.size)
        return error_make(EXIT_FAILED, "%s: the index is cut off: %zu bytes of %llu", index->path,
                          index->map.size, (unsigned long long)le64toh(header->file_bytes));
    struct index_header zeroed = *header;
    zeroed.header_crc = 0;
    uint32_t crc = (uint32_t)crc32_z(crc32_z(0, NULL, 0), (const uint8_t *)&zeroed, sizeof(zeroed));
    if (crc != le32toh(header->header_crc) || header->build_id_bytes > INDEX_BUILD_ID_MAX ||
        (header->address_bytes != 4 && header->address_bytes != 8))
        return error_make(EXIT_FAILED, "%s: the index's header is damaged", index->path);
    index->header = header;
    return check_parts(index, header);
}

struct error *sym_index_open(const char *path, struct sym_index **out)
{
    struct sym_index *index = calloc(1, sizeof(*index));
    if (!index || !(index->path = strdup(path)))
        abort();
    struct error *error = map_file(path, &index->map);
    if (!error && index_is_packed(index->map)) {
        struct sym_bytes packed = index->map;
        index->map = (struct sym_bytes){0};
        error = index_unpack(path, packed, &index->map);
        munmap((void *)packed.data, packed.size);
    }
    if (!error)
        error = check_header(index);
    if (error) {
        sym_index_close(index);
        index = NULL;
    }
    *out = index;
    return error;
}

void sym_index_close(struct sym_index *index)
{
    if (!index)
        return;
    if (index->map.data)
        munmap((void *)index->map.data, index->map.size);
    free(index->path);
    free(index);
}

struct error *sym_index_verify(const struct sym_index *index)
{
    for (size_t i = 0; i < INDEX_PARTS; i++) {
        struct sym_bytes part = index->parts[i];
        uint32_t crc = (uint32_t)crc32_z(crc32_z(0, NULL, 0), part.data, part.size);
        if (crc != le32toh(index->header->parts[i].crc))
            return error_make(EXIT_FAILED, "%s: part %zu of the index is damaged", index->path, i);
    }
    return NULL;
}

struct error *sym_index_pack(const struct sym_index *index, const char *to)
{
    struct error *error = sym_index_verify(index);
    return error ? error : index_pack(index->map, to);
}

struct error *sym_index_match(const struct sym_index *index, const struct sym_elf *elf)
{
    const struct index_header *header = index->header;
    if (header->build_id_bytes || elf->build_id_bytes) {
        if (header->build_id_bytes == elf->build_id_bytes &&
            !memcmp(header->build_id, elf->build_id, elf->build_id_bytes))
            return NULL;
        return error_make(EXIT_FAILED, "%s: the index is of a file with another build-id than %s",
                          index->path, elf->path);
    }
    struct stat status;
    if (stat(elf->path, &status))
        return error_errno("cannot look at %s", elf->path);
    uint64_t changed =
        (uint64_t)status.st_mtim.tv_sec * 1000000000 + (uint64_t)status.st_mtim.tv_nsec;
    if (le64toh(header->elf_bytes) == elf->file.size &&
        le64toh((uint64_t)header->elf_changed_ns) == changed)
        return NULL;
    return error_make(EXIT_FAILED, "%s: the index is of an older %s, or of another file",
                      index->path, elf->path);
}

// -- numbers to things ----------------------------------------------------------------------------

static struct sym_cursor stream_at(const struct sym_index *index, enum index_part_kind part,
                                   uint64_t offset)
{
    struct sym_cursor cursor = sym_cursor_over(index->parts[part], false);
    sym_cursor_seek(&cursor, offset);
    return cursor;
}

static const char *string_at(const struct sym_index *index, uint64_t offset)
{
    struct sym_bytes strings = index->parts[INDEX_STRINGS];
    return offset && offset < strings.size ? (const char *)strings.data + offset : NULL;
}

static const char *file_name(const struct sym_index *index, uint64_t number)
{
    struct sym_bytes files = index->parts[INDEX_FILES];
    if (!number || number >= files.size / 4)
        return NULL;
    return string_at(index,
                     sym_load_u32(files.data + 4 * number, __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__));
}

void sym_index_info(const struct sym_index *index, struct sym_module_info *out)
{
    const struct index_header *header = index->header;
    const char *path = string_at(index, le32toh(header->elf_path));
    *out = (struct sym_module_info){
        .path = path ? path : index->path,
        .machine = le16toh(header->machine),
        .relocatable = header->flags & INDEX_RELOCATABLE,
        .big_endian = header->flags & INDEX_BIG_ENDIAN,
        .address_bytes = header->address_bytes,
        .build_id = header->build_id,
        .build_id_bytes = header->build_id_bytes,
        .has_debug = header->flags & INDEX_HAS_DEBUG,
        .indexed = true,
        .mangled = header->flags & INDEX_MANGLED,
    };
}

// -- places and positions -------------------------------------------------------------------------

static const struct index_section *sections(const struct sym_index *index, size_t *count)
{
    *count = index->parts[INDEX_SECTIONS].size / sizeof(struct index_section);
    return (const void *)index->parts[INDEX_SECTIONS].data;
}

// In a relocatable file by number, else by address. Sections are in the order of both.
static const struct index_section *section_of(struct sym_index *index, struct sym_place place,
                                              uint64_t *offset)
{
    bool by_number = index->header->flags & INDEX_RELOCATABLE;
    size_t count, low = 0;
    const struct index_section *all = sections(index, &count);
    size_t high = count;
    if (!by_number && index->section < count) {
        *offset = place.address - le64toh(all[index->section].address);
        if (*offset < le64toh(all[index->section].bytes))
            return &all[index->section];
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        bool before = by_number ? le32toh(all[middle].number) <= place.section
                                : le64toh(all[middle].address) <= place.address;
        low = before ? middle + 1 : low;
        high = before ? high : middle;
    }
    if (!low || (by_number && le32toh(all[low - 1].number) != place.section))
        return NULL;
    *offset = by_number ? place.address : place.address - le64toh(all[low - 1].address);
    index->section = low - 1;
    return *offset < le64toh(all[low - 1].bytes) ? &all[low - 1] : NULL;
}

static struct sym_place place_of(const struct sym_index *index, uint32_t position)
{
    size_t count, low = 0;
    const struct index_section *all = sections(index, &count);
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

// -- blocks ---------------------------------------------------------------------------------------

// The number of the last block that begins at or before a position, plus one; 0: none does.
static size_t block_before(const struct sym_index *index, enum index_part_kind blocks,
                           uint32_t position)
{
    const struct index_block *all = (const void *)index->parts[blocks].data;
    size_t low = 0, count = index->parts[blocks].size / sizeof(*all);
    // Without branches that a processor would guess wrong half of the time.
    while (count) {
        size_t half = count / 2;
        bool before = le32toh(all[low + half].first) <= position;
        low = before ? low + half + 1 : low;
        count = before ? count - half - 1 : half;
    }
    return low;
}

static struct sym_cursor block_at(const struct sym_index *index, enum index_part_kind blocks,
                                  size_t number, uint32_t *first, uint64_t *count)
{
    const struct index_block *block =
        (const struct index_block *)(const void *)index->parts[blocks].data + number;
    struct sym_cursor cursor =
        stream_at(index, (enum index_part_kind)(blocks + 1), le32toh(block->offset));
    *first = le32toh(block->first);
    *count = sym_read_uleb(&cursor);
    if (*count > INDEX_BLOCK)
        *count = INDEX_BLOCK;
    return cursor;
}

// Lookups spend their time in reading blocks of segments and lines, and a processor cannot guess
// how long a number is. So these are read without asking: eight bytes at once, of which the number
// is the first ones, and without looking for the end: the block is copied in front of enough zeros
// where the stream ends too soon for that.
#define NUMBER_BYTES_MAX 8
#define ROW_BYTES_MAX    (1 + 5 * NUMBER_BYTES_MAX)
#define BLOCK_BYTES_MAX  (INDEX_BLOCK * ROW_BYTES_MAX + NUMBER_BYTES_MAX)

struct block_copy {
    uint8_t bytes[BLOCK_BYTES_MAX];
};

static bool lies_in(const struct sym_index *index, enum index_part_kind blocks, size_t number,
                    uint32_t position)
{
    const struct index_block *all = (const void *)index->parts[blocks].data;
    return le32toh(all[number].first) <= position &&
           (number + 1 == index->parts[blocks].size / sizeof(*all) ||
            position < le32toh(all[number + 1].first));
}

// Finds the block of a position and the place to read it from; false: there is none.
static bool open_block(const struct sym_index *index, enum index_part_kind blocks,
                       uint32_t position, struct resting *rest, struct block_copy *copy)
{
    if (rest->number && rest->low <= position && lies_in(index, blocks, rest->number - 1, position))
        return true;
    *rest = (struct resting){.number = block_before(index, blocks, position)};
    if (!rest->number)
        return false;
    struct sym_cursor cursor = block_at(index, blocks, rest->number - 1, &rest->low, &rest->left);
    size_t left = sym_cursor_left(&cursor);
    rest->at = cursor.at;
    if (__builtin_expect(left >= BLOCK_BYTES_MAX, 1))
        return true;
    memset(copy->bytes, 0, sizeof(copy->bytes));
    if (left)
        memcpy(copy->bytes, cursor.at, left);
    rest->at = copy->bytes;
    return true;
}

// A copy does not outlive the lookup.
static void rest_at(struct resting *rest, const struct block_copy *copy, const uint8_t *at)
{
    rest->at = at;
    if (at >= copy->bytes && at <= copy->bytes + sizeof(copy->bytes))
        rest->number = 0;
}

// A number of at most eight bytes, and how many they are.
static inline uint64_t number_at(const uint8_t *at, unsigned *bytes)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    word = le64toh(word);
    uint64_t ends = ~word & UINT64_C(0x8080808080808080);
    ends |= (uint64_t)(ends == 0) << 63; // too long, in a damaged file
    *bytes = ((unsigned)__builtin_ctzll(ends) >> 3) + 1;
    word &= (ends ^ (ends - 1)) & UINT64_C(0x7f7f7f7f7f7f7f7f);
    // Squeezes out the bits that say whether it goes on: from 7 in 8 to 14 in 16 to 28 in 32.
    word = (word & UINT64_C(0x007f007f007f007f)) | (word & UINT64_C(0x7f007f007f007f00)) >> 1;
    word = (word & UINT64_C(0x00003fff00003fff)) | (word & UINT64_C(0x3fff00003fff0000)) >> 2;
    return (word & UINT64_C(0x0fffffff)) | (word & UINT64_C(0x0fffffff00000000)) >> 4;
}

static inline uint64_t next_number(const uint8_t **at)
{
    unsigned bytes;
    uint64_t number = number_at(*at, &bytes);
    *at += bytes;
    return number;
}

static inline uint32_t next_signed(const uint8_t **at)
{
    uint64_t number = next_number(at);
    return (uint32_t)(number >> 1 ^ -(number & 1));
}

static uint32_t node_at(struct sym_index *index, uint32_t position)
{
    struct block_copy copy;
    struct resting *rest = &index->nodes;
    if (!open_block(index, INDEX_SEGMENT_BLOCKS, position, rest, &copy))
        return 0;
    const uint8_t *at = rest->at, *entry = at;
    for (; rest->left; rest->left--, entry = at) {
        uint32_t low = rest->low + (uint32_t)next_number(&at);
        if (low > position)
            break;
        rest->node += next_signed(&at);
        rest->low = low;
    }
    rest_at(rest, &copy, entry);
    return rest->node;
}

// The last row at or before a position; false: it is of no line.
static bool line_at(struct sym_index *index, uint32_t position, struct line *found)
{
    struct block_copy copy;
    struct resting *rest = &index->lines;
    *found = (struct line){0};
    if (!open_block(index, INDEX_LINE_BLOCKS, position, rest, &copy))
        return false;
    struct line line = rest->line;
    const uint8_t *at = rest->at, *entry = at;
    for (; rest->left; rest->left--, entry = at) {
        unsigned flags = *at++, bytes;
        uint32_t low = rest->low + (flags >> INDEX_LINE_STEP_SHIFT);
        if (flags >> INDEX_LINE_STEP_SHIFT == INDEX_LINE_STEP_LONG)
            low += (uint32_t)next_number(&at);
        if (low > position)
            break;
        rest->low = low;
        line.line += next_signed(&at);
        // Read in any case, and used or not: again nothing to guess.
        uint64_t file = number_at(at, &bytes);
        bool has = flags & INDEX_LINE_FILE;
        line.file += has ? (uint32_t)(file >> 1 ^ -(file & 1)) : 0;
        at += has ? bytes : 0;
        uint64_t column = number_at(at, &bytes);
        has = flags & INDEX_LINE_COLUMN;
        line.column = has ? (uint32_t)column : line.column;
        at += has ? bytes : 0;
        line.discriminator = 0;
        if (flags & INDEX_LINE_DISCRIMINATOR)
            line.discriminator = (uint32_t)next_number(&at);
    }
    rest->line = line;
    rest_at(rest, &copy, entry);
    *found = line;
    return line.file || line.line;
}

// -- frames ---------------------------------------------------------------------------------------

static void name_function(const struct sym_index *index, uint64_t number, struct sym_frame *frame)
{
    if (!number)
        return;
    struct sym_cursor cursor = stream_at(index, INDEX_FUNCTIONS, number);
    frame->function = string_at(index, sym_read_uleb(&cursor));
    frame->linkage = string_at(index, sym_read_uleb(&cursor));
    frame->declared_file = file_name(index, sym_read_uleb(&cursor));
    frame->declared_line = (uint32_t)sym_read_uleb(&cursor);
}

// From the innermost call outwards; where a call was is where its caller is.
static bool add_frames(const struct sym_index *index, uint32_t node, struct line where,
                       struct sym_result *result)
{
    for (size_t depth = 0; depth < INDEX_DEPTH_MAX; depth++) {
        struct sym_cursor cursor = stream_at(index, INDEX_NODES, node);
        struct sym_frame *frame = sym_result_add(result);
        if (!frame)
            return false;
        uint64_t function = sym_read_uleb(&cursor);
        name_function(index, function >> 1, frame);
        frame->file = file_name(index, where.file);
        frame->line = where.line;
        frame->column = where.column;
        frame->discriminator = where.discriminator;
        if (!(function & 1))
            break;
        uint64_t back = sym_read_uleb(&cursor), file = sym_read_uleb(&cursor);
        where = (struct line){.file = (uint32_t)(file >> 1)};
        where.line = (uint32_t)sym_read_uleb(&cursor);
        where.column = (uint32_t)sym_read_uleb(&cursor);
        where.discriminator = file & 1 ? (uint32_t)sym_read_uleb(&cursor) : 0;
        if (!back || back >= node || cursor.failed)
            break;
        node -= (uint32_t)back;
    }
    return true;
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
    *symbol = (struct sym_symbol){string_at(index, entry->name), place_of(index, entry->position),
                                  entry->size, string_at(index, entry->file), entry->object};
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
        block_at(index, INDEX_SYMBOL_BLOCKS, number, &entry.position, &count);
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

static void find_symbol(const struct sym_index *index, const struct index_section *section,
                        uint32_t position, struct sym_symbol *symbol)
{
    size_t number = block_before(index, INDEX_SYMBOL_BLOCKS, position);
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
    struct sym_cursor cursor = block_at(index, INDEX_SYMBOL_BLOCKS, block, &entry.position, &count);
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
        struct sym_cursor cursor = block_at(index, INDEX_SYMBOL_BLOCKS, i, &entry.position, &count);
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
    const struct index_section *all = sections(index, &count);
    for (size_t i = 0; i < count; i++) {
        const char *its = string_at(index, le32toh(all[i].name));
        if (its && !strcmp(its, name))
            return &all[i];
    }
    return NULL;
}

unsigned sym_index_section_count(const struct sym_index *index)
{
    size_t count;
    const struct index_section *all = sections(index, &count);
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

// -- lookup ---------------------------------------------------------------------------------------

struct error *sym_index_lookup(struct sym_index *index, struct sym_place place,
                               struct sym_result *result)
{
    sym_result_clear(result);
    uint64_t offset;
    const struct index_section *section = section_of(index, place, &offset);
    if (!section)
        return NULL;
    uint32_t position = (uint32_t)(le32toh(section->position) + offset);
    uint32_t node = node_at(index, position);
    struct line line = {0};
    bool known = line_at(index, position, &line);
    if (!node || !result->symbol_in_need)
        find_symbol(index, section, position, &result->symbol);
    bool well = true;
    if (node) {
        well = add_frames(index, node, line, result);
    } else if (known) {
        struct sym_frame *frame = sym_result_add(result);
        well = frame;
        if (frame)
            *frame = (struct sym_frame){.file = file_name(index, line.file),
                                        .line = line.line,
                                        .column = line.column,
                                        .discriminator = line.discriminator};
    }
    return well ? NULL : error_make(EXIT_FAILED, "%s: no memory for a lookup", index->path);
}
