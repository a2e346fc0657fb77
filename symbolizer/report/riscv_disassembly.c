// SPDX-License-Identifier: MIT
// RISC-V instructions as text: RV64I, M, A, C, Zicsr, Zifencei and the privileged ones, as a table
// of encodings (Unprivileged ISA, chapter "RV32/64G Instruction Set Listings"; "C" extension,
// tables of RVC quadrants; Privileged ISA, "RISC-V Privileged Instruction Set Listings"). Loads and
// stores of F and D are there because kernels save registers; its arithmetic is not.
#include "symbolizer/report/disassembly.h"

#include <stdio.h>
#include <string.h>

static const char *const names[32] = {
    "zero", "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "s0", "s1", "a0",
    "a1",   "a2", "a3", "a4", "a5",  "a6",  "a7", "s2", "s3", "s4", "s5",
    "s6",   "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
};

// Bits high..low of an instruction.
static uint32_t bits(uint32_t word, unsigned high, unsigned low)
{
    return word >> low & ((1u << (high - low + 1)) - 1);
}

// The value's lowest `width` bits as a signed number.
static int64_t signed_bits(uint32_t value, unsigned width)
{
    uint32_t sign = 1u << (width - 1);
    return (int64_t)(value & (sign - 1)) - (int64_t)(value & sign);
}

static const char *rd(uint32_t word)
{
    return names[bits(word, 11, 7)];
}
static const char *rs1(uint32_t word)
{
    return names[bits(word, 19, 15)];
}
static const char *rs2(uint32_t word)
{
    return names[bits(word, 24, 20)];
}
// The compressed forms' registers of three bits, x8 to x15.
static const char *short_high(uint32_t word)
{
    return names[8 + bits(word, 9, 7)];
}
static const char *short_low(uint32_t word)
{
    return names[8 + bits(word, 4, 2)];
}

struct out {
    char *text;
    size_t size;
    uint64_t address;
};

// -- operands of 32-bit instructions --------------------------------------------------------------

typedef void operands(struct out *out, uint32_t word);
#define PUT(...)   snprintf(out->text, out->size, __VA_ARGS__)
#define HEX(value) (unsigned long long)(value)

static void op_none(struct out *out, uint32_t word)
{
    (void)word;
    PUT("%s", "");
}
static void op_r(struct out *out, uint32_t word)
{
    PUT("%s,%s,%s", rd(word), rs1(word), rs2(word));
}
static void op_i(struct out *out, uint32_t word)
{
    PUT("%s,%s,%lld", rd(word), rs1(word), (long long)signed_bits(word >> 20, 12));
}
static void op_shift(struct out *out, uint32_t word)
{
    PUT("%s,%s,%u", rd(word), rs1(word), bits(word, 25, 20));
}
static void op_load(struct out *out, uint32_t word)
{
    PUT("%s,%lld(%s)", rd(word), (long long)signed_bits(word >> 20, 12), rs1(word));
}
static int64_t store_offset(uint32_t word)
{
    return signed_bits(bits(word, 31, 25) << 5 | bits(word, 11, 7), 12);
}
static void op_store(struct out *out, uint32_t word)
{
    PUT("%s,%lld(%s)", rs2(word), (long long)store_offset(word), rs1(word));
}
static void op_float_load(struct out *out, uint32_t word)
{
    PUT("f%u,%lld(%s)", bits(word, 11, 7), (long long)signed_bits(word >> 20, 12), rs1(word));
}
static void op_float_store(struct out *out, uint32_t word)
{
    PUT("f%u,%lld(%s)", bits(word, 24, 20), (long long)store_offset(word), rs1(word));
}
static void op_branch(struct out *out, uint32_t word)
{
    uint32_t offset = bits(word, 31, 31) << 12 | bits(word, 7, 7) << 11 | bits(word, 30, 25) << 5 |
                      bits(word, 11, 8) << 1;
    PUT("%s,%s,0x%llx", rs1(word), rs2(word),
        HEX(out->address + (uint64_t)signed_bits(offset, 13)));
}
static void op_upper(struct out *out, uint32_t word)
{
    PUT("%s,0x%x", rd(word), bits(word, 31, 12));
}
static void op_jump(struct out *out, uint32_t word)
{
    uint32_t offset = bits(word, 31, 31) << 20 | bits(word, 19, 12) << 12 |
                      bits(word, 20, 20) << 11 | bits(word, 30, 21) << 1;
    PUT("%s,0x%llx", rd(word), HEX(out->address + (uint64_t)signed_bits(offset, 21)));
}
static void op_csr(struct out *out, uint32_t word)
{
    static const struct {
        unsigned number;
        const char *name;
    } csrs[] = {
        {0x100, "sstatus"},  {0x104, "sie"},   {0x105, "stvec"},   {0x106, "scounteren"},
        {0x140, "sscratch"}, {0x141, "sepc"},  {0x142, "scause"},  {0x143, "stval"},
        {0x144, "sip"},      {0x180, "satp"},  {0x300, "mstatus"}, {0x341, "mepc"},
        {0x342, "mcause"},   {0xc00, "cycle"}, {0xc01, "time"},    {0xc02, "instret"},
        {0xf14, "mhartid"},
    };
    char number[8];
    const char *csr = number;
    snprintf(number, sizeof(number), "0x%x", bits(word, 31, 20));
    for (size_t i = 0; i < sizeof(csrs) / sizeof(*csrs); i++)
        if (csrs[i].number == bits(word, 31, 20))
            csr = csrs[i].name;
    if (bits(word, 14, 14))
        PUT("%s,%s,%u", rd(word), csr, bits(word, 19, 15));
    else
        PUT("%s,%s,%s", rd(word), csr, rs1(word));
}
static void op_atomic(struct out *out, uint32_t word)
{
    PUT("%s,%s,(%s)", rd(word), rs2(word), rs1(word));
}
static void op_reserved(struct out *out, uint32_t word)
{
    PUT("%s,(%s)", rd(word), rs1(word));
}
static void op_two(struct out *out, uint32_t word)
{
    PUT("%s,%s", rs1(word), rs2(word));
}

