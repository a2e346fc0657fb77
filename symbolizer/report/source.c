// SPDX-License-Identifier: MIT
// See source.h. The file asked for last stays mapped: a report asks for lines side by side.
#include "symbolizer/report/source.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX (16 << 20)
#define PATH_BYTES_MAX 4096

struct report_sources {
    const char *const *folders;
    char name[PATH_BYTES_MAX]; // as asked for; also where nothing was found
    char *text;                // NULL: not found
    size_t length;
};

struct report_sources *report_sources_create(const char *const *folders)
{
    struct report_sources *sources = calloc(1, sizeof(*sources));
    if (!sources)
        abort();
    sources->folders = folders;
    return sources;
}

static void unmap(struct report_sources *sources)
{
    if (sources->text)
        munmap(sources->text, sources->length);
    sources->text = NULL;
}

void report_sources_destroy(struct report_sources *sources)
{
    if (!sources)
        return;
    unmap(sources);
    free(sources);
}

static bool map(struct report_sources *sources, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return false;
    struct stat status;
    bool fits = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0 &&
                status.st_size <= FILE_BYTES_MAX;
    void *text =
        fits ? mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    close(fd);
    if (text == MAP_FAILED)
        return false;
    sources->text = text;
    sources->length = (size_t)status.st_size;
    return true;
}

// In a given tree the path is tried whole and then with ever more of its folders left out: trees
// are seldom where the package was built.
static bool map_below(struct report_sources *sources, const char *folder, const char *file)
{
    for (const char *rest = file; rest; rest = strchr(rest, '/')) {
        rest += strspn(rest, "/");
        char path[PATH_BYTES_MAX];
        int length = snprintf(path, sizeof(path), "%s/%s", folder, rest);
        if (length > 0 && (size_t)length < sizeof(path) && map(sources, path))
            return true;
    }
    return false;
}

static void look_for(struct report_sources *sources, const char *file)
{
    if (!strcmp(sources->name, file) || strlen(file) >= sizeof(sources->name))
        return;
    unmap(sources);
    strcpy(sources->name, file);
    for (const char *const *folder = sources->folders; folder && *folder; folder++)
        if (map_below(sources, *folder, file))
            return;
    map(sources, file);
}

struct report_span report_source_line(struct report_sources *sources, const char *file,
                                      uint32_t line)
{
    look_for(sources, file);
    if (!sources->text || !line)
        return (struct report_span){0};
    const char *at = sources->text, *end = at + sources->length;
    while (--line) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        if (!feed)
            return (struct report_span){0};
        at = feed + 1;
    }
    if (at == end)
        return (struct report_span){0};
    const char *feed = memchr(at, '\n', (size_t)(end - at));
    size_t length = (size_t)((feed ? feed : end) - at);
    if (length && at[length - 1] == '\r')
        length--;
    return (struct report_span){at, length};
}
