// SPDX-License-Identifier: MIT
// What an address is: the innermost function and its callers, and the line, from the blocks of
// segments and lines. What may be damaged is in index_private.h.
#include <string.h>

#include "symbolizer/index_private.h"
#include "symbolizer/result.h"

// In a relocatable file by number, else by address. Sections are in the order of both.
static const struct index_section *section_of(struct sym_index *index, struct sym_place place,
                                              uint64_t *offset)
{
    bool by_number = index->header->flags & INDEX_RELOCATABLE;
    size_t count, low = 0;
    const struct index_section *all = index_sections(index, &count);
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

// -- blocks ---------------------------------------------------------------------------------------

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
                       uint32_t position, struct index_resting *rest, struct block_copy *copy)
{
    if (rest->number && rest->low <= position && lies_in(index, blocks, rest->number - 1, position))
        return true;
    *rest = (struct index_resting){.number = index_block_before(index, blocks, position)};
    if (!rest->number)
        return false;
    struct sym_cursor cursor =
        index_block_at(index, blocks, rest->number - 1, &rest->low, &rest->left);
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
static void rest_at(struct index_resting *rest, const struct block_copy *copy, const uint8_t *at)
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
    struct index_resting *rest = &index->nodes;
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
static bool line_at(struct sym_index *index, uint32_t position, struct index_line *found)
{
    struct block_copy copy;
    struct index_resting *rest = &index->lines;
    *found = (struct index_line){0};
    if (!open_block(index, INDEX_LINE_BLOCKS, position, rest, &copy))
        return false;
    struct index_line line = rest->line;
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

static const char *file_name(const struct sym_index *index, uint64_t number)
{
    struct sym_bytes files = index->parts[INDEX_FILES];
    if (!number || number >= files.size / 4)
        return NULL;
    return index_string(
        index, sym_load_u32(files.data + 4 * number, __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__));
}

static void name_function(const struct sym_index *index, uint64_t number, struct sym_frame *frame)
{
    if (!number)
        return;
    struct sym_cursor cursor = index_stream(index, INDEX_FUNCTIONS, number);
    frame->function = index_string(index, sym_read_uleb(&cursor));
    frame->linkage = index_string(index, sym_read_uleb(&cursor));
    frame->declared_file = file_name(index, sym_read_uleb(&cursor));
    frame->declared_line = (uint32_t)sym_read_uleb(&cursor);
}

// From the innermost call outwards; where a call was is where its caller is.
static bool add_frames(const struct sym_index *index, uint32_t node, struct index_line where,
                       struct sym_result *result)
{
    for (size_t depth = 0; depth < INDEX_DEPTH_MAX; depth++) {
        struct sym_cursor cursor = index_stream(index, INDEX_NODES, node);
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
        where = (struct index_line){.file = (uint32_t)(file >> 1)};
        where.line = (uint32_t)sym_read_uleb(&cursor);
        where.column = (uint32_t)sym_read_uleb(&cursor);
        where.discriminator = file & 1 ? (uint32_t)sym_read_uleb(&cursor) : 0;
        if (!back || back >= node || cursor.failed)
            break;
        node -= (uint32_t)back;
    }
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
    struct index_line line = {0};
    bool known = line_at(index, position, &line);
    if (!node || !result->symbol_in_need)
        index_find_symbol(index, section, position, &result->symbol);
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
