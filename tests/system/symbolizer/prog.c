// SPDX-License-Identifier: MIT
// The program of tests/system/test_symbolizer.py: calls inlined into calls, from this file and from
// a header, in two sections.
#include "helper.h"
struct list {
    struct list *next;
    int value;
};
extern volatile int sink;
volatile int sink;
static inline __attribute__((always_inline)) int twice(int x)
{
    sink = x;
    return 2 * x;
}
static int sum(const struct list *list)
{
    int total = 0;
    for (; list; list = list->next)
        total += twice(list->value) + helper_clamp(list->value, 3, 40);
    return total;
}
__attribute__((noinline)) int cold_path(int x)
{
    if (__builtin_expect(x > 1000, 0)) {
        sink = x * 3;
        __builtin_trap();
    }
    return helper_mix(x, sink);
}
__attribute__((section(".text.other"))) int elsewhere(int x)
{
    return twice(x) + cold_path(x);
}
__attribute__((noinline)) static int unused_but_kept(int x)
{
    return helper_mix(x, x);
}
int dropped(int x)
{
    return unused_but_kept(x) + 1;
}
int main(int argc, char **argv)
{
    struct list a = {0, argc}, b = {&a, argc * 2};
    (void)argv;
    return sum(&b) + elsewhere(argc) + cold_path(argc);
}
