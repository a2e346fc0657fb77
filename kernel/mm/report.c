// SPDX-License-Identifier: MIT
// Names of code addresses in the reports of kernel/mm about misused memory.
#include "kernel/mm/report.h"

#include "kdebug/kdebug.h"

const char *mm_symbol(char to[MM_SYMBOL_MAX], uintptr_t address)
{
    struct kd_text text;
    kd_text_init(&text, to, MM_SYMBOL_MAX);
    if (address == 0)
        kd_text_string(&text, "nobody known");
    else
        kd_text_symbol(&text, address);
    return to;
}
