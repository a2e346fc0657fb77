// SPDX-License-Identifier: MIT
// See file_write.h: a temporary file in the same folder, renamed when it is complete.
#include "symbolizer/file_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct error *make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        bool made = !mkdir(path, 0777) || errno == EEXIST;
        if (!made) {
            struct error *error = error_errno("cannot make the folder %s", path);
            *slash = '/';
            return error;
        }
        *slash = '/';
    }
    return NULL;
}

static bool write_all(int file, struct sym_bytes bytes)
{
    for (size_t done = 0; done < bytes.size;) {
        ssize_t wrote = write(file, bytes.data + done, bytes.size - done);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return false;
        done += (size_t)wrote;
    }
    return true;
}

static struct error *write_temporary(int file, const char *name, const char *to,
                                     const struct sym_bytes *pieces, size_t count)
{
    mode_t mask = umask(0);
    umask(mask);
    bool well = !fchmod(file, 0666 & ~mask); // mkstemp() makes files of the user's own alone
    for (size_t i = 0; well && i < count; i++)
        well = write_all(file, pieces[i]);
    struct error *error = well ? NULL : error_errno("cannot write %s", name);
    if (close(file) && !error)
        error = error_errno("cannot write %s", name);
    if (!error && rename(name, to))
        error = error_errno("cannot rename %s to %s", name, to);
    if (error)
        unlink(name);
    return error;
}

struct error *sym_file_write(const char *to, const struct sym_bytes *pieces, size_t count)
{
    char *name;
    if (asprintf(&name, "%s.XXXXXX", to) < 0)
        return error_errno("cannot write %s", to);
    struct error *error = make_folders(name);
    if (!error) {
        int file = mkstemp(name);
        error = file < 0 ? error_errno("cannot make %s", name)
                         : write_temporary(file, name, to, pieces, count);
    }
    free(name);
    return error;
}
