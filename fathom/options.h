// SPDX-License-Identifier: MIT
// One table of rows describes the options of a subcommand. From it come the parser's input, the
// answer to --help, usage errors with the nearest name, the shell completion and the OPTIONS
// section of the man page, so none of them can disagree with the others.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

enum option_kind {
    OPTION_FLAG,     // bool
    OPTION_STRING,   // const char *
    OPTION_OPTIONAL, // the same, "" when given without a value; only the long form takes one
    OPTION_NUMBER,   // unsigned, between `low` and `high`
    OPTION_LIST,     // struct option_list: a string that may be given more than once
};

// Words that live as long as argv; the array is freed by option_list_deinit().
struct option_list {
    const char **at;
    size_t count;
};

struct option_row {
    const char *name; // without the dashes
    char letter;      // the short form, or 0
    enum option_kind kind;
    size_t offset;        // of the value in the subcommand's struct of values
    const char *argument; // the word that stands for the value: "PORT"; NULL for a flag
    const char *help;     // one sentence without a capital and a full stop
    unsigned low, high;
    const char *const *choices; // for strings: the values allowed, NULL-terminated; or NULL
};

struct command {
    const char *name;
    const char *summary;           // one line for the list of subcommands
    const char *operands;          // what follows the options: "[-- QEMU-ARG...]", or NULL
    const struct option_row *rows; // ends with {0}
    bool mixed; // options may stand behind operands; else the first operand ends them
    // Sets *status to the exit status where it is not plainly EXIT_DONE.
    struct error *(*run)(int argc, char **argv, enum exit_status *status);
};

// Parses argv into `values`, which the caller has filled with the defaults. *operands is the index
// of the first operand. *helped: --help was asked for and has been answered; nothing else to do.
struct error *options_parse(const struct command *command, int argc, char **argv, void *values,
                            int *operands, bool *helped);

void option_list_deinit(struct option_list *list);

void options_help(const struct command *command, FILE *to);
// One option a line, "--name", for the completion; with a tab and the choices if there are any.
void options_complete(const struct command *command, FILE *to);
// SYNOPSIS and OPTIONS in scdoc's language.
void options_manual(const struct command *command, FILE *to);

// The candidate nearest to a word, or NULL if none is near enough to suggest. `candidate(index)`
// returns NULL behind the last.
const char *options_nearest(const char *word, const char *(*candidate)(const void *, size_t),
                            const void *context);