struct encoding {
    uint32_t mask, match;
    const char *name;
    operands *operands;
};

#define F3(three, opcode)         0x707f, (three) << 12 | (opcode)
#define F37(seven, three, opcode) 0xfe00707f, (uint32_t)(seven) << 25 | (three) << 12 | (opcode)
#define AMO(five, three)          0xf800707f, (uint32_t)(five) << 27 | (three) << 12 | 0x2f

// Special cases stand above what they are a case of.
static const struct encoding encodings[] = {
    {0xffffffff, 0x00000013, "nop", op_none},
    {0xffffffff, 0x00008067, "ret", op_none},
    {0xffffffff, 0x00000073, "ecall", op_none},
    {0xffffffff, 0x00100073, "ebreak", op_none},
    {0xffffffff, 0x10200073, "sret", op_none},
    {0xffffffff, 0x30200073, "mret", op_none},
    {0xffffffff, 0x10500073, "wfi", op_none},
    {0xfe007fff, 0x12000073, "sfence.vma", op_two},
    {F3(0, 0x0f), "fence", op_none},
    {F3(1, 0x0f), "fence.i", op_none},
    {0x7f, 0x37, "lui", op_upper},
    {0x7f, 0x17, "auipc", op_upper},
    {0x7f, 0x6f, "jal", op_jump},
    {F3(0, 0x67), "jalr", op_load},
    {F3(0, 0x63), "beq", op_branch},
    {F3(1, 0x63), "bne", op_branch},
    {F3(4, 0x63), "blt", op_branch},
    {F3(5, 0x63), "bge", op_branch},
    {F3(6, 0x63), "bltu", op_branch},
    {F3(7, 0x63), "bgeu", op_branch},
    {F3(0, 0x03), "lb", op_load},
    {F3(1, 0x03), "lh", op_load},
    {F3(2, 0x03), "lw", op_load},
    {F3(3, 0x03), "ld", op_load},
    {F3(4, 0x03), "lbu", op_load},
    {F3(5, 0x03), "lhu", op_load},
    {F3(6, 0x03), "lwu", op_load},
    {F3(0, 0x23), "sb", op_store},
    {F3(1, 0x23), "sh", op_store},
    {F3(2, 0x23), "sw", op_store},
    {F3(3, 0x23), "sd", op_store},
    {F3(2, 0x07), "flw", op_float_load},
    {F3(3, 0x07), "fld", op_float_load},
    {F3(2, 0x27), "fsw", op_float_store},
    {F3(3, 0x27), "fsd", op_float_store},
    {F3(0, 0x13), "addi", op_i},
    {F3(2, 0x13), "slti", op_i},
    {F3(3, 0x13), "sltiu", op_i},
    {F3(4, 0x13), "xori", op_i},
    {F3(6, 0x13), "ori", op_i},
    {F3(7, 0x13), "andi", op_i},
    {0xfc00707f, 0x00001013, "slli", op_shift},
    {0xfc00707f, 0x00005013, "srli", op_shift},
    {0xfc00707f, 0x40005013, "srai", op_shift},
    {F3(0, 0x1b), "addiw", op_i},
    {F37(0x00, 1, 0x1b), "slliw", op_shift},
    {F37(0x00, 5, 0x1b), "srliw", op_shift},
    {F37(0x20, 5, 0x1b), "sraiw", op_shift},
    {F37(0x00, 0, 0x33), "add", op_r},
    {F37(0x20, 0, 0x33), "sub", op_r},
    {F37(0x00, 1, 0x33), "sll", op_r},
    {F37(0x00, 2, 0x33), "slt", op_r},
    {F37(0x00, 3, 0x33), "sltu", op_r},
    {F37(0x00, 4, 0x33), "xor", op_r},
    {F37(0x00, 5, 0x33), "srl", op_r},
    {F37(0x20, 5, 0x33), "sra", op_r},
    {F37(0x00, 6, 0x33), "or", op_r},
    {F37(0x00, 7, 0x33), "and", op_r},
    {F37(0x00, 0, 0x3b), "addw", op_r},
    {F37(0x20, 0, 0x3b), "subw", op_r},
    {F37(0x00, 1, 0x3b), "sllw", op_r},
    {F37(0x00, 5, 0x3b), "srlw", op_r},
    {F37(0x20, 5, 0x3b), "sraw", op_r},
    {F37(0x01, 0, 0x33), "mul", op_r},
    {F37(0x01, 1, 0x33), "mulh", op_r},
    {F37(0x01, 2, 0x33), "mulhsu", op_r},
    {F37(0x01, 3, 0x33), "mulhu", op_r},
    {F37(0x01, 4, 0x33), "div", op_r},
    {F37(0x01, 5, 0x33), "divu", op_r},
    {F37(0x01, 6, 0x33), "rem", op_r},
    {F37(0x01, 7, 0x33), "remu", op_r},
    {F37(0x01, 0, 0x3b), "mulw", op_r},
    {F37(0x01, 4, 0x3b), "divw", op_r},
    {F37(0x01, 5, 0x3b), "divuw", op_r},
    {F37(0x01, 6, 0x3b), "remw", op_r},
    {F37(0x01, 7, 0x3b), "remuw", op_r},
    {F3(1, 0x73), "csrrw", op_csr},
    {F3(2, 0x73), "csrrs", op_csr},
    {F3(3, 0x73), "csrrc", op_csr},
    {F3(5, 0x73), "csrrwi", op_csr},
    {F3(6, 0x73), "csrrsi", op_csr},
    {F3(7, 0x73), "csrrci", op_csr},
    {AMO(0x02, 2), "lr.w", op_reserved},
    {AMO(0x02, 3), "lr.d", op_reserved},
    {AMO(0x03, 2), "sc.w", op_atomic},
    {AMO(0x03, 3), "sc.d", op_atomic},
    {AMO(0x01, 2), "amoswap.w", op_atomic},
    {AMO(0x01, 3), "amoswap.d", op_atomic},
    {AMO(0x00, 2), "amoadd.w", op_atomic},
    {AMO(0x00, 3), "amoadd.d", op_atomic},
    {AMO(0x04, 2), "amoxor.w", op_atomic},
    {AMO(0x04, 3), "amoxor.d", op_atomic},
    {AMO(0x0c, 2), "amoand.w", op_atomic},
    {AMO(0x0c, 3), "amoand.d", op_atomic},
    {AMO(0x08, 2), "amoor.w", op_atomic},
    {AMO(0x08, 3), "amoor.d", op_atomic},
};

