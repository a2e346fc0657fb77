// SPDX-License-Identifier: MIT
// See postmortem.h. The log is read as a whole: a capsule is small, and so is what stands before
// it.
#include "fathom/postmortem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "symbolizer/core.h"
#include "symbolizer/dead.h"
#include "symbolizer/locals.h"
#include "symbolizer/serve.h"

enum { LOG_BYTES_MOST = 512 << 20 };

bool postmortem_wanted(const struct postmortem_options *options)
{
    return options->locals || options->core || options->gdb != POSTMORTEM_NO_GDB;
}

// -- the log --------------------------------------------------------------------------------------

struct text {
    char *bytes;
    size_t count, capacity;
};

static struct error *read_all(int fd, const char *name, struct text *text)
{
    for (;;) {
        if (text->capacity - text->count < 65536) {
            size_t wanted = text->capacity ? text->capacity * 2 : 1 << 20;
            char *at = wanted <= LOG_BYTES_MOST ? realloc(text->bytes, wanted) : NULL;
            if (!at)
                return error_make(EXIT_FAILED, "%s: a log of more than %d MiB is too large", name,
                                  LOG_BYTES_MOST >> 20);
            text->bytes = at;
            text->capacity = wanted;
        }
        ssize_t count = read(fd, text->bytes + text->count, text->capacity - text->count);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return error_errno("cannot read %s", name);
        if (count == 0)
            return NULL;
        text->count += (size_t)count;
    }
}

static struct error *write_all(int fd, const struct text *text)
{
    for (size_t done = 0; done < text->count;) {
        ssize_t count = write(fd, text->bytes + done, text->count - done);
        if (count < 0 && errno != EINTR)
            return error_errno("cannot keep standard input");
        done += count > 0 ? (size_t)count : 0;
    }
    return NULL;
}

struct error *postmortem_keep_input(void)
{
    struct text text = {0};
    struct error *error = read_all(STDIN_FILENO, "standard input", &text);
    int kept = error ? -1 : memfd_create("log", MFD_CLOEXEC);
    if (!error && kept < 0)
        error = error_errno("cannot keep standard input");
    if (!error)
        error = write_all(kept, &text);
    if (!error && (lseek(kept, 0, SEEK_SET) < 0 || dup2(kept, STDIN_FILENO) < 0))
        error = error_errno("cannot keep standard input");
    if (kept >= 0)
        close(kept);
    free(text.bytes);
    return error;
}

static struct error *read_log(const char *log, struct text *text)
{
    if (!strcmp(log, "-")) {
        lseek(STDIN_FILENO, 0, SEEK_SET);
        return read_all(STDIN_FILENO, "standard input", text);
    }
    int fd = open(log, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno("cannot open %s", log);
    struct error *error = read_all(fd, log, text);
    close(fd);
    return error;
}

// -- the machine ----------------------------------------------------------------------------------

// An ELF that is no kernel of this machine may be a module of it: others are tried first.
static struct error *open_dead(const char *log, const struct text *text,
                               const struct option_list *elfs, struct sym_dead **out)
{
    struct error *first_error = NULL;
    struct sym_dead *first = NULL;
    for (size_t i = 0; i < elfs->count; i++) {
        struct sym_dead *dead = NULL;
        struct error *error = sym_dead_open(log, text->bytes, text->count, elfs->at[i], &dead);
        if (!error && !dead->warning) {
            error_free(first_error);
            sym_dead_close(first);
            *out = dead;
            return NULL;
        }
        if (error && !first_error)
            first_error = error;
        else
            error_free(error);
        if (dead && !first)
            first = dead;
        else
            sym_dead_close(dead);
    }
    if (elfs->count == 0)
        return sym_dead_open(log, text->bytes, text->count, NULL, out);
    if (!first)
        return first_error;
    error_free(first_error);
    *out = first;
    return NULL;
}

static void warn(const struct sym_dead *dead, const char *log)
{
    const struct sym_capsule_losses *losses = &dead->capsules.losses;
    if (dead->warning)
        fprintf(stderr, "fathom decode: warning: %s\n", dead->warning);
    if (dead->capsule->whole)
        return;
    fprintf(stderr, "fathom decode: warning: parts of the capsule are lost\n");
    for (size_t i = 0; i < losses->count && i < 20; i++)
        if (losses->at[i].line)
            fprintf(stderr, "%s:%zu: %s\n", log, losses->at[i].line, losses->at[i].text);
        else
            fprintf(stderr, "%s: %s\n", log, losses->at[i].text);
    if (losses->count + losses->untold > 20)
        fprintf(stderr, "%s: and %zu losses more\n", log, losses->count + losses->untold - 20);
}

static struct error *use(const struct postmortem_options *options, const struct sym_dead *dead)
{
    struct error *error = NULL;
    struct sym_locals_options locals = {
        .all_threads = options->all_threads,
        .colour = options->colour,
        .debug_folders = options->debug_folders,
    };
    if (options->locals)
        error = sym_locals_print(dead, &locals, stdout);
    fflush(stdout);
    if (!error && options->core)
        error = sym_core_write(dead, options->core);
    if (!error && options->gdb != POSTMORTEM_NO_GDB) {
        struct sym_serve_options serve = {.port = options->gdb, .say = stdout};
        error = sym_serve(dead, &serve);
    }
    return error;
}

struct error *postmortem_run(const struct postmortem_options *options, const char *log,
                             const struct option_list *elfs)
{
    struct text text = {0};
    struct sym_dead *dead = NULL;
    struct error *error = read_log(log, &text);
    if (!error)
        error = open_dead(log, &text, elfs, &dead);
    if (!error) {
        warn(dead, log);
        error = use(options, dead);
    }
    sym_dead_close(dead);
    free(text.bytes);
    return error;
}
