// SPDX-License-Identifier: MIT
// Writing a file so that nobody ever sees half of it.
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "symbolizer/cursor.h"

// Puts the pieces, one behind the other, in place of the file `to`: a reader finds the old file or
// the new one. Folders of the path that do not exist are made.
struct error *sym_file_write(const char *to, const struct sym_bytes *pieces, size_t count);
