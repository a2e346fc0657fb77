// SPDX-License-Identifier: MIT
// `fathom addr2line`: binutils' command of that name, with its options and output, over an index.
// Addresses come as operands or on standard input, as many as there are: memory does not grow with
// them. What was asked before is answered from a memo, since addresses of traces repeat.
#include <elf.h>
#include <errno.h>
#include <libiberty/libiberty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fathom/address_sort.h"
#include "fathom/address_text.h"
#include "fathom/address_word.h"
#include "fathom/commands.h"

struct addr2line_options {
    const char *file, *index_file, *index, *section, *target, *demangle;
    struct option_list folders;
    bool addresses, functions, inlines, basenames, pretty, json, version;
    bool limit, no_limit; // of the demangler's recursion, which has one of its own
};

static const char *const index_uses[] = {"auto", "always", "never", NULL};
// binutils' names; names tell by themselves which one they need.
static const char *const styles[] = {"auto", "none", "gnu-v3", "rust", "gnu",
                                     "java", "gnat", "dlang",  NULL};

#define AT(member) offsetof(struct addr2line_options, member)
static const struct option_row rows[] = {
    {"exe", 'e', OPTION_STRING, AT(file), "FILE", "the ELF file, or its index (default a.out)", 0,
     0, NULL},
    {"functions", 'f', OPTION_FLAG, AT(functions), NULL, "print the functions' names", 0, 0, NULL},
    {"inlines", 'i', OPTION_FLAG, AT(inlines), NULL, "print the callers of inlined functions", 0, 0,
     NULL},
    {"demangle", 'C', OPTION_OPTIONAL, AT(demangle), "STYLE",
     "print readable names of C++ and Rust; the style is recognised, but for 'none'", 0, 0, styles},
    {"pretty-print", 'p', OPTION_FLAG, AT(pretty), NULL, "print each frame on one line", 0, 0,
     NULL},
    {"basenames", 's', OPTION_FLAG, AT(basenames), NULL, "print files without their folders", 0, 0,
     NULL},
    {"addresses", 'a', OPTION_FLAG, AT(addresses), NULL, "print the address first", 0, 0, NULL},
    {"section", 'j', OPTION_STRING, AT(section), "NAME",
     "addresses are offsets in this section, needed for object files and modules", 0, 0, NULL},
    {"target", 'b', OPTION_STRING, AT(target), "FORMAT",
     "accepted as binutils does, and not needed", 0, 0, NULL},
    {"recurse-limit", 'R', OPTION_FLAG, AT(limit), NULL, "accepted as binutils does", 0, 0, NULL},
    {"no-recurse-limit", 'r', OPTION_FLAG, AT(no_limit), NULL, "accepted as binutils does", 0, 0,
     NULL},
    {"version", 'v', OPTION_FLAG, AT(version), NULL, "print the version and exit", 0, 0, NULL},
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

// -- answers --------------------------------------------------------------------------------------

// Addresses come in batches: what was read at once. Those not answered lately are looked up in the
// order of their addresses, since neighbours lie together in the index too, and answered in the
// order they came in. Answers lie one behind the other; when they are too many all are forgotten.
#define MEMO_SLOTS  (1U << 16)
#define MEMO_BYTES  (8U << 20)
#define BATCH_BYTES (1U << 20) // of input

struct answer {
    uint64_t address;
    uint32_t offset, bytes; // in `answers`; no bytes: not answered
};

struct session {
    struct sym_module *module;
    struct address_style style;
    struct sym_place base; // what addresses are counted from
    uint64_t limit;        // and where nothing is any more
    struct sym_result result;
    struct answer *memo;
    struct answer *batch;
    struct asked_address *missing, *spare; // of the batch, and room to sort them
    size_t batch_count, batch_capacity, missing_count;
    struct text answers, output;
};

static struct answer *memo_slot(struct session *session, uint64_t address)
{
    uint64_t hash = address * UINT64_C(0x9e3779b97f4a7c15);
    return &session->memo[hash >> 48];
}

static void ask(struct session *session, const char *word)
{
    uint64_t address = address_word(session->module, word);
    if (session->style.address_bytes == 4)
        address &= UINT32_MAX;
    if (session->batch_count == session->batch_capacity) {
        size_t capacity = session->batch_capacity ? 2 * session->batch_capacity : 64;
        session->batch = reallocarray(session->batch, capacity, sizeof(*session->batch));
        session->missing = reallocarray(session->missing, capacity, sizeof(*session->missing));
        session->spare = reallocarray(session->spare, capacity, sizeof(*session->spare));
        if (!session->batch || !session->missing || !session->spare)
            abort();
        session->batch_capacity = capacity;
    }
    session->batch[session->batch_count++] = (struct answer){.address = address};
}

static struct error *look_up(struct session *session, uint64_t address, struct answer *to)
{
    struct answer *slot = memo_slot(session, address);
    if (!slot->bytes || slot->address != address) {
        struct sym_place place = {session->base.section, session->base.address + address};
        struct error *error = NULL;
        session->result.count = 0;
        session->result.symbol.name = NULL;
        if (address < session->limit)
            error = sym_lookup(session->module, place, &session->result);
        if (error)
            return error;
        size_t offset = session->answers.used;
        address_text(&session->answers, &session->style, address, &session->result);
        *slot =
            (struct answer){address, (uint32_t)offset, (uint32_t)(session->answers.used - offset)};
    }
    *to = *slot;
    return NULL;
}

// Slots and answers lie all over memory. Asked for a few rounds before they are needed, they are in
// the processor's cache by then.
#define AHEAD 8

static void find_missing(struct session *session)
{
    session->missing_count = 0;
    for (size_t i = 0; i < session->batch_count; i++) {
        struct answer *wanted = &session->batch[i], *slot = memo_slot(session, wanted->address);
        if (i + AHEAD < session->batch_count)
            __builtin_prefetch(memo_slot(session, wanted[AHEAD].address));
        if (slot->bytes && slot->address == wanted->address)
            *wanted = *slot;
        else
            session->missing[session->missing_count++] =
                (struct asked_address){wanted->address, (uint32_t)i};
    }
}

static struct error *look_up_batch(struct session *session)
{
    if (session->answers.used > MEMO_BYTES) {
        memset(session->memo, 0, MEMO_SLOTS * sizeof(*session->memo));
        session->answers.used = 0;
    }
    find_missing(session);
    address_sort(session->missing, session->spare, session->missing_count);
    struct error *error = NULL;
    for (size_t i = 0; i < session->missing_count && !error; i++) {
        const struct asked_address *asked = &session->missing[i];
        if (i + AHEAD < session->missing_count)
            __builtin_prefetch(memo_slot(session, asked[AHEAD].address));
        error = look_up(session, asked->address, &session->batch[asked->number]);
    }
    return error;
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

static struct error *answer_batch(struct session *session)
{
    struct error *error = look_up_batch(session);
    for (size_t i = 0; i < session->batch_count && !error; i++) {
        const struct answer *answer = &session->batch[i];
        if (i + AHEAD < session->batch_count)
            __builtin_prefetch(session->answers.bytes + answer[AHEAD].offset);
        text_add(&session->output, session->answers.bytes + answer->offset, answer->bytes);
        if (session->output.used > OUTPUT_BYTES)
            error = flush(session);
    }
    session->batch_count = 0;
    return error ? error : flush(session);
}

// -- input ----------------------------------------------------------------------------------------

struct input {
    char bytes[BATCH_BYTES + 1];
    size_t used;
    bool skipping; // the rest of a line that was too long
};

// Asks for what stands on whole lines and keeps the rest.
static void take_lines(struct session *session, struct input *input)
{
    char *at = input->bytes, *end = at + input->used, *newline;
    for (; (newline = memchr(at, '\n', (size_t)(end - at))); at = newline + 1) {
        *newline = 0;
        if (!input->skipping)
            ask(session, at);
        input->skipping = false;
    }
    input->used = (size_t)(end - at);
    memmove(input->bytes, at, input->used);
    if (input->used < BATCH_BYTES)
        return;
    // One line fills it all: its start says what the address is.
    input->bytes[input->used] = 0;
    if (!input->skipping)
        ask(session, input->bytes);
    input->used = 0;
    input->skipping = true;
}

// Whoever writes to a pipe may wait for an answer before asking on: whatever read() gave is
// answered before the next one.
static struct error *answer_stream(struct session *session)
{
    struct input *input = malloc(sizeof(*input));
    if (!input)
        abort();
    input->used = 0;
    input->skipping = false;
    struct error *error = NULL;
    while (!error) {
        ssize_t got = read(STDIN_FILENO, input->bytes + input->used, BATCH_BYTES - input->used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            error = error_errno("cannot read standard input");
        if (got <= 0)
            break;
        input->used += (size_t)got;
        take_lines(session, input);
        error = answer_batch(session);
    }
    if (!error && input->used && !input->skipping) { // a last line without an end
        input->bytes[input->used] = 0;
        ask(session, input->bytes);
        error = answer_batch(session);
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
    const struct sym_module_info *info = sym_module_info(session->module);
    session->style.address_bytes = info->address_bytes;
    session->result.symbol_in_need = !options->json && !info->mangled;
    if (options->section &&
        !sym_section_place(session->module, options->section, &session->base, &session->limit))
        return error_make(EXIT_FAILED, "%s: there is no section %s", options->file,
                          options->section);
    return NULL;
}

static struct error *answer_all(struct session *session, char **operands)
{
    if (!*operands)
        return answer_stream(session);
    for (; *operands; operands++)
        ask(session, *operands);
    return answer_batch(session);
}

static void session_deinit(struct session *session)
{
    sym_result_deinit(&session->result);
    sym_module_close(session->module);
    free(session->memo);
    free(session->batch);
    free(session->missing);
    free(session->spare);
    text_deinit(&session->answers);
    text_deinit(&session->output);
}

static struct error *answer(const struct addr2line_options *options, char **operands)
{
    bool plain = !options->demangle || !strcmp(options->demangle, "none");
    struct session session = {
        .style = {.addresses = options->addresses,
                  .functions = options->functions,
                  .inlines = options->inlines,
                  .basenames = options->basenames,
                  .pretty = options->pretty,
                  .demangle = !plain,
                  .json = options->json},
        .limit = UINT64_MAX,
        .memo = calloc(MEMO_SLOTS, sizeof(struct answer)),
    };
    if (!session.memo)
        abort();
    struct error *error = open_module(options, &session);
    if (!error)
        error = answer_all(&session, operands);
    session_deinit(&session);
    return error;
}

static struct error *addr2line_run(int argc, char **argv, enum exit_status *status)
{
    (void)status;
    struct addr2line_options options = {.file = "a.out", .index = "auto"};
    int operands;
    bool helped;
    char **given = argv;
    expandargv(&argc, &argv); // "@FILE" stands for the words in the file
    struct error *error =
        options_parse(&command_addr2line, argc, argv, &options, &operands, &helped);
    if (!error && !helped && options.version)
        puts("fathom addr2line " FATHOM_VERSION);
    else if (!error && !helped)
        error = answer(&options, argv + operands);
    option_list_deinit(&options.folders);
    if (argv != given)
        freeargv(argv);
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
