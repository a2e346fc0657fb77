// SPDX-License-Identifier: MIT
// What the C library adds to the compiler's own <limits.h>, which looks for this file: nothing
// here.
