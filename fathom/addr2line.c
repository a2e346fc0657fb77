// SPDX-License-Identifier: MIT
// `fathom addr2line`: binutils' command of that name, with its options and output, over an index.
// Addresses come as operands or on standard input, as many as there are: memory does not grow with
// them. What was asked before is answered from a memo, since addresses of traces repeat.
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fathom/address_text.h"
#include "fathom/commands.h"

struct addr2line_options {
    const char *file, *index_file, *index, *section, *target, *demangle;
    struct option_list folders;
    bool addresses, functions, inlines, basenames, pretty, json;
};

static const char *const index_uses[] = {"auto", "always", "never", NULL};

#define AT(member) offsetof(struct addr2line_options, member)
static const struct option_row rows[] = {
    {"exe", 'e', OPTION_STRING, AT(file), "FILE", "the ELF file, or its index (default a.out)", 0,
     0, NULL},
    {"functions", 'f', OPTION_FLAG, AT(functions), NULL, "print the functions' names", 0, 0, NULL},
    {"inlines", 'i', OPTION_FLAG, AT(inlines), NULL, "print the callers of inlined functions", 0, 0,
     NULL},
    {"demangle", 'C', OPTION_OPTIONAL, AT(demangle), "STYLE",
     "print readable names of C++ and Rust; the style is recognised", 0, 0, NULL},
    {"pretty-print", 'p', OPTION_FLAG, AT(pretty), NULL, "print each frame on one line", 0, 0,
     NULL},
    {"basenames", 's', OPTION_FLAG, AT(basenames), NULL, "print files without their folders", 0, 0,
     NULL},
    {"addresses", 'a', OPTION_FLAG, AT(addresses), NULL, "print the address first", 0, 0, NULL},
    {"section", 'j', OPTION_STRING, AT(section), "NAME",
     "addresses are offsets in this section, needed for object files and modules", 0, 0, NULL},
    {"target", 'b', OPTION_STRING, AT(target), "FORMAT",
     "accepted as binutils does, and not needed", 0, 0, NULL},
    {"json", 0, OPTION_FLAG, AT(json), NULL, "print one JSON object a line for each address", 0, 0,
     NULL},
    {"index", 0, OPTION_STRING, AT(index), "WHEN",
     "use the cache's index: 'auto' if it is there (default), 'always' and build it if not, "
     "'never'",
     0, 0, index_uses},
    {"index-file", 0, OPTION_STRING, AT(index_file), "FILE", "use this index", 0, 0, NULL},
    {"debug-dir", 0, OPTION_LIST, AT(folders), "FOLDER",
     "look for separate debug files here too, before /usr/lib/debug; may be repeated", 0, 0, NULL},
    {0},
};
#undef AT

// -- the memo -------------------------------------------------------------------------------------

// Answers lie one behind the other; when there is no more room all are forgotten.
#define MEMO_SLOTS (1U << 16)
#define MEMO_BYTES (8U << 20)

struct memo_slot {
    uint64_t address;
    uint32_t offset, bytes; // no bytes: the slot is free
};

struct session {
    struct sym_module *module;
    struct address_style style;
    unsigned section;
    struct sym_result result;
    struct memo_slot *memo;
    struct text answers, output;
};

static struct memo_slot *memo_slot(struct session *session, uint64_t address)
{
    uint64_t hash = address * UINT64_C(0x9e3779b97f4a7c15);
    return &session->memo[hash >> 48];
}

static struct error *look_up(struct session *session, uint64_t address, struct memo_slot *slot)
{
    struct sym_place place = {session->section, address};
    struct error *error = sym_lookup(session->module, place, &session->result);
    if (error)
        return error;
    if (session->answers.used > MEMO_BYTES) {
        memset(session->memo, 0, MEMO_SLOTS * sizeof(*session->memo));
        session->answers.used = 0;
    }
    size_t offset = session->answers.used;
    address_text(&session->answers, &session->style, address, &session->result);
    *slot =
        (struct memo_slot){address, (uint32_t)offset, (uint32_t)(session->answers.used - offset)};
    return NULL;
}

// -- output ---------------------------------------------------------------------------------------

#define OUTPUT_BYTES (1U << 16)

