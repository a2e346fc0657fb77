// SPDX-License-Identifier: MIT
// The saved state of an interrupted context on AArch64 (Arm ARM DDI 0487, D1.3 exception entry).
#pragma once

#include <stdint.h>

struct kd_frame {
    uint64_t x[31]; // x29 frame pointer, x30 link register
    uint64_t sp;
    uint64_t pc;     // ELR_EL1
    uint64_t pstate; // SPSR_EL1
    uint64_t pmr;    // ICC_PMR_EL1 (GICv3) or 0: the interrupt mask is part of the context
    uint64_t esr;
    uint64_t far;
    uint64_t record[2]; // a frame record {fp, pc} that links unwinders to the interrupted frame
    uint64_t reserved;
};

_Static_assert(sizeof(struct kd_frame) == 40 * 8, "a multiple of 16: sp stays aligned");
