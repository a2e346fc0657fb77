// SPDX-License-Identifier: MIT
// RISC-V instructions as text, since capstone 4 knows no RISC-V: walks the tables of
// riscv_encodings.h and fills in the operands. Written as objdump writes it.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "symbolizer/report/disassembly.h"
#include "symbolizer/report/riscv_encodings.h"

static const char *const integers[32] = {
    "zero", "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "s0", "s1", "a0",
    "a1",   "a2", "a3", "a4", "a5",  "a6",  "a7", "s2", "s3", "s4", "s5",
    "s6",   "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
};
static const char *const floats[32] = {
    "ft0", "ft1", "ft2", "ft3", "ft4",  "ft5",  "ft6", "ft7", "fs0",  "fs1",  "fa0",
    "fa1", "fa2", "fa3", "fa4", "fa5",  "fa6",  "fa7", "fs2", "fs3",  "fs4",  "fs5",
    "fs6", "fs7", "fs8", "fs9", "fs10", "fs11", "ft8", "ft9", "ft10", "ft11",
};

// Bits high..low of an instruction.
static uint32_t bits(uint32_t word, unsigned high, unsigned low)
{
    return word >> low & ((1u << (high - low + 1)) - 1);
}

// -- immediates -----------------------------------------------------------------------------------

// A run of an instruction's bits, high..low, and where in the immediate they go.
struct piece {
    uint8_t high, low, to;
};

// An immediate: scattered over the instruction, and signed if `width` is its width.
struct immediate {
    char letter;
    uint8_t width; // 0: unsigned
    struct piece pieces[8];
};

static const struct immediate immediates[] = {
    {'i', 12, {{31, 20, 0}}},
    {'o', 12, {{31, 25, 5}, {11, 7, 0}}},
    {'h', 0, {{25, 20, 0}}},
    {'z', 0, {{19, 15, 0}}},
    {'u', 0, {{31, 12, 0}}},
    {'b', 13, {{31, 31, 12}, {7, 7, 11}, {30, 25, 5}, {11, 8, 1}}},
    {'j', 21, {{31, 31, 20}, {19, 12, 12}, {20, 20, 11}, {30, 21, 1}}},
    {'k', 6, {{12, 12, 5}, {6, 2, 0}}},
    {'n', 0, {{12, 12, 5}, {6, 2, 0}}},
    {'U', 6, {{12, 12, 5}, {6, 2, 0}}},
    {'J',
     12,
     {{12, 12, 11},
      {11, 11, 4},
      {10, 9, 8},
      {8, 8, 10},
      {7, 7, 6},
      {6, 6, 7},
      {5, 3, 1},
      {2, 2, 5}}},
    {'B', 9, {{12, 12, 8}, {11, 10, 3}, {6, 5, 6}, {4, 3, 1}, {2, 2, 5}}},
    {'4', 0, {{12, 11, 4}, {10, 7, 6}, {6, 6, 2}, {5, 5, 3}}},
    {'6', 10, {{12, 12, 9}, {6, 6, 4}, {5, 5, 6}, {4, 3, 7}, {2, 2, 5}}},
    {'w', 0, {{12, 10, 3}, {6, 6, 2}, {5, 5, 6}}},
    {'l', 0, {{12, 10, 3}, {6, 5, 6}}},
    {'W', 0, {{12, 12, 5}, {6, 4, 2}, {3, 2, 6}}},
    {'L', 0, {{12, 12, 5}, {6, 5, 3}, {4, 2, 6}}},
    {'Q', 0, {{12, 9, 2}, {8, 7, 6}}},
    {'P', 0, {{12, 10, 3}, {9, 7, 6}}},
};

static int64_t value_of(const struct immediate *immediate, uint32_t word)
{
    uint32_t value = 0;
    const struct piece *piece = immediate->pieces;
    for (; piece < immediate->pieces + 8 && piece->high; piece++)
        value |= bits(word, piece->high, piece->low) << piece->to;
    if (!immediate->width)
        return value;
    uint32_t sign = 1u << (immediate->width - 1);
    return (int64_t)(value & (sign - 1)) - (int64_t)(value & sign);
}

// -- operands -------------------------------------------------------------------------------------

struct out {
    char *text;
    size_t size, used;
    uint64_t address; // of the instruction
};

__attribute__((format(printf, 2, 3))) static void put(struct out *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(out->text + out->used, out->size - out->used, format, arguments);
    va_end(arguments);
    out->used += (size_t)length;
    if (out->used >= out->size)
        out->used = out->size - 1;
}

