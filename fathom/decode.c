// SPDX-License-Identifier: MIT
// `fathom decode`: logs in, the same logs out with their panics explained; or a line of JSON for
// each panic, a page of HTML, or the panics of many logs grouped. The reading and writing is done
// in symbolizer/report; this file opens files and chooses.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "fathom/commands.h"
#include "fathom/postmortem.h"
#include "symbolizer/find_debug.h"
#include "symbolizer/report/images.h"
#include "symbolizer/report/reader.h"
#include "symbolizer/report/writers.h"

#define QUIET_MS       1000 // a live report is over when nothing comes for so long
#define BUILD_ID_BYTES 64   // longer ones are nobody's

// -- options --------------------------------------------------------------------------------------

struct decode_options {
    struct option_list files, debug_folders, source_folders;
    const char *color;
    bool json, html, dedup, follow, no_source, no_disassembly, no_index;
    struct postmortem_options postmortem;
};

static const char *const colors[] = {"auto", "always", "never", NULL};

#define AT(member) offsetof(struct decode_options, member)
static const struct option_row rows[] = {
    {"exe", 'e', OPTION_LIST, AT(files), "ELF",
     "the kernel, or a module: the log's names and build-ids tell which is which; may be given "
     "more than once",
     0, 0, NULL},
    {"source", 's', OPTION_LIST, AT(source_folders), "FOLDER",
     "a source tree to look in for files that are not where they were compiled", 0, 0, NULL},
    {"debug", 0, OPTION_LIST, AT(debug_folders), "FOLDER",
     "look here for debug files before /usr/lib/debug", 0, 0, NULL},
    {"json", 'j', OPTION_FLAG, AT(json), NULL, "print one line of JSON for each panic instead", 0,
     0, NULL},
    {"html", 0, OPTION_FLAG, AT(html), NULL, "print a page of HTML instead", 0, 0, NULL},
    {"dedup", 0, OPTION_FLAG, AT(dedup), NULL,
     "print how many panics of each signature the files and folders hold", 0, 0, NULL},
    {"follow", 'f', OPTION_FLAG, AT(follow), NULL,
     "decode each line as it comes, and wait for more at the end of a file", 0, 0, NULL},
    {"color", 0, OPTION_STRING, AT(color), "WHEN",
     "auto (on a terminal unless NO_COLOR is set), always or never", 0, 0, colors},
    {"locals", 0, OPTION_FLAG, AT(postmortem.locals), NULL,
     "and print the variables of the frames of each CPU's thread, out of the panic's capsule", 0, 0,
     NULL},
    {"threads", 0, OPTION_FLAG, AT(postmortem.all_threads), NULL, "with --locals: of all threads",
     0, 0, NULL},
    {"core", 0, OPTION_STRING, AT(postmortem.core), "FILE",
     "write the capsule as a core file instead, for 'gdb ELF FILE'", 0, 0, NULL},
    {"gdb", 0, OPTION_NUMBER, AT(postmortem.gdb), "PORT",
     "serve the capsule to a gdb ('target remote :PORT') instead; 0 takes a free port", 0, 65535,
     NULL},
    {"no-source", 0, OPTION_FLAG, AT(no_source), NULL, "no lines of source", 0, 0, NULL},
    {"no-disassembly", 0, OPTION_FLAG, AT(no_disassembly), NULL, "no instructions", 0, 0, NULL},
    {"no-index", 0, OPTION_FLAG, AT(no_index), NULL,
     "read the ELF files themselves even where there is an index", 0, 0, NULL},
    {0},
};
#undef AT

static bool wants_color(const char *when)
{
    if (strcmp(when, "auto") != 0)
        return !strcmp(when, "always");
    const char *no_color = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(no_color && *no_color) &&
           !(terminal && !strcmp(terminal, "dumb"));
}

