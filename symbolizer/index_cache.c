// SPDX-License-Identifier: MIT
// Where the cache keeps indexes. Names are made of the build-id, so that copies of a file share
// one; a file without one is known by its path.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/index.h"
#include "symbolizer/index_buffer.h"

#define SUFFIX ".fidx"

// The folder, to be freed; NULL: there is no home.
static char *cache_folder(void)
{
    // XDG's rule: a relative path is to be ignored.
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char *folder = NULL;
    int length = -1;
    if (cache && cache[0] == '/')
        length = asprintf(&folder, "%s/fathom/index", cache);
    else if (home && home[0] == '/')
        length = asprintf(&folder, "%s/.cache/fathom/index", home);
    return length < 0 ? NULL : folder;
}

static uint64_t hash_of(const char *path)
{
    uint64_t hash = 0;
    for (; *path; path++)
        hash = index_mix(hash, (unsigned char)*path);
    return hash;
}

struct error *sym_index_cache_path(const struct sym_elf *elf, char **out)
{
    *out = NULL;
    char *folder = cache_folder();
    if (!folder)
        return error_make(EXIT_FAILED, "no folder for the index: set HOME or XDG_CACHE_HOME, or "
                                       "name a file with -o");
    char name[2 * 64 + 8];
    int length;
    if (elf->build_id_bytes > 1 && elf->build_id_bytes <= 64) {
        for (size_t i = 0; i < elf->build_id_bytes; i++)
            snprintf(name + 2 * i, 3, "%02x", elf->build_id[i]);
        length = asprintf(out, "%s/%.2s/%s" SUFFIX, folder, name, name + 2);
    } else {
        char *whole = realpath(elf->path, NULL);
        length = asprintf(out, "%s/path/%016llx" SUFFIX, folder,
                          (unsigned long long)hash_of(whole ? whole : elf->path));
        free(whole);
    }
    free(folder);
    return length < 0 ? error_errno("no memory for the index's name") : NULL;
}