static bool put_register(struct out *out, char letter, uint32_t word)
{
    static const struct {
        char letter;
        uint8_t high, low, base;
        const char *const *names;
    } fields[] = {
        {'d', 11, 7, 0, integers}, {'s', 19, 15, 0, integers}, {'t', 24, 20, 0, integers},
        {'D', 11, 7, 0, floats},   {'S', 19, 15, 0, floats},   {'T', 24, 20, 0, floats},
        {'R', 31, 27, 0, floats},  {'x', 4, 2, 8, integers},   {'y', 9, 7, 8, integers},
        {'X', 4, 2, 8, floats},    {'v', 6, 2, 0, integers},   {'V', 6, 2, 0, floats},
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
        if (fields[i].letter != letter)
            continue;
        put(out, "%s", fields[i].names[fields[i].base + bits(word, fields[i].high, fields[i].low)]);
        return true;
    }
    return false;
}

static bool put_immediate(struct out *out, char letter, uint32_t word)
{
    for (size_t i = 0; i < sizeof(immediates) / sizeof(*immediates); i++) {
        if (immediates[i].letter != letter)
            continue;
        long long value = value_of(&immediates[i], word);
        if (strchr("bjBJ", letter))
            put(out, "0x%llx", (unsigned long long)out->address + (unsigned long long)value);
        else if (strchr("hnuU", letter))
            put(out, "0x%llx", (unsigned long long)value & 0xfffff);
        else
            put(out, "%lld", value);
        return true;
    }
    return false;
}

static void put_csr(struct out *out, uint32_t word)
{
    uint32_t number = bits(word, 31, 20);
    for (const struct riscv_csr *csr = riscv_csrs; csr->name; csr++) {
        if (number - csr->number >= csr->count)
            continue;
        put(out, "%s", csr->name);
        if (csr->count > 1)
            put(out, "%u", csr->first + number - csr->number);
        return;
    }
    put(out, "0x%x", number);
}

// The accesses a fence orders.
static void put_accesses(struct out *out, uint32_t accesses)
{
    if (!accesses)
        put(out, "unknown");
    for (unsigned i = 0; i < 4; i++)
        if (accesses & 8u >> i)
            put(out, "%c", "iorw"[i]);
}

static void put_rounding(struct out *out, uint32_t mode)
{
    static const char *const modes[] = {"rne", "rtz", "rdn", "rup", "rmm", "unknown", "unknown"};
    if (mode < 7)
        put(out, ",%s", modes[mode]);
}

static void put_operand(struct out *out, char letter, uint32_t word)
{
    if (put_register(out, letter, word) || put_immediate(out, letter, word))
        return;
    if (letter == 'c')
        put_csr(out, word);
    else if (letter == 'p')
        put_accesses(out, bits(word, 27, 24));
    else if (letter == 'q')
        put_accesses(out, bits(word, 23, 20));
    else if (letter == 'r')
        put_rounding(out, bits(word, 14, 12));
}

// -- instructions ---------------------------------------------------------------------------------

static bool fits(const struct riscv_encoding *row, uint32_t word)
{
    bool same = !strncmp(row->operands, "%=", 2);
    return (word & row->mask) == row->match && (!same || bits(word, 24, 20) == bits(word, 19, 15));
}

static const char *order_of(uint32_t word)
{
    static const char *const orders[] = {"", ".rl", ".aq", ".aqrl"};
    return bits(word, 6, 0) == 0x2f ? orders[bits(word, 26, 25)] : "";
}

static void put_instruction(struct out *out, const struct riscv_encoding *table, uint32_t word)
{
    const struct riscv_encoding *row = table;
    while (row->name && !fits(row, word))
        row++;
    if (!row->name || !*row->name)
        return;
    put(out, "%s%s", row->name, order_of(word));
    if (*row->operands)
        put(out, "%*s", out->used < 8 ? (int)(9 - out->used) : 1, "");
    for (const char *at = row->operands; *at; at++)
        if (*at == '%')
            put_operand(out, *++at, word);
        else
            put(out, "%c", *at);
}

size_t report_riscv_disassemble(const uint8_t *bytes, size_t length, uint64_t address, char *to,
                                size_t size)
{
    struct out out = {.text = to, .size = size, .address = address};
    *to = 0;
    if (length < 2)
        return 0;
    uint32_t word = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8;
    if ((word & 3) != 3) {
        put_instruction(&out, riscv_halves, word);
        return 2;
    }
    if (length < 4)
        return 0;
    word |= (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
    put_instruction(&out, riscv_words, word);
    return 4;
}