static struct error *check_options(const struct decode_options *options)
{
    if (options->html && (options->json || options->dedup || options->follow))
        return error_make(EXIT_USAGE, "--html is for whole logs and by itself");
    if (options->dedup && options->follow)
        return error_make(EXIT_USAGE, "--dedup counts what is there; --follow waits for more");
    if (postmortem_wanted(&options->postmortem) &&
        (options->html || options->json || options->dedup || options->follow))
        return error_make(EXIT_USAGE, "--locals, --core and --gdb look into one log's capsule, and "
                                      "print no other format");
    return NULL;
}

// -- a decoding -----------------------------------------------------------------------------------

struct decoding {
    const struct decode_options *options;
    struct report_images *images;
    struct report_show show;
    struct report_groups *groups;
    struct report_sink sink; // of the chosen writer
    const char *warned;      // the path of the file the last warning was about
};

static void pass_line(void *context, const struct report_line *line)
{
    struct decoding *decoding = context;
    if (decoding->sink.line)
        decoding->sink.line(decoding->sink.context, line);
}

// Formats that are not for people say on standard error what the others say beside the report.
static void pass_report(void *context, const struct report *report)
{
    struct decoding *decoding = context;
    bool quiet = decoding->options->json || decoding->options->dedup;
    if (quiet && report->wrong_build && report->wrong_build != decoding->warned)
        fprintf(stderr,
                "fathom decode: warning: %s is another build than the one that wrote the log; "
                "lines may be wrong\n",
                report->wrong_build);
    decoding->warned = report->wrong_build ? report->wrong_build : decoding->warned;
    decoding->sink.report(decoding->sink.context, report);
}

static void choose_sink(struct decoding *decoding, const char *log)
{
    decoding->show.log = log;
    if (decoding->options->dedup)
        decoding->sink = report_groups_sink(decoding->groups, log);
    else if (decoding->options->json)
        decoding->sink = report_json_sink(&decoding->show);
    else if (decoding->options->html)
        decoding->sink = report_html_sink(&decoding->show);
    else
        decoding->sink = report_text_sink(&decoding->show);
}

// Waits for more of a file that is being written, or for more from a pipe or a terminal. False: it
// is at its end for good.
static bool wait_for_more(int fd, int watch, struct report_reader *reader)
{
    struct pollfd ready = {.fd = watch >= 0 ? watch : fd, .events = POLLIN};
    int count = poll(&ready, 1, QUIET_MS);
    if (count == 0) {
        report_reader_idle(reader);
        count = poll(&ready, 1, -1);
    }
    char events[4096];
    if (watch >= 0 && read(watch, events, sizeof(events)) < 0)
        return false;
    return count > 0 || errno == EINTR;
}

static int watch_file(int fd, const char *path)
{
    struct stat status;
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
        return -1;
    int watch = inotify_init1(IN_CLOEXEC);
    if (watch >= 0 && inotify_add_watch(watch, path, IN_MODIFY) < 0) {
        close(watch);
        return -1;
    }
    return watch;
}

static struct error *read_log(struct decoding *decoding, int fd, const char *path)
{
    bool live = decoding->options->follow;
    struct report_sink sink = {pass_line, pass_report, decoding};
    struct report_reader *reader = report_reader_create(decoding->images, &sink, live);
    int watch = live && path ? watch_file(fd, path) : -1;
    struct error *error = NULL;
    char bytes[65536];
    for (;;) {
        if (live && watch < 0 && !wait_for_more(fd, -1, reader))
            break;
        ssize_t count = read(fd, bytes, sizeof(bytes));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            error = error_errno("cannot read %s", path ? path : "standard input");
        if (count <= 0 && !(count == 0 && watch >= 0 && wait_for_more(fd, watch, reader)))
            break;
        if (count > 0)
            report_reader_feed(reader, bytes, (size_t)count);
        if (ferror(stdout))
            break;
    }
    report_reader_end(reader);
    report_reader_destroy(reader);
    if (watch >= 0)
        close(watch);
    return error;
}

