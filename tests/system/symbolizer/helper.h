// SPDX-License-Identifier: MIT
// What both units inline.
static inline int helper_low(int x, int low)
{
    return x < low ? low : x;
}
static inline __attribute__((always_inline)) int helper_clamp(int x, int low, int high)
{
    x = helper_low(x, low);
    return x > high ? high : x;
}
extern volatile int helper_state;
static inline __attribute__((always_inline)) int helper_mix(int x, int y)
{
    helper_state += x;
    for (int i = 0; i < (y & 7); i++)
        x = x * 31 + helper_clamp(y, i, 100);
    return x;
}