static struct error *flush(struct session *session)
{
    for (size_t done = 0; done < session->output.used;) {
        ssize_t wrote =
            write(STDOUT_FILENO, session->output.bytes + done, session->output.used - done);
        if (wrote < 0 && errno != EINTR)
            return error_errno("cannot write to standard output");
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    session->output.used = 0;
    return NULL;
}

static struct error *answer(struct session *session, uint64_t address)
{
    if (session->style.address_bytes == 4)
        address &= UINT32_MAX;
    struct memo_slot *slot = memo_slot(session, address);
    if (!slot->bytes || slot->address != address) {
        struct error *error = look_up(session, address, slot);
        if (error)
            return error;
    }
    if (session->output.used + slot->bytes > OUTPUT_BYTES) {
        struct error *error = flush(session);
        if (error)
            return error;
    }
    text_add(&session->output, session->answers.bytes + slot->offset, slot->bytes);
    return NULL;
}

// -- input ----------------------------------------------------------------------------------------

// As binutils reads an address: hexadecimal with or without 0x, and anything else is 0.
static uint64_t address_of(const char *word)
{
    return strtoull(word, NULL, 16);
}

struct input {
    char bytes[1 << 16];
    size_t used;
    bool skipping; // the rest of a line that was too long
    bool prompt;   // somebody may wait for an answer before asking on
};

static struct error *answer_lines(struct session *session, struct input *input)
{
    char *at = input->bytes, *end = at + input->used, *newline;
    for (; (newline = memchr(at, '\n', (size_t)(end - at))); at = newline + 1) {
        *newline = 0;
        struct error *error = input->skipping ? NULL : answer(session, address_of(at));
        input->skipping = false;
        if (error)
            return error;
    }
    input->used = (size_t)(end - at);
    memmove(input->bytes, at, input->used);
    if (input->used < sizeof(input->bytes) - 1)
        return NULL;
    input->bytes[input->used] = 0; // one line fills it all: its start is an address or is not
    input->used = 0;
    struct error *error = input->skipping ? NULL : answer(session, address_of(input->bytes));
    input->skipping = true;
    return error;
}

static struct error *answer_stream(struct session *session)
{
    struct input *input = calloc(1, sizeof(*input));
    if (!input)
        abort();
    struct stat status;
    input->prompt = fstat(STDIN_FILENO, &status) || !S_ISREG(status.st_mode);
    struct error *error = NULL;
    while (!error) {
        if (input->prompt && (error = flush(session)))
            break;
        ssize_t got =
            read(STDIN_FILENO, input->bytes + input->used, sizeof(input->bytes) - 1 - input->used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            error = error_errno("cannot read standard input");
        if (got <= 0)
            break;
        input->used += (size_t)got;
        error = answer_lines(session, input);
    }
    if (!error && input->used && !input->skipping) { // a last line without an end
        input->bytes[input->used] = 0;
        error = answer(session, address_of(input->bytes));
    }
    free(input);
    return error;
}

// -- the command ----------------------------------------------------------------------------------

static struct error *open_module(const struct addr2line_options *options, struct session *session)
{
    const char **folders = calloc(options->folders.count + 1, sizeof(*folders));
    if (!folders)
        abort();
    for (size_t i = 0; i < options->folders.count; i++)
        folders[i] = options->folders.at[i];
    struct sym_open_options how = {
        .index = !strcmp(options->index, "always")  ? SYM_INDEX_ALWAYS
                 : !strcmp(options->index, "never") ? SYM_INDEX_NEVER
                                                    : SYM_INDEX_IF_THERE,
        .index_path = options->index_file,
        .find_debug = true,
        .debug_folders = folders,
    };
    struct error *error = sym_module_open(options->file, &how, &session->module);
    free(folders);
    if (error)
        return error;
    session->style.address_bytes = sym_module_info(session->module)->address_bytes;
    if (!options->section)
        return NULL;
    session->section = sym_section(session->module, options->section);
    if (!session->section)
        return error_make(EXIT_FAILED, "%s: there is no section %s", options->file,
                          options->section);
    return NULL;
}

static struct error *answer_all(struct session *session, char **operands)
{
    if (!*operands)
        return answer_stream(session);
    struct error *error = NULL;
    for (; *operands && !error; operands++)
        error = answer(session, address_of(*operands));
    return error;
}

static void session_deinit(struct session *session)
{
    sym_result_deinit(&session->result);
    sym_module_close(session->module);
    free(session->memo);
    text_deinit(&session->answers);
    text_deinit(&session->output);
}

static struct error *addr2line_run(int argc, char **argv, enum exit_status *status)
{
    (void)status;
    struct addr2line_options options = {.file = "a.out", .index = "auto"};
    int operands;
    bool helped;
    struct error *error =
        options_parse(&command_addr2line, argc, argv, &options, &operands, &helped);
    if (error || helped) {
        option_list_deinit(&options.folders);
        return error;
    }
    struct session session = {
        .style = {.addresses = options.addresses,
                  .functions = options.functions,
                  .inlines = options.inlines,
                  .basenames = options.basenames,
                  .pretty = options.pretty,
                  .demangle = options.demangle,
                  .json = options.json},
        .result = {.symbol_in_need = !options.json},
        .memo = calloc(MEMO_SLOTS, sizeof(struct memo_slot)),
    };
    if (!session.memo)
        abort();
    error = open_module(&options, &session);
    if (!error)
        error = answer_all(&session, argv + operands);
    if (!error)
        error = flush(&session);
    session_deinit(&session);
    option_list_deinit(&options.folders);
    return error;
}

const struct command command_addr2line = {
    .name = "addr2line",
    .summary = "Turns addresses into functions and lines, with binutils' options and output.",
    .operands = "[ADDRESS...]",
    .rows = rows,
    .mixed = true,
    .run = addr2line_run,
};