// A serial line that nobody has set up echoes what it gets, and the target would read its own
// panic. The speed stays as it is.
static void make_raw(int fd)
{
    struct termios settings;
    bool own = tcgetpgrp(fd) >= 0; // the terminal we were started from
    if (own || tcgetattr(fd, &settings) < 0)
        return;
    cfmakeraw(&settings);
    tcsetattr(fd, TCSANOW, &settings);
}

static struct error *read_folder(struct decoding *decoding, const char *path);

static struct error *read_path(struct decoding *decoding, const char *path)
{
    if (!strcmp(path, "-")) {
        if (isatty(STDIN_FILENO))
            fprintf(stderr, "fathom decode: paste the log here; Ctrl-D on a line of its own ends "
                            "it\n");
        choose_sink(decoding, "-");
        return read_log(decoding, STDIN_FILENO, NULL);
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0) {
        struct error *error = error_errno("cannot open %s", path);
        if (fd >= 0)
            close(fd);
        return error;
    }
    struct error *error;
    if (S_ISDIR(status.st_mode)) {
        error = read_folder(decoding, path);
    } else {
        choose_sink(decoding, path);
        make_raw(fd);
        error = read_log(decoding, fd, path);
    }
    close(fd);
    return error;
}

// -- folders --------------------------------------------------------------------------------------

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

// Programs and packed files lie among logs, and programs hold the words panics begin with. Noise on
// a line looks alike, but not for long.
static bool is_text(const char *path)
{
    unsigned char bytes[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t count = fd >= 0 ? read(fd, bytes, sizeof(bytes)) : -1;
    if (fd >= 0)
        close(fd);
    ssize_t controls = 0;
    for (ssize_t i = 0; i < count; i++)
        controls += !bytes[i] || (bytes[i] < 0x20 && !strchr("\t\n\r\033", bytes[i]));
    return fd < 0 || 4 * controls <= count; // what cannot be opened is complained about later
}

// Sorted, so that the same folder gives the same output everywhere. Links are not followed: they
// may lead around in a circle.
static struct error *read_folder(struct decoding *decoding, const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, is_visible, alphasort);
    if (count < 0)
        return error_errno("cannot read the folder %s", path);
    struct error *error = NULL;
    for (int i = 0; i < count; i++) {
        char *inner;
        if (asprintf(&inner, "%s/%s", path, entries[i]->d_name) < 0)
            abort();
        struct stat status;
        bool there = lstat(inner, &status) == 0;
        bool readable =
            there && (S_ISDIR(status.st_mode) || (S_ISREG(status.st_mode) && is_text(inner)));
        if (!error && readable)
            error = read_path(decoding, inner);
        free(inner);
        free(entries[i]);
    }
    free(entries);
    return error;
}

// -- the whole ------------------------------------------------------------------------------------

// The folders as an array that ends with NULL, to be freed by the caller.
static const char **debug_folders(const struct decode_options *options)
{
    const char **folders =
        calloc(options->debug_folders.count + 1, sizeof(*options->debug_folders.at));
    if (!folders)
        abort();
    for (size_t i = 0; i < options->debug_folders.count; i++)
        folders[i] = options->debug_folders.at[i];
    return folders;
}

// The debug file of a build-id that the log tells, for who has no ELF file at hand.
static char *find_image(const char *build_id, void *context)
{
    const struct decode_options *options = context;
    uint8_t bytes[BUILD_ID_BYTES];
    size_t digits = strlen(build_id), count = digits / 2;
    if (digits % 2 || digits > 2 * sizeof(bytes) ||
        strspn(build_id, "0123456789abcdefABCDEF") != digits)
        return NULL;
    for (size_t i = 0; i < count; i++)
        sscanf(build_id + 2 * i, "%2hhx", &bytes[i]);
    const char **folders = debug_folders(options);
    char *path = sym_find_by_build_id(bytes, count, folders);
    free(folders);
    return path;
}

