// SPDX-License-Identifier: MIT
// The instructions around the one that faulted, from the ELF file's text with the bytes the report
// printed laid over it (kernels patch themselves), or from those bytes alone.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/report/images.h"
#include "symbolizer/report/report.h"

#define REPORT_TEXT_MAX 160

struct report_instruction {
    uint64_t address; // where there is no ELF text: relative to the faulting one
    uint8_t bytes[16];
    size_t length;
    bool fault;
    char text[REPORT_TEXT_MAX]; // "" where the bytes are no instruction
};

struct report_listing {
    struct report_instruction *rows;
    size_t count;
    bool from_file;
    const char *symbol; // rows are given relative to it, too; NULL: none
    uint64_t start;     // of the symbol
};

// Around the frame's address; an empty listing where the image has no text there. `code` may be
// NULL or empty.
struct report_listing report_disassemble_frame(struct report_arena *arena,
                                               const struct report_frame *frame,
                                               const struct report_code *code);
// The bytes of a report by themselves.
struct report_listing report_disassemble_code(struct report_arena *arena, uint16_t machine,
                                              const struct report_code *code);

// One RISC-V instruction (see riscv_encodings.h), which stands at the address; "" where it is none.
// Returns its length, 0 where there are too few bytes.
size_t report_riscv_disassemble(const uint8_t *bytes, size_t length, uint64_t address, char *to,
                                size_t size);
