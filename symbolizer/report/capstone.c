// SPDX-License-Identifier: MIT
// See capstone.h. The library stays until the program ends.
#include "symbolizer/report/capstone.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct report_capstone library;
static atomic_bool complete, missing;

// POSIX has dlsym() give functions as pointers to objects, so they are stored as such.
static bool find(void *handle, const char *name, void **to)
{
    *to = dlsym(handle, name);
    return *to;
}

static void load(void)
{
    void *handle = dlopen(REPORT_CAPSTONE, RTLD_NOW | RTLD_LOCAL);
    complete = handle && find(handle, "cs_open", (void **)&library.open) &&
               find(handle, "cs_close", (void **)&library.close) &&
               find(handle, "cs_option", (void **)&library.option) &&
               find(handle, "cs_malloc", (void **)&library.alloc) &&
               find(handle, "cs_free", (void **)&library.free) &&
               find(handle, "cs_disasm_iter", (void **)&library.next);
    missing = !complete;
}

const struct report_capstone *report_capstone(void)
{
    pthread_once(&once, load);
    return complete ? &library : NULL;
}

bool report_capstone_missing(void)
{
    return missing;
}
