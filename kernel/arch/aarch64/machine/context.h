// SPDX-License-Identifier: MIT
// What arch_switch() leaves on the stack of the thread it switches away from: a frame record and
// the callee-saved registers (AAPCS64 6.1.1).
#pragma once

#define SWITCH_BYTES 96

#ifndef __ASSEMBLER__
#include <stdint.h>

struct switch_frame {
    uint64_t x29, x30;
    uint64_t x19_to_x28[10];
};

_Static_assert(sizeof(struct switch_frame) == SWITCH_BYTES, "context.S counts on it");
#endif
