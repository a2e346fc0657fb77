// SPDX-License-Identifier: MIT
// See options.h. getopt_long() does the walking; its own messages are switched off, since ours
// also say what was probably meant.
#include "fathom/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX   32
#define WORD_MAX   32
#define HELP_INDEX ROWS_MAX

// -- suggestions ----------------------------------------------------------------------------------

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned low = a < b ? a : b;
    return low < c ? low : c;
}

// Levenshtein's distance by one row of the table at a time.
static unsigned distance(const char *a, const char *b)
{
    unsigned row[WORD_MAX + 1];
    size_t length = strlen(b);
    if (length > WORD_MAX || strlen(a) > WORD_MAX)
        return WORD_MAX;
    for (size_t j = 0; j <= length; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; a[i - 1]; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= length; j++) {
            unsigned above = row[j];
            row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[length];
}

const char *options_nearest(const char *word, const char *(*candidate)(const void *, size_t),
                            const void *context)
{
    const char *best = NULL, *name;
    unsigned best_distance = (unsigned)strlen(word) / 3 + 2; // must differ by less than this
    for (size_t i = 0; (name = candidate(context, i)); i++) {
        unsigned d = distance(word, name);
        if (d < best_distance) {
            best_distance = d;
            best = name;
        }
    }
    return best;
}

static const char *row_name(const void *rows, size_t index)
{
    return ((const struct option_row *)rows)[index].name;
}

static const char *choice_name(const void *choices, size_t index)
{
    return ((const char *const *)choices)[index];
}

static struct error *unknown_option(const struct command *command, const char *word)
{
    if (word[1] != '-')
        return error_make(EXIT_USAGE, "unknown option '%s'; 'fathom %s --help' lists them", word,
                          command->name);
    char *name = strndup(word + 2, strcspn(word + 2, "="));
    if (!name)
        abort();
    const char *nearest = options_nearest(name, row_name, command->rows);
    free(name);
    if (nearest)
        return error_make(EXIT_USAGE, "unknown option '%s'; did you mean '--%s'?", word, nearest);
    return error_make(EXIT_USAGE, "unknown option '%s'; 'fathom %s --help' lists them", word,
                      command->name);
}

// -- parsing --------------------------------------------------------------------------------------

static struct error *set_number(const struct option_row *row, const char *text, unsigned *value)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    if (!*text || *end || *text == '-' || number < row->low || number > row->high)
        return error_make(EXIT_USAGE, "--%s must be a number from %u to %u, not '%s'", row->name,
                          row->low, row->high, text);
    *value = (unsigned)number;
    return NULL;
}

static struct error *set_string(const struct option_row *row, const char *text, const char **value)
{
    *value = text;
    if (!row->choices)
        return NULL;
    for (size_t i = 0; row->choices[i]; i++)
        if (!strcmp(row->choices[i], text))
            return NULL;
    const char *nearest = options_nearest(text, choice_name, row->choices);
    return error_make(EXIT_USAGE, "--%s cannot be '%s'; did you mean '%s'?", row->name, text,
                      nearest ? nearest : row->choices[0]);
}

static void add_string(struct option_list *list, const char *text)
{
    list->at = reallocarray(list->at, list->count + 1, sizeof(*list->at));
    if (!list->at)
        abort();
    list->at[list->count++] = text;
}

void option_list_deinit(struct option_list *list)
{
    free(list->at);
    *list = (struct option_list){0};
}

static struct error *set_value(const struct option_row *row, const char *text, void *values)
{
    void *value = (char *)values + row->offset;
    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)value = true;
        return NULL;
    case OPTION_STRING:
        return set_string(row, text, value);
    case OPTION_OPTIONAL:
        *(const char **)value = "";
        return text ? set_string(row, text, value) : NULL;
    case OPTION_NUMBER:
        return set_number(row, text, value);
    case OPTION_LIST:
        add_string(value, text);
        return NULL;
    }
    return NULL;
}

// Makes getopt's two descriptions out of the rows. `+`: options end at the first operand, which
// belongs to another program. `:`: a missing value is told apart from an unknown option.
static void describe(const struct command *command, struct option *longs, char *shorts)
{
    const struct option_row *rows = command->rows;
    if (!command->mixed)
        *shorts++ = '+';
    *shorts++ = ':';
    *shorts++ = 'h';
    int i = 0;
    for (; rows[i].name && i < ROWS_MAX; i++) {
        int argument = rows[i].kind == OPTION_FLAG       ? no_argument
                       : rows[i].kind == OPTION_OPTIONAL ? optional_argument
                                                         : required_argument;
        longs[i] = (struct option){rows[i].name, argument, NULL, i};
        if (!rows[i].letter)
            continue;
        *shorts++ = rows[i].letter;
        if (argument == required_argument)
            *shorts++ = ':';
    }
    longs[i] = (struct option){"help", no_argument, NULL, HELP_INDEX};
    longs[i + 1] = (struct option){0};
    *shorts = 0;
}

