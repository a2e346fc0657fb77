// SPDX-License-Identifier: MIT
// The saved state of an interrupted context on x86-64. The last five words are what the CPU pushes
// (Intel SDM volume 3, 6.14), the rest what the entry code pushes above them, lowest address first.
#pragma once

#include <stdint.h>

struct kd_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector; // 0 .. 255
    uint64_t error;  // the CPU's error code, 0 where it pushes none
    uint64_t rip, cs, rflags, rsp, ss;
};

_Static_assert(sizeof(struct kd_frame) == 22 * 8, "the entry code in assembly relies on it");
