// SPDX-License-Identifier: MIT
// Lines of source files, where they are on this machine. Which file it is comes from an ELF file
// that may be hostile: only ordinary files of an ordinary size are opened.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "symbolizer/report/cursor.h"

struct report_sources;

// `folders` ends with NULL, may be NULL, and must live as long: trees to look in for what is not
// where it was compiled.
struct report_sources *report_sources_create(const char *const *folders);
void report_sources_destroy(struct report_sources *sources);
// The line, from 1, without its end; at == NULL: no such file or line. Valid until the next call.
struct report_span report_source_line(struct report_sources *sources, const char *file,
                                      uint32_t line);
