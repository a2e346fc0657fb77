// SPDX-License-Identifier: MIT
// Any bytes as a log, through every format and every writer, with a fake kernel and module that
// know some names of the seeds, which are the logs of the unit tests. The size chooses how a log is
// read (odd: live) and written. Beyond what the sanitizers see it demands that what is written for
// people is printable and that each line of JSON is JSON.
#include <elf.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/report/reader.h"
#include "symbolizer/report/writers.h"
#include "tests/unit/sym_fake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BASE 0xffffffff80200000

static const uint8_t text[64] = {0x8b, 0x07, 0x83, 0xc0, 0x01, 0xc3};
static const struct fake_symbol symbols[] = {
    {"crash_null", 0, BASE, 0x40},        {"crash_thread", 0, BASE + 0x40, 0x40},
    {"panic", 0, BASE + 0x100, 0x40},     {"panic", 0, BASE + 0x200, 0x80},
    {"vfs_write", 0, BASE + 0x300, 0x80}, {0},
};
static const struct fake_range ranges[] = {
    {0, BASE, BASE + 0x40, {{.function = "crash_null", .file = "a.c", .line = 1}}},
    {0, BASE + 0x40, BASE + 0x80, {{.function = "in", .file = "b.c"}, {.function = "out"}}},
    {0},
};
static const struct fake_symbol module_symbols[] = {
    {"item_sum", 3, 0, 0x20}, {"poke", 3, 32, 9}, {0}};
static const struct fake_file files[] = {
    {"vmlinux", {.machine = EM_X86_64}, symbols, ranges, {0, BASE}, text, sizeof(text)},
    {"oopser.ko",
     {.machine = EM_RISCV, .relocatable = true},
     module_symbols,
     NULL,
     {3, 0},
     text,
     9},
    {0},
};

static void demand(int truth)
{
    if (!truth)
        abort();
}

static void check_text(const char *out, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)out[i];
        demand((c >= 0x20 && c != 0x7f) || c == '\n' || c == '\t');
    }
}

static void check_json(char *out)
{
    for (char *line = strtok(out, "\n"); line; line = strtok(NULL, "\n")) {
        json_t *object = json_loads(line, 0, NULL);
        demand(json_is_object(object));
        json_decref(object);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fake_files = files;
    struct report_images *images = report_images_create();
    error_free(report_images_add(images, "vmlinux", NULL));
    error_free(report_images_add(images, "oopser.ko", NULL));

    char *out;
    size_t length;
    struct report_show show = {
        .to = open_memstream(&out, &length),
        .disassembly = true,
        .source = true,
        .sources = report_sources_create((const char *const[]){"/nonexistent", NULL}),
        .log = "log",
    };
    struct report_sink sinks[] = {report_text_sink(&show), report_json_sink(&show),
                                  report_html_sink(&show)};
    unsigned writer = size / 2 % 3;
    struct report_reader *reader = report_reader_create(images, &sinks[writer], size & 1);
    report_reader_feed(reader, (const char *)data, size);
    report_reader_end(reader);
    report_reader_destroy(reader);
    fclose(show.to);

    check_text(out, length);
    if (writer == 1)
        check_json(out);
    free(out);
    report_sources_destroy(show.sources);
    report_show_deinit(&show);
    report_images_destroy(images);
    return 0;
}