// -- operands of 16-bit instructions --------------------------------------------------------------

static void c_addi4spn(struct out *out, uint32_t word)
{
    PUT("%s,sp,%u", short_low(word),
        bits(word, 12, 11) << 4 | bits(word, 10, 7) << 6 | bits(word, 6, 6) << 2 |
            bits(word, 5, 5) << 3);
}
static uint32_t word_offset(uint32_t word)
{
    return bits(word, 12, 10) << 3 | bits(word, 6, 6) << 2 | bits(word, 5, 5) << 6;
}
static uint32_t double_offset(uint32_t word)
{
    return bits(word, 12, 10) << 3 | bits(word, 6, 5) << 6;
}
static void c_word(struct out *out, uint32_t word)
{
    PUT("%s,%u(%s)", short_low(word), word_offset(word), short_high(word));
}
static void c_double(struct out *out, uint32_t word)
{
    PUT("%s,%u(%s)", short_low(word), double_offset(word), short_high(word));
}
static void c_float(struct out *out, uint32_t word)
{
    PUT("f%u,%u(%s)", 8 + bits(word, 4, 2), double_offset(word), short_high(word));
}
static int64_t c_immediate(uint32_t word)
{
    return signed_bits(bits(word, 12, 12) << 5 | bits(word, 6, 2), 6);
}
static void c_i(struct out *out, uint32_t word)
{
    PUT("%s,%s,%lld", rd(word), rd(word), (long long)c_immediate(word));
}
static void c_li(struct out *out, uint32_t word)
{
    PUT("%s,%lld", rd(word), (long long)c_immediate(word));
}
static void c_lui(struct out *out, uint32_t word)
{
    PUT("%s,0x%llx", rd(word), HEX(c_immediate(word) & 0xfffff));
}
static void c_addi16sp(struct out *out, uint32_t word)
{
    uint32_t offset = bits(word, 12, 12) << 9 | bits(word, 6, 6) << 4 | bits(word, 5, 5) << 6 |
                      bits(word, 4, 3) << 7 | bits(word, 2, 2) << 5;
    PUT("sp,sp,%lld", (long long)signed_bits(offset, 10));
}
static void c_short_shift(struct out *out, uint32_t word)
{
    PUT("%s,%s,%u", short_high(word), short_high(word), bits(word, 12, 12) << 5 | bits(word, 6, 2));
}
static void c_shift(struct out *out, uint32_t word)
{
    PUT("%s,%s,%u", rd(word), rd(word), bits(word, 12, 12) << 5 | bits(word, 6, 2));
}
static void c_andi(struct out *out, uint32_t word)
{
    PUT("%s,%s,%lld", short_high(word), short_high(word), (long long)c_immediate(word));
}
static void c_r(struct out *out, uint32_t word)
{
    PUT("%s,%s,%s", short_high(word), short_high(word), short_low(word));
}
static void c_jump(struct out *out, uint32_t word)
{
    uint32_t offset = bits(word, 12, 12) << 11 | bits(word, 11, 11) << 4 | bits(word, 10, 9) << 8 |
                      bits(word, 8, 8) << 10 | bits(word, 7, 7) << 6 | bits(word, 6, 6) << 7 |
                      bits(word, 5, 3) << 1 | bits(word, 2, 2) << 5;
    PUT("0x%llx", HEX(out->address + (uint64_t)signed_bits(offset, 12)));
}
static void c_branch(struct out *out, uint32_t word)
{
    uint32_t offset = bits(word, 12, 12) << 8 | bits(word, 11, 10) << 3 | bits(word, 6, 5) << 6 |
                      bits(word, 4, 3) << 1 | bits(word, 2, 2) << 5;
    PUT("%s,0x%llx", short_high(word), HEX(out->address + (uint64_t)signed_bits(offset, 9)));
}
static void c_register(struct out *out, uint32_t word)
{
    PUT("%s", rd(word));
}
static void c_move(struct out *out, uint32_t word)
{
    PUT("%s,%s", rd(word), names[bits(word, 6, 2)]);
}
static void c_add(struct out *out, uint32_t word)
{
    PUT("%s,%s,%s", rd(word), rd(word), names[bits(word, 6, 2)]);
}
static void c_load_word_sp(struct out *out, uint32_t word)
{
    PUT("%s,%u(sp)", rd(word),
        bits(word, 12, 12) << 5 | bits(word, 6, 4) << 2 | bits(word, 3, 2) << 6);
}
static uint32_t load_double_sp(uint32_t word)
{
    return bits(word, 12, 12) << 5 | bits(word, 6, 5) << 3 | bits(word, 4, 2) << 6;
}
static void c_load_double_sp(struct out *out, uint32_t word)
{
    PUT("%s,%u(sp)", rd(word), load_double_sp(word));
}
static void c_load_float_sp(struct out *out, uint32_t word)
{
    PUT("f%u,%u(sp)", bits(word, 11, 7), load_double_sp(word));
}
static void c_store_word_sp(struct out *out, uint32_t word)
{
    PUT("%s,%u(sp)", names[bits(word, 6, 2)], bits(word, 12, 9) << 2 | bits(word, 8, 7) << 6);
}
static uint32_t store_double_sp(uint32_t word)
{
    return bits(word, 12, 10) << 3 | bits(word, 9, 7) << 6;
}
static void c_store_double_sp(struct out *out, uint32_t word)
{
    PUT("%s,%u(sp)", names[bits(word, 6, 2)], store_double_sp(word));
}
static void c_store_float_sp(struct out *out, uint32_t word)
{
    PUT("f%u,%u(sp)", bits(word, 6, 2), store_double_sp(word));
}