static const struct option_row *find_letter(const struct option_row *rows, int letter)
{
    for (; rows->name; rows++)
        if (rows->letter == letter)
            return rows;
    return NULL;
}

struct error *options_parse(const struct command *command, int argc, char **argv, void *values,
                            int *operands, bool *helped)
{
    struct option longs[ROWS_MAX + 2];
    char shorts[2 * ROWS_MAX + 4];
    describe(command, longs, shorts);

    *helped = false;
    opterr = 0;
    optind = 0; // start afresh: a former call may have left its place
    for (;;) {
        int at = optind ? optind : 1; // the word looked at next, behind the operands passed over
        while (command->mixed && at < argc - 1 && (argv[at][0] != '-' || !argv[at][1]))
            at++;
        int got = getopt_long(argc, argv, shorts, longs, NULL);
        if (got == -1)
            break;
        if (got == 'h' || got == HELP_INDEX) {
            options_help(command, stdout);
            *helped = true;
            return NULL;
        }
        if (got == ':')
            return error_make(EXIT_USAGE, "%s needs a value", argv[at]);
        if (got == '?')
            return unknown_option(command, argv[at]);
        const struct option_row *row =
            got < ROWS_MAX ? &command->rows[got] : find_letter(command->rows, got);
        struct error *error = set_value(row, optarg, values);
        if (error)
            return error;
    }
    *operands = optind;
    return NULL;
}

// -- what the table looks like to a reader --------------------------------------------------------

void options_help(const struct command *command, FILE *to)
{
    fprintf(to, "usage: fathom %s [OPTION...]%s%s\n\n%s\n\n", command->name,
            command->operands ? " " : "", command->operands ? command->operands : "",
            command->summary);
    for (const struct option_row *row = command->rows; row->name; row++) {
        char left[64];
        char letter[5] = "    ";
        if (row->letter)
            snprintf(letter, sizeof(letter), "-%c, ", row->letter);
        bool optional = row->kind == OPTION_OPTIONAL;
        snprintf(left, sizeof(left), "%s--%s%s%s%s", letter, row->name,
                 optional        ? "[="
                 : row->argument ? " "
                                 : "",
                 row->argument ? row->argument : "", optional ? "]" : "");
        fprintf(to, "  %-26s %s\n", left, row->help);
    }
    fprintf(to, "  %-26s %s\n", "-h, --help", "print this and exit");
}

void options_complete(const struct command *command, FILE *to)
{
    for (const struct option_row *row = command->rows; row->name; row++) {
        fprintf(to, "--%s\t", row->name);
        for (size_t i = 0; row->choices && row->choices[i]; i++)
            fprintf(to, "%s%s", i ? " " : "", row->choices[i]);
        fputc('\n', to);
    }
    fprintf(to, "--help\t\n");
}

// scdoc takes these for formatting unless a backslash precedes them.
static void put_escaped(const char *text, FILE *to)
{
    for (; *text; text++) {
        if (strchr("_*\\[]<>|", *text))
            fputc('\\', to);
        fputc(*text, to);
    }
}

void options_manual(const struct command *command, FILE *to)
{
    fprintf(to, "# SYNOPSIS\n\n*fathom %s* [_OPTION_...]", command->name);
    if (command->operands) {
        fputc(' ', to);
        put_escaped(command->operands, to);
    }
    fprintf(to, "\n\n# OPTIONS\n\n");
    for (const struct option_row *row = command->rows; row->name; row++) {
        if (row->letter)
            fprintf(to, "*-%c*, ", row->letter);
        fprintf(to, "*--%s*", row->name);
        if (row->kind == OPTION_OPTIONAL)
            fprintf(to, "[=_%s_]", row->argument);
        else if (row->argument)
            fprintf(to, " _%s_", row->argument);
        fprintf(to, "\n\t");
        put_escaped(row->help, to);
        fprintf(to, ".\n\n");
    }
    fprintf(to, "*-h*, *--help*\n\tprint a summary and exit.\n\n");
}
