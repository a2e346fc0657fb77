// SPDX-License-Identifier: MIT
// The saved state of an interrupted context on RISC-V 64 (privileged architecture 1.12, 4.1).
#pragma once

#include <stdint.h>

struct kd_frame {
    uint64_t x[32]; // x[0] is always 0; x1 ra, x2 sp, x3 gp, x4 tp, x8 fp
    uint64_t pc;    // sepc
    uint64_t sstatus;
    uint64_t scause;
    uint64_t stval;
};

_Static_assert(sizeof(struct kd_frame) == 36 * 8, "a multiple of 16: sp stays aligned");
