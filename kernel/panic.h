// SPDX-License-Identifier: MIT
// The end of the line: prints the report and enters the debugger or obeys `panic=`.
#pragma once

#include "kernel/lib/base.h"

// Any context. The reason is one line without a newline.
_Noreturn void panic(const char *format, ...) __printf(1, 2);

#define ASSERT(condition)                                                                          \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                     \
            panic("assertion failed: %s (%s:%d)", #condition, __FILE__, __LINE__);                 \
    } while (0)
