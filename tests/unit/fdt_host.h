// SPDX-License-Identifier: MIT
// What kernel/lib/include/string.h has and the host's C library may lack; put before each file of
// the device-tree tests by the compiler's -include.
#pragma once

#include <stddef.h>

size_t strlcpy(char *to, const char *from, size_t size);
