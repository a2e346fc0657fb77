// SPDX-License-Identifier: MIT
// The index file on disk, for its builder and its reader. docs/formats-index.md tells the whole
// story; in short: a header, then parts. Numbers are little-endian.
//
// Addresses are made compact: the file's loaded sections, laid one behind the other, give every
// address in one of them a 32-bit number, its position. Tables over positions (segments, lines,
// symbols) are streams of variable-length differences, cut into blocks of 64 entries; an array of
// {first position, offset in the stream} is what a lookup searches, and then it reads one block.
#pragma once

#include <assert.h>
#include <endian.h>
#include <stdint.h>
#include <string.h>

#define INDEX_MAGIC        "FathmIdx"
#define INDEX_MAGIC_PACKED "FathmIdz"
#define INDEX_MAGIC_BYTES  8
#define INDEX_VERSION      1
#define INDEX_BLOCK        64  // entries
#define INDEX_DEPTH_MAX    200 // of nested inlined calls: more are cut off
#define INDEX_PART_ALIGN   8
#define INDEX_PACK_BLOCK   (1 << 20) // bytes before packing

enum index_part_kind {
    INDEX_SECTIONS,       // struct index_section, by address
    INDEX_STRINGS,        // each ends with a zero byte; offset 0 is the empty string
    INDEX_FILES,          // uint32_t offsets of names in INDEX_STRINGS; number 0 is "not known"
    INDEX_FUNCTIONS,      // a stream; a function's number is its offset; 0 is "not known"
    INDEX_NODES,          // a stream; a node's number is its offset; 0 is "nothing is known here"
    INDEX_SEGMENT_BLOCKS, // struct index_block
    INDEX_SEGMENTS,
    INDEX_LINE_BLOCKS,
    INDEX_LINES,
    INDEX_SYMBOL_BLOCKS,
    INDEX_SYMBOLS,
    INDEX_SYMBOL_NAMES, // uint32_t numbers of symbols, by name
    INDEX_PARTS,
};

struct index_part {
    uint64_t offset, bytes;
    uint32_t count; // of entries, where a part is made of such
    uint32_t crc;   // CRC-32 of the bytes
} __attribute__((packed));
static_assert(sizeof(struct index_part) == 24, "as the page says");

enum {
    INDEX_RELOCATABLE = 1 << 0,
    INDEX_BIG_ENDIAN = 1 << 1, // the ELF file
    INDEX_HAS_DEBUG = 1 << 2,
    INDEX_MANGLED = 1 << 3, // names in the symbol table are
};

#define INDEX_BUILD_ID_MAX 64

struct index_header {
    char magic[INDEX_MAGIC_BYTES];
    uint32_t version;
    uint32_t header_bytes;
    uint64_t file_bytes;
    uint32_t header_crc; // of the header with this field 0
    uint16_t machine;    // e_machine
    uint8_t address_bytes;
    uint8_t flags;
    // What the ELF file was.
    uint64_t elf_bytes;
    int64_t elf_changed_ns; // since 1970
    uint32_t elf_path;      // in INDEX_STRINGS
    uint8_t build_id_bytes; // 0: none, and then size and time decide
    uint8_t zero[3];
    uint8_t build_id[INDEX_BUILD_ID_MAX];
    struct index_part parts[INDEX_PARTS];
} __attribute__((packed));
static_assert(sizeof(struct index_header) == 120 + INDEX_PARTS * 24, "as the page says");

enum { INDEX_SECTION_CODE = 1 };

struct index_section {
    uint64_t address; // where it was linked; in a relocatable file a made-up one
    uint64_t bytes;
    uint32_t position; // of its first byte
    uint32_t number;   // in the ELF file
    uint32_t name;     // in INDEX_STRINGS
    uint32_t flags;
} __attribute__((packed));
static_assert(sizeof(struct index_section) == 32, "as the page says");

struct index_block {
    uint32_t first;  // position of its first entry
    uint32_t offset; // of the block in the stream
} __attribute__((packed));
static_assert(sizeof(struct index_block) == 8, "as the page says");

// The packed form: this header, `blocks` rows, then the blocks, each LZ4 of INDEX_PACK_BLOCK bytes
// of the index (the last one of fewer).
struct index_packed_header {
    char magic[INDEX_MAGIC_BYTES];
    uint32_t version;
    uint32_t blocks;
    uint64_t file_bytes; // of the index
} __attribute__((packed));
static_assert(sizeof(struct index_packed_header) == 24, "as the page says");

struct index_packed_block {
    uint32_t packed_bytes;
    uint32_t crc; // CRC-32 of the block when unpacked
} __attribute__((packed));
static_assert(sizeof(struct index_packed_block) == 8, "as the page says");

// Streams are made of LEB128 numbers; signed ones are zigzag: 0, -1, 1, -2, ...
//
// A function: name and linkage name (0: none) in INDEX_STRINGS, file and line of the declaration.
// A node: function << 1 | inlined; for an inlined call, how far before this node its caller's node
//   begins, then file << 1 | (a discriminator follows), line, column, and the discriminator.
// An entry of a segment block: position - that before, then signed node - that before. In a block
//   the first position is that of struct index_block, and the first node counts from 0.
// An entry of a line block: a byte of INDEX_LINE_ flags with the difference of positions above them
//   (31: it follows, less 31), signed difference of lines, then what the flags promise. Each block
//   starts at line 0, column 0, file 0.
// An entry of a symbol block: position - that before, size, name, file << 3 | object << 2 | rank,
//   the file being an offset in INDEX_STRINGS. Of symbols of one position the preferred is last.
enum {
    INDEX_LINE_FILE = 1,          // signed difference of file numbers follows
    INDEX_LINE_COLUMN = 2,        // the column follows
    INDEX_LINE_DISCRIMINATOR = 4, // the discriminator follows; 0 otherwise
    INDEX_LINE_STEP_SHIFT = 3,
    INDEX_LINE_STEP_LONG = 31,
};