#define C3(three, quadrant) 0xe003, (three) << 13 | (quadrant)

static const struct encoding compressed[] = {
    {0xffff, 0x0000, "", op_none}, // defined to be illegal
    {C3(0, 0), "addi", c_addi4spn},
    {C3(1, 0), "fld", c_float},
    {C3(2, 0), "lw", c_word},
    {C3(3, 0), "ld", c_double},
    {C3(5, 0), "fsd", c_float},
    {C3(6, 0), "sw", c_word},
    {C3(7, 0), "sd", c_double},
    {0xef83, 0x0001, "nop", op_none},
    {C3(0, 1), "addi", c_i},
    {C3(1, 1), "addiw", c_i},
    {C3(2, 1), "li", c_li},
    {0xef83, 0x6101, "addi", c_addi16sp},
    {C3(3, 1), "lui", c_lui},
    {0xec03, 0x8001, "srli", c_short_shift},
    {0xec03, 0x8401, "srai", c_short_shift},
    {0xec03, 0x8801, "andi", c_andi},
    {0xfc63, 0x8c01, "sub", c_r},
    {0xfc63, 0x8c21, "xor", c_r},
    {0xfc63, 0x8c41, "or", c_r},
    {0xfc63, 0x8c61, "and", c_r},
    {0xfc63, 0x9c01, "subw", c_r},
    {0xfc63, 0x9c21, "addw", c_r},
    {C3(5, 1), "j", c_jump},
    {C3(6, 1), "beqz", c_branch},
    {C3(7, 1), "bnez", c_branch},
    {C3(0, 2), "slli", c_shift},
    {C3(1, 2), "fld", c_load_float_sp},
    {C3(2, 2), "lw", c_load_word_sp},
    {C3(3, 2), "ld", c_load_double_sp},
    {0xffff, 0x8082, "ret", op_none},
    {0xf07f, 0x8002, "jr", c_register},
    {0xf003, 0x8002, "mv", c_move},
    {0xffff, 0x9002, "ebreak", op_none},
    {0xf07f, 0x9002, "jalr", c_register},
    {0xf003, 0x9002, "add", c_add},
    {C3(5, 2), "fsd", c_store_float_sp},
    {C3(6, 2), "sw", c_store_word_sp},
    {C3(7, 2), "sd", c_store_double_sp},
};

// -- both -----------------------------------------------------------------------------------------

static void put(const struct encoding *table, size_t count, uint32_t word, uint64_t address,
                char *to, size_t size)
{
    char text[REPORT_TEXT_MAX] = "";
    for (size_t i = 0; i < count; i++) {
        if ((word & table[i].mask) != table[i].match)
            continue;
        struct out out = {text, sizeof(text), address};
        table[i].operands(&out, word);
        snprintf(to, size, *text ? "%-8s %.100s" : "%s%.0s", table[i].name, text);
        return;
    }
    *to = 0;
}

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

size_t report_riscv_disassemble(const uint8_t *bytes, size_t length, uint64_t address, char *to,
                                size_t size)
{
    *to = 0;
    if (length < 2)
        return 0;
    uint32_t word = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8;
    if ((word & 3) != 3) {
        put(compressed, COUNT(compressed), word, address, to, size);
        return 2;
    }
    if (length < 4)
        return 0;
    word |= (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
    put(encodings, COUNT(encodings), word, address, to, size);
    return 4;
}
