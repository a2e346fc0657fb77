// SPDX-License-Identifier: MIT
// `fathom index`: builds the index of ELF files before anybody asks for an address, packs one for
// shipping, and checks one. Prints the name of each index it made or found good.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fathom/commands.h"
#include "symbolizer/elf.h"
#include "symbolizer/find_debug.h"
#include "symbolizer/index.h"

struct index_options {
    const char *output;
    struct option_list folders;
    bool pack, check, force;
};

#define AT(member) offsetof(struct index_options, member)
static const struct option_row rows[] = {
    {"output", 'o', OPTION_STRING, AT(output), "FILE",
     "write the index here, not into the cache; for one ELF file", 0, 0, NULL},
    {"pack", 'p', OPTION_FLAG, AT(pack), NULL,
     "write the form for shipping, about half the size: ELF.index.lz4, or what -o says", 0, 0,
     NULL},
    {"force", 'f', OPTION_FLAG, AT(force), NULL, "build even if a fitting index is there", 0, 0,
     NULL},
    {"check", 'c', OPTION_FLAG, AT(check), NULL,
     "build nothing: compare the index's checksums, and that it is of this ELF file", 0, 0, NULL},
    {"debug-dir", 0, OPTION_LIST, AT(folders), "FOLDER",
     "look for separate debug files here too, before /usr/lib/debug; may be repeated", 0, 0, NULL},
    {0},
};
#undef AT

static void close_elf(struct sym_elf **elf)
{
    sym_elf_close(*elf);
}

static void close_index(struct sym_index **index)
{
    sym_index_close(*index);
}

static void free_text(char **text)
{
    free(*text);
}

static struct error *check_index(const char *path, const struct sym_elf *elf)
{
    __attribute__((cleanup(close_index))) struct sym_index *index = NULL;
    struct error *error = sym_index_open(path, &index);
    if (!error && elf)
        error = sym_index_match(index, elf);
    if (!error)
        error = sym_index_verify(index);
    return error;
}

// One that knows symbols only may be older than the debug information that can be found now.
static bool is_fresh(const char *path, const struct sym_elf *elf)
{
    __attribute__((cleanup(close_index))) struct sym_index *index = NULL;
    struct error *error = access(path, R_OK) ? error_errno("%s", path) : check_index(path, elf);
    if (!error)
        error = sym_index_open(path, &index);
    struct sym_module_info info = {0};
    if (!error)
        sym_index_info(index, &info);
    error_free(error);
    return info.has_debug;
}

// The debug information may be in the file itself, or in one that is found for it.
static struct error *build(const struct index_options *options, struct sym_elf *elf, const char *to)
{
    const char **folders = calloc(options->folders.count + 1, sizeof(*folders));
    if (!folders)
        abort();
    if (options->folders.count)
        memcpy(folders, options->folders.at, options->folders.count * sizeof(*folders));
    __attribute__((cleanup(close_elf))) struct sym_elf *found = NULL;
    struct error *error = NULL;
    if (!sym_has_debug(elf))
        error = sym_find_debug(elf, folders, &found);
    free(folders);
    if (!error && !found && !sym_has_debug(elf))
        fprintf(stderr,
                "fathom index: %s has no debug information and none was found: its index "
                "knows symbols only\n",
                elf->path);
    return error ? error : sym_index_build(elf, found ? found : elf, to);
}

static struct error *pack(const struct index_options *options, const char *path, const char *from)
{
    __attribute__((cleanup(free_text))) char *made = NULL;
    const char *slash = strrchr(path, '/'), *to = options->output;
    if (!to) {
        if (asprintf(&made, "%s.index.lz4", slash ? slash + 1 : path) < 0)
            abort();
        to = made;
    }
    __attribute__((cleanup(close_index))) struct sym_index *index = NULL;
    struct error *error = sym_index_open(from, &index);
    if (!error)
        error = sym_index_pack(index, to);
    if (!error)
        puts(to);
    return error;
}

static struct error *index_one(const struct index_options *options, const char *path)
{
    if (sym_index_is_one(path)) { // to be packed or checked
        struct error *error = check_index(path, NULL);
        if (!error && options->pack)
            return pack(options, path, path);
        if (!error)
            puts(path);
        return error;
    }
    __attribute__((cleanup(close_elf))) struct sym_elf *elf = NULL;
    __attribute__((cleanup(free_text))) char *cached = NULL;
    struct error *error = sym_elf_open(path, &elf);
    bool elsewhere = options->output && !options->pack;
    if (!error && !elsewhere)
        error = sym_index_cache_path(elf, &cached);
    if (error)
        return error;
    const char *to = elsewhere ? options->output : cached;
    if (options->check)
        error = check_index(to, elf);
    else if (options->force || !is_fresh(to, elf))
        error = build(options, elf, to);
    if (!error && options->pack)
        return pack(options, path, to);
    if (!error)
        puts(to);
    return error;
}

// The index takes the place of what is there: a device must not lose its own.
static struct error *check_output(const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return error_make(EXIT_USAGE, "-o %s: is there and is not a file", path);
    return NULL;
}

static struct error *index_run(int argc, char **argv, enum exit_status *status)
{
    (void)status;
    struct index_options options = {0};
    int operands;
    bool helped;
    struct error *error = options_parse(&command_index, argc, argv, &options, &operands, &helped);
    if (!error && !helped && operands == argc)
        error = error_make(EXIT_USAGE, "which ELF file? 'fathom index --help' tells more");
    if (!error && !helped && options.output && argc - operands > 1)
        error = error_make(EXIT_USAGE, "-o takes one ELF file, not %d", argc - operands);
    if (!error && !helped && options.output)
        error = check_output(options.output);
    for (int i = operands; !error && !helped && i < argc; i++)
        error = index_one(&options, argv[i]);
    option_list_deinit(&options.folders);
    return error;
}

const struct command command_index = {
    .name = "index",
    .summary = "Builds the index that makes looking up addresses of an ELF file fast.",
    .operands = "ELF...",
    .rows = rows,
    .mixed = true,
    .run = index_run,
};
