// SPDX-License-Identifier: MIT
// See find_debug.h. libdebuginfod drags a whole HTTP client into the program, so it is loaded only
// when somebody has named servers.
#include "symbolizer/find_debug.h"

#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define SYSTEM_FOLDER "/usr/lib/debug"

struct search {
    struct sym_elf *elf;
    char *link; // the file name in .gnu_debuglink; NULL: none
    uint32_t link_crc;
    char *folder; // the file's own, absolute
    struct sym_elf *found;
};

bool sym_has_debug(const struct sym_elf *elf)
{
    static const char *const names[] = {".debug_info", ".zdebug_info"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        unsigned number = sym_elf_section_named(elf, names[i]);
        if (number && elf->sections[number].type != SHT_NOBITS && elf->sections[number].size)
            return true;
    }
    return false;
}

// -- candidates -----------------------------------------------------------------------------------

static bool same_build_id(const struct sym_elf *a, const struct sym_elf *b)
{
    return a->build_id_bytes == b->build_id_bytes &&
           !memcmp(a->build_id, b->build_id, a->build_id_bytes);
}

// A file found by name is the one that was meant if it has the checksum the link tells. Where both
// files have a build-id that decides, and the large file need not be read.
static bool is_meant(const struct search *search, const struct sym_elf *candidate, bool by_link)
{
    bool other = search->elf->machine != EM_NONE && candidate->machine != search->elf->machine;
    if (!sym_has_debug(candidate) || other)
        return false;
    if (search->elf->build_id_bytes && candidate->build_id_bytes)
        return same_build_id(search->elf, candidate);
    if (!by_link)
        return same_build_id(search->elf, candidate);
    return crc32_z(crc32_z(0, NULL, 0), candidate->file.data, candidate->file.size) ==
           search->link_crc;
}

// Whether the search is over.
static bool try_file(struct search *search, const char *path, bool by_link)
{
    if (access(path, R_OK))
        return false;
    struct sym_elf *candidate;
    struct error *error = sym_elf_open(path, &candidate);
    if (error) {
        error_free(error);
        return false;
    }
    if (is_meant(search, candidate, by_link))
        search->found = candidate;
    else
        sym_elf_close(candidate);
    return search->found;
}

static bool try_path(struct search *search, bool by_link, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static bool try_path(struct search *search, bool by_link, const char *format, ...)
{
    va_list arguments;
    char *path;
    va_start(arguments, format);
    int length = vasprintf(&path, format, arguments);
    va_end(arguments);
    if (length < 0)
        return false;
    bool over = try_file(search, path, by_link);
    free(path);
    return over;
}

static char *build_id_text(const struct sym_elf *elf)
{
    char *text = malloc(2 * elf->build_id_bytes + 1);
    for (size_t i = 0; text && i < elf->build_id_bytes; i++)
        sprintf(text + 2 * i, "%02x", elf->build_id[i]);
    return text;
}

static bool try_folder(struct search *search, const char *folder)
{
    if (search->elf->build_id_bytes > 1) {
        char *id = build_id_text(search->elf);
        bool over = id && try_path(search, false, "%s/.build-id/%.2s/%s.debug", folder, id, id + 2);
        free(id);
        if (over)
            return true;
    }
    return search->link && search->folder &&
           try_path(search, true, "%s%s/%s", folder, search->folder, search->link);
}

// -- debuginfod -----------------------------------------------------------------------------------

typedef struct debuginfod_client debuginfod_client;

// The three functions of elfutils/debuginfod.h that are used, by their types there.
struct debuginfod {
    debuginfod_client *(*begin)(void);
    int (*find)(debuginfod_client *client, const unsigned char *build_id, int bytes, char **path);
    void (*end)(debuginfod_client *client);
};

static bool load(void *library, struct debuginfod *to)
{
    // POSIX wants dlsym()'s result to be fit for functions; C has no cast that says so.
    *(void **)&to->begin = dlsym(library, "debuginfod_begin");
    *(void **)&to->find = dlsym(library, "debuginfod_find_debuginfo");
    *(void **)&to->end = dlsym(library, "debuginfod_end");
    return to->begin && to->find && to->end;
}

static bool try_servers(struct search *search)
{
    const char *urls = getenv("DEBUGINFOD_URLS");
    if (!urls || !*urls || search->elf->build_id_bytes < 2)
        return false;
    void *library = dlopen("libdebuginfod.so.1", RTLD_LAZY | RTLD_LOCAL);
    struct debuginfod debuginfod;
    if (!library || !load(library, &debuginfod))
        return false; // not installed
    debuginfod_client *client = debuginfod.begin();
    char *path = NULL;
    if (client) {
        int file =
            debuginfod.find(client, search->elf->build_id, (int)search->elf->build_id_bytes, &path);
        if (file >= 0) {
            try_file(search, path, false);
            close(file);
        }
        debuginfod.end(client);
    }
    free(path);
    // The library stays: curl leaves things behind that must not lose their code.
    return search->found;
}

// -- the search -----------------------------------------------------------------------------------

// .gnu_debuglink: a name, zeros up to a multiple of four, the checksum in the file's byte order.
static struct error *read_link(struct search *search)
{
    struct sym_bytes bytes;
    struct error *error = sym_elf_contents_named(search->elf, ".gnu_debuglink", &bytes);
    if (error || !bytes.size)
        return error;
    struct sym_cursor cursor = sym_cursor_over(bytes, search->elf->swap);
    const char *name = sym_read_string(&cursor);
    sym_cursor_skip(&cursor, -sym_cursor_offset(&cursor) % 4);
    search->link_crc = sym_read_u32(&cursor);
    // A name only: with a folder it could lead anywhere.
    if (!cursor.failed && *name && !strchr(name, '/'))
        search->link = strdup(name);
    return NULL;
}

static char *folder_of(const char *path)
{
    char *whole = realpath(path, NULL);
    char *slash = whole ? strrchr(whole, '/') : NULL;
    if (slash)
        *slash = 0;
    return whole;
}

static void search_all(struct search *search, const char *const *folders)
{
    for (; folders && *folders; folders++)
        if (try_folder(search, *folders))
            return;
    if (try_folder(search, SYSTEM_FOLDER))
        return;
    if (search->link && search->folder &&
        (try_path(search, true, "%s/%s", search->folder, search->link) ||
         try_path(search, true, "%s/.debug/%s", search->folder, search->link)))
        return;
    try_servers(search);
}

struct error *sym_find_debug(struct sym_elf *elf, const char *const *folders, struct sym_elf **out)
{
    struct search search = {.elf = elf, .folder = folder_of(elf->path)};
    struct error *error = read_link(&search);
    if (!error)
        search_all(&search, folders);
    free(search.link);
    free(search.folder);
    *out = search.found;
    return error;
}

char *sym_find_by_build_id(const uint8_t *build_id, size_t bytes, const char *const *folders)
{
    struct sym_elf unknown = {.machine = EM_NONE, .build_id = build_id, .build_id_bytes = bytes};
    struct search search = {.elf = &unknown};
    search_all(&search, folders);
    char *path = search.found ? strdup(search.found->path) : NULL;
    sym_elf_close(search.found);
    return path;
}
