// SPDX-License-Identifier: MIT
// How a function begins and ends in the machines' entry.S. For assembly only.
#pragma once

#define FUNCTION(name)                                                                             \
    .globl name;                                                                                   \
    .type name, STT_FUNC;                                                                          \
    .balign 16;                                                                                    \
    name:                                                                                          \
    .cfi_startproc
#define END(name)                                                                                  \
    .cfi_endproc;                                                                                  \
    .size name, .- name
