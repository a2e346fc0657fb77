// SPDX-License-Identifier: MIT
// How RISC-V instructions are encoded, as data that riscv_disassembly.c walks: RV64GC, which is I,
// M, A, F, D, C, Zicsr and Zifencei, and the privileged instructions, by the names and with the
// short forms of objdump (Unprivileged ISA 20191213, chapters 16, 24 and 25; Privileged ISA
// 20211203, sections 2.2 and 3.3).
#pragma once

#include <stdint.h>

// A row is the instruction's whose bits under the mask are those of `match`; the first that fits
// counts, so short forms stand above what they are a form of.
//
// In the operands % and a letter stand for a field:
//   d s t     integer registers rd, rs1, rs2         i   12-bit immediate of loads and arithmetic
//   D S T R   float registers rd, rs1, rs2, rs3      o   12-bit offset of stores
//   h         shift amount                           u   20-bit upper immediate
//   b j       target of a branch, of a jump          c   control and status register
//   z         5-bit immediate of csr instructions    p q fence's predecessors and successors
//   r         rounding mode with a comma before it, nothing where it is the dynamic one
//   =         nothing; the row is only for rs1 = rs2
// and in 16-bit instructions (d, D as above)
//   x y X     rd' or rs2', rs1' or rd', float rd'    v V   rs2 in bits 6 to 2, the same as float
//   k n U     6-bit immediate, shift amount, lui's   J B   target of a jump, of a branch
//   4 6       immediate of addi4spn, of addi16sp     w l   offset of words, of double words
//   W L       offset from sp of loads: words, double words
//   Q P       the same of stores
struct riscv_encoding {
    uint32_t mask, match;
    const char *name; // "": it is defined to be illegal
    const char *operands;
};

extern const struct riscv_encoding riscv_words[];  // 32 bits; ends with {0}
extern const struct riscv_encoding riscv_halves[]; // 16 bits; ends with {0}

// `count` registers from `number` on, called by the name and, unless it is one, `first` and so on.
struct riscv_csr {
    uint16_t number, count;
    const char *name;
    unsigned first;
};
extern const struct riscv_csr riscv_csrs[]; // ends with {0}
