// SPDX-License-Identifier: MIT
// The disassembler library, brought in when the first instruction is to be shown. Its tables are
// three megabytes that the loader relocates when a program linked with it starts: most of the time
// and a third of the memory of a lookup, which shows no instructions.
#pragma once

#include <capstone/capstone.h>
#include <stdbool.h>

#define REPORT_CAPSTONE_STRING(major) "libcapstone.so." #major
#define REPORT_CAPSTONE_NAME(major)   REPORT_CAPSTONE_STRING(major)
// Of the version whose header this is compiled with; another one has other structures.
#define REPORT_CAPSTONE REPORT_CAPSTONE_NAME(CS_API_MAJOR)

struct report_capstone {
    __typeof__(cs_open) *open;
    __typeof__(cs_close) *close;
    __typeof__(cs_option) *option;
    __typeof__(cs_malloc) *alloc;
    __typeof__(cs_free) *free;
    __typeof__(cs_disasm_iter) *next;
};

// Any thread. NULL: it is not installed, or lacks one of these functions.
const struct report_capstone *report_capstone(void);
// Any thread. Whether it was wanted and is not there.
bool report_capstone_missing(void);