static struct error *open_images(struct decoding *decoding)
{
    const struct decode_options *options = decoding->options;
    const char **folders = debug_folders(options);
    struct sym_open_options open_options = {
        .index = options->no_index ? SYM_INDEX_NEVER : SYM_INDEX_IF_THERE,
        .find_debug = true,
        .debug_folders = folders,
    };
    decoding->images = report_images_create();
    report_images_ask(decoding->images, find_image, (void *)options);
    struct error *error = NULL;
    for (size_t i = 0; i < options->files.count && !error; i++)
        error = report_images_add(decoding->images, options->files.at[i], &open_options);
    free(folders);
    return error;
}

static struct error *read_all(struct decoding *decoding, int count, char **paths)
{
    if (decoding->options->html)
        report_html_begin(&decoding->show);
    struct error *error = count ? NULL : read_path(decoding, "-");
    for (int i = 0; i < count && !error; i++)
        error = read_path(decoding, paths[i]);
    if (decoding->options->html)
        report_html_end(&decoding->show);
    if (decoding->options->dedup)
        report_groups_write(decoding->groups, stdout, decoding->options->json);
    if ((fflush(stdout) != 0 || ferror(stdout)) && !error)
        error = error_errno("cannot write to standard output");
    return error;
}

static struct error *decode(const struct decode_options *options, int count, char **paths)
{
    const char **trees = calloc(options->source_folders.count + 1, sizeof(*trees));
    if (!trees)
        abort();
    for (size_t i = 0; i < options->source_folders.count; i++)
        trees[i] = options->source_folders.at[i];
    struct decoding decoding = {
        .options = options,
        .groups = report_groups_create(),
        .show = {.to = stdout,
                 .colour = wants_color(options->color),
                 .flush = options->follow,
                 .source = !options->no_source,
                 .disassembly = !options->no_disassembly,
                 .sources = report_sources_create(trees)},
    };
    struct error *error = open_images(&decoding);
    if (!error)
        error = read_all(&decoding, count, paths);
    report_images_destroy(decoding.images);
    report_groups_destroy(decoding.groups);
    report_sources_destroy(decoding.show.sources);
    report_show_deinit(&decoding.show);
    free(trees);
    return error;
}

// With a capsule's machine: --locals is printed behind the decoded log, the others in its place.
static struct error *decode_capsule(const struct decode_options *options, int count, char **paths)
{
    char *input = "-";
    if (count > 1)
        return error_make(EXIT_USAGE, "--locals, --core and --gdb take one log");
    if (count == 0)
        paths = &input;
    struct postmortem_options postmortem = options->postmortem;
    postmortem.colour = wants_color(options->color);
    struct error *error = strcmp(paths[0], "-") != 0 ? NULL : postmortem_keep_input();
    if (!error && postmortem.locals)
        error = decode(options, 1, paths);
    const char **folders = debug_folders(options);
    postmortem.debug_folders = folders;
    if (!error)
        error = postmortem_run(&postmortem, paths[0], &options->files);
    free(folders);
    return error;
}

static struct error *decode_run(int argc, char **argv, enum exit_status *status)
{
    (void)status;
    struct decode_options options = {.color = "auto", .postmortem.gdb = POSTMORTEM_NO_GDB};
    int operands;
    bool helped;
    struct error *error = options_parse(&command_decode, argc, argv, &options, &operands, &helped);
    if (!error && !helped)
        error = check_options(&options);
    bool capsule = postmortem_wanted(&options.postmortem);
    if (!error && !helped)
        error = (capsule ? decode_capsule : decode)(&options, argc - operands, argv + operands);
    option_list_deinit(&options.files);
    option_list_deinit(&options.debug_folders);
    option_list_deinit(&options.source_folders);
    return error;
}

const struct command command_decode = {"decode",
                                       "Explains the panics in a log: functions, lines, code.",
                                       "[FILE|FOLDER|-]...",
                                       rows,
                                       true,
                                       decode_run};
