// SPDX-License-Identifier: MIT
// The string functions and the symbol table as this machine compiled them. The host's unit test
// goes through every alignment; here a few that cross words, pages of text, and the real symbols.
#include <string.h>

#include "kernel/lib/ksyms.h"
#include "kernel/test/ktest.h"

KTEST(string, copies, "copies between all alignments of a word")
{
    static uint8_t from[64], to[64];
    for (size_t i = 0; i < sizeof(from); i++)
        from[i] = (uint8_t)(i + 1);
    for (size_t a = 0; a < 8; a++) {
        for (size_t b = 0; b < 8; b++) {
            memset(to, 0, sizeof(to));
            memcpy(to + a, from + b, 41);
            EXPECT_EQ(memcmp(to + a, from + b, 41), 0);
            EXPECT(a == 0 || to[a - 1] == 0);
            EXPECT_EQ(to[a + 41], 0);
        }
    }
}

KTEST(string, moves, "moves overlapping bytes")
{
    char text[] = "abcdefghijklmnopqrstuvwxyz";
    memmove(text + 2, text, 20);
    EXPECT_EQ(strcmp(text, "ababcdefghijklmnopqrstwxyz"), 0);
    memmove(text, text + 2, 20);
    EXPECT_EQ(strncmp(text, "abcdefghijklmnopqrst", 20), 0);
}

KTEST(ksyms, round_trip, "finds a function by address and by name")
{
    const char *name = NULL;
    uintptr_t start = 0;
    size_t size = 0;
    uintptr_t address = (uintptr_t)ksyms_lookup;
    EXPECT(ksyms_lookup(address + 4, &name, &start, &size));
    EXPECT_EQ(strcmp(name, "ksyms_lookup"), 0);
    EXPECT_EQ(start, address);
    EXPECT(size > 4);
    EXPECT_EQ(ksyms_address("ksyms_lookup"), address);
}

KTEST(ksyms, outside, "finds nothing outside the text")
{
    static char data;
    EXPECT(!ksyms_lookup((uintptr_t)&data, NULL, NULL, NULL));
    EXPECT(!ksyms_lookup(0, NULL, NULL, NULL));
    EXPECT(!ksyms_lookup(UINTPTR_MAX, NULL, NULL, NULL));
    EXPECT_EQ(ksyms_address("no such function"), 0);
}
