// SPDX-License-Identifier: MIT
// `fathom gdb`: becomes a gdb with the kernel's symbols, the suite's settings and commands, and the
// connection to the machine.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fathom/commands.h"
#include "fathom/machine.h"

struct gdb_options {
    const char *arch, *kernel, *target;
    unsigned port;
};

#define AT(member) offsetof(struct gdb_options, member)
static const struct option_row rows[] = {
    {"arch", 'a', OPTION_STRING, AT(arch), "ARCH",
     "the machine: x86_64, aarch64 or riscv64 (default: $FATHOM_ARCH, else the host's kind)", 0, 0,
     machine_arches},
    {"port", 'p', OPTION_NUMBER, AT(port), "PORT", "the port 'fathom run' serves (default 1234)", 1,
     65535, NULL},
    {"target", 't', OPTION_STRING, AT(target), "TARGET",
     "a serial device, Unix socket or HOST:PORT to connect to instead", 0, 0, NULL},
    {"kernel", 'k', OPTION_STRING, AT(kernel), "FILE", "the kernel (default build/ARCH/kernel.elf)",
     0, 0, NULL},
    {0},
};
#undef AT

static struct error *gdb_words(const struct gdb_options *options, char **extra, struct words *words)
{
    const struct machine *machine;
    char *kernel = NULL, *script = NULL;
    struct error *error = machine_find(options->arch, &machine);
    if (!error && !options->kernel)
        error = machine_kernel(machine, &kernel);
    if (!error)
        error = machine_gdb_script(&script);
    if (error) {
        free(kernel);
        return error;
    }
    words_add(words, "gdb-multiarch");
    words_add(words, "-q");
    // -ix: before the kernel is loaded, since the first line decides how it is understood.
    words_add(words, "-ix");
    words_add(words, "%s", script);
    words_add(words, "-ex");
    if (options->target)
        words_add(words, "target remote %s", options->target);
    else
        words_add(words, "target remote 127.0.0.1:%u", options->port);
    for (; *extra; extra++)
        words_add(words, "%s", *extra);
    words_add(words, "%s", kernel ? kernel : options->kernel);
    free(kernel);
    free(script);
    return NULL;
}

static struct error *gdb_run(int argc, char **argv, enum exit_status *status)
{
    (void)status;
    struct gdb_options options = {.port = 1234};
    int operands;
    bool helped;
    struct error *error = options_parse(&command_gdb, argc, argv, &options, &operands, &helped);
    if (error || helped)
        return error;
    struct words words = {0};
    error = gdb_words(&options, argv + operands, &words);
    if (error)
        return error;
    execvp(words.at[0], words.at);
    error = error_errno("cannot start gdb-multiarch ('make deps' installs it)");
    words_free(&words);
    return error;
}

const struct command command_gdb = {"gdb",
                                    "Starts gdb on a machine that 'fathom run' has started.",
                                    "[-- GDB-ARGUMENT...]",
                                    rows,
                                    false,
                                    gdb_run};
