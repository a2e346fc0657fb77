// SPDX-License-Identifier: MIT
// Readable forms of mangled names, by libiberty's demangler: the one binutils and gdb use, so that
// names look the same here.
#include <libiberty/demangle.h>
#include <string.h>

#include "symbolizer/symbolizer.h"

char *sym_demangle(const char *name)
{
    // The demangler takes any word for a type when asked nicely; these are how mangled names begin:
    // Itanium C++ and old Rust, new Rust, and D.
    if (strncmp(name, "_Z", 2) != 0 && strncmp(name, "_R", 2) != 0 && strncmp(name, "_D", 2) != 0)
        return NULL;
    return cplus_demangle(name, DMGL_AUTO | DMGL_PARAMS | DMGL_ANSI);
}
