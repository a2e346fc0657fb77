// SPDX-License-Identifier: MIT
// Self-tests inside the kernel, beside the code they test (*_test.c), run by `test` or `test=NAME`
// on the command line in KTAP, ending in a power-off. Each test runs in a thread of its own on a
// whole kernel; pages and objects must be as many after it as before.
#pragma once

#include "kernel/lib/base.h"
#include "kernel/lib/table.h"

struct ktest {
    const char *suite, *name; // "page", "merges buddies"
    void (*run)(void);
};
TABLE_DECLARE(ktest, struct ktest);

#define KTEST(suite, ident, name)                                                                  \
    static void ktest_##suite##_##ident(void);                                                     \
    TABLE_ROW(ktest, struct ktest, ktest_row_##suite##_##ident) = {#suite, name,                   \
                                                                   ktest_##suite##_##ident};       \
    static void ktest_##suite##_##ident(void)

// Fails the running test and leaves it at once (thread_exit): hold no lock across an EXPECT.
// Helper threads of a test must not use EXPECT but hand results back.
_Noreturn void ktest_fail(const char *file, int line, const char *format, ...) __printf(3, 4);
#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition))                                                                          \
            ktest_fail(__FILE__, __LINE__, "expected %s", #condition);                             \
    } while (0)
#define EXPECT_EQ(a, b)                                                                            \
    do {                                                                                           \
        long long expect_a_ = (long long)(a), expect_b_ = (long long)(b);                          \
        if (expect_a_ != expect_b_)                                                                \
            ktest_fail(__FILE__, __LINE__, "%s is %lld, expected %lld (%s)", #a, expect_a_,        \
                       expect_b_, #b);                                                             \
    } while (0)
// Skips the rest with a reason (KTAP `# SKIP`): for what a machine truly lacks.
_Noreturn void ktest_skip(const char *reason);

void ktest_run_all(const char *filter); // NULL: all; ends with a power-off
