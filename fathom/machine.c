// SPDX-License-Identifier: MIT
// See machine.h. Multi-threaded TCG is QEMU's own choice where it is safe; nothing is said here.
#include "fathom/machine.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static const struct machine machines[] = {
    {"x86_64", "qemu-system-x86_64", (const char *const[]){"-M", "q35", "-cpu", "max", NULL},
     "-serial chardev:%s"},
    {"aarch64", "qemu-system-aarch64",
     (const char *const[]){"-M", "virt,gic-version=3", "-cpu", "max", NULL},
     "-device pci-serial,chardev=%s"},
    {"riscv64", "qemu-system-riscv64", (const char *const[]){"-M", "virt", NULL},
     "-device pci-serial,chardev=%s"},
};

const char *const machine_arches[] = {"x86_64", "aarch64", "riscv64", NULL};

struct error *machine_find(const char *arch, const struct machine **machine)
{
    struct utsname host;
    const char *wish = arch ? arch : getenv("FATHOM_ARCH");
    if (!wish && !uname(&host))
        wish = host.machine;
    for (size_t i = 0; i < sizeof(machines) / sizeof(*machines); i++) {
        if (wish && !strcmp(machines[i].arch, wish)) {
            *machine = &machines[i];
            return NULL;
        }
    }
    if (arch || getenv("FATHOM_ARCH"))
        return error_make(EXIT_USAGE, "no machine '%s'; there are x86_64, aarch64 and riscv64",
                          wish);
    *machine = &machines[0];
    return NULL;
}

// -- lists of words -------------------------------------------------------------------------------

void words_add(struct words *words, const char *format, ...)
{
    va_list arguments;
    words->at = reallocarray(words->at, words->count + 2, sizeof(*words->at));
    if (!words->at)
        abort();
    va_start(arguments, format);
    if (vasprintf(&words->at[words->count], format, arguments) < 0)
        abort();
    va_end(arguments);
    words->at[++words->count] = NULL;
}

void words_free(struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->at[i]);
    free(words->at);
    *words = (struct words){0};
}

// -- files of the suite ---------------------------------------------------------------------------

// Where the program itself lies, without a slash at the end.
static char *program_directory(void)
{
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    path[length > 0 ? length : 0] = 0;
    char *slash = strrchr(path, '/');
    if (slash)
        *slash = 0;
    return strdup(length > 0 ? path : ".");
}

// The first of the places that holds `file`. A %s in a place stands for the program's directory.
static struct error *find_file(const char *const *places, const char *file, const char *advice,
                               char **path)
{
    char *here = program_directory();
    for (; *places; places++) {
        bool relative = !strncmp(*places, "%s", 2);
        if (asprintf(path, "%s%s/%s", relative ? here : "", *places + (relative ? 2 : 0), file) < 0)
            abort();
        if (!access(*path, R_OK)) {
            free(here);
            return NULL;
        }
        free(*path);
    }
    free(here);
    *path = NULL;
    return error_make(EXIT_FAILED, "cannot find %s; %s", file, advice);
}

struct error *machine_kernel(const struct machine *machine, char **path)
{
    static const char *const places[] = {"%s", "build", "%s/../share/fathom", NULL};
    char file[64], advice[128];
    snprintf(file, sizeof(file), "%s/kernel.elf", machine->arch);
    snprintf(advice, sizeof(advice), "'make ARCH=%s' builds it, --kernel FILE names another one",
             machine->arch);
    return find_file(places, file, advice, path);
}

struct error *machine_gdb_script(char **path)
{
    static const char *const places[] = {"%s/../kdebug/gdb", "kdebug/gdb", "%s/../share/fathom/gdb",
                                         NULL};
    return find_file(places, "fathom.gdb", "run it from the source tree, or 'make install'", path);
}
