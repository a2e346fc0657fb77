// SPDX-License-Identifier: MIT
// A second unit of the same program, with the same inlined functions.
#include "helper.h"
volatile int helper_state;
int third(int x);
int second(int x)
{
    return helper_mix(x, 5) + third(x);
}
int third(int x)
{
    return helper_clamp(x, 1, 9) ^ helper_state;
}
