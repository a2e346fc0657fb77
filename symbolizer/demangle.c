// SPDX-License-Identifier: MIT
// Readable forms of mangled names, by libiberty's demangler: the one binutils and gdb use, so that
// names look the same here.
#include <libiberty/demangle.h>
#include <string.h>

#include "symbolizer/symbolizer.h"

bool sym_is_mangled(const char *name)
{
    // C++ and old Rust, then Rust since 2019. Plain names are not worth a call of the demangler.
    return name[0] == '_' && (name[1] == 'Z' || name[1] == 'R');
}

char *sym_demangle(const char *name)
{
    if (!sym_is_mangled(name) && strncmp(name, "_GLOBAL_", 8) != 0)
        return NULL;
    return cplus_demangle(name, DMGL_AUTO | DMGL_PARAMS | DMGL_ANSI);
}
