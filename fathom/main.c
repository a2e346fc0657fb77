// SPDX-License-Identifier: MIT
// The `fathom` command: finds the subcommand, runs it, reports its error.
#include <stdio.h>
#include <string.h>

#include "fathom/commands.h"

static const struct command *const commands[] = {&command_run, &command_gdb, &command_addr2line,
                                                 &command_index, &command_decode};
#define COMMAND_COUNT (sizeof(commands) / sizeof(*commands))

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (!strcmp(commands[i]->name, name))
            return commands[i];
    return NULL;
}

static const char *command_name(const void *context, size_t index)
{
    (void)context;
    return index < COMMAND_COUNT ? commands[index]->name : NULL;
}

static void help(FILE *to)
{
    fprintf(to, "usage: fathom COMMAND [OPTION...]\n\n"
                "A kernel debugger that lives inside the kernel, and what belongs to it.\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(to, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(to, "\n'fathom COMMAND --help' describes one of them.\n");
}

// What the completion and the manual pages are made from; not for people.
static int generate(const char *what, const char *name)
{
    const struct command *command = name ? find(name) : NULL;
    if (!strcmp(what, "--commands")) {
        for (size_t i = 0; i < COMMAND_COUNT; i++)
            puts(commands[i]->name);
        return EXIT_DONE;
    }
    if (!command)
        return EXIT_USAGE;
    (strcmp(what, "--manual") ? options_complete : options_manual)(command, stdout);
    return EXIT_DONE;
}

static struct error *unknown(const char *word)
{
    const char *nearest = options_nearest(word, command_name, NULL);
    if (nearest)
        return error_make(EXIT_USAGE, "unknown command '%s'; did you mean '%s'?", word, nearest);
    return error_make(EXIT_USAGE, "unknown command '%s'; 'fathom --help' lists them", word);
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help")) {
        help(stdout);
        return EXIT_DONE;
    }
    if (!strcmp(word, "--version")) {
        puts("fathom " FATHOM_VERSION);
        return EXIT_DONE;
    }
    if (!strcmp(word, "--commands") || !strcmp(word, "--options") || !strcmp(word, "--manual"))
        return generate(word, argc > 2 ? argv[2] : NULL);
    if (!*word) {
        help(stderr);
        return EXIT_USAGE;
    }
    const struct command *command = find(word);
    if (!command)
        return (int)error_report(unknown(word), "fathom");

    enum exit_status status = EXIT_DONE;
    struct error *error = command->run(argc - 1, argv + 1, &status);
    if (!error)
        return (int)status;
    char who[64];
    snprintf(who, sizeof(who), "fathom %s", command->name);
    return (int)error_report(error, who);
}
