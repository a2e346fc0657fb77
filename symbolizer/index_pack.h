// SPDX-License-Identifier: MIT
// The packed form of an index, for index_read.c, which has the index mapped.
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "symbolizer/cursor.h"

bool index_is_packed(struct sym_bytes file);

// Unpacks into memory of its own, to be given back with munmap(). `path` is for messages.
struct error *index_unpack(const char *path, struct sym_bytes packed, struct sym_bytes *out);

// Writes the packed form of an index to a file, in one step.
struct error *index_pack(struct sym_bytes index, const char *to);
