// SPDX-License-Identifier: MIT
// A line of JSON for each report. See writers.h; all texts out of logs and ELF files are printable
// UTF-8 by the time they come here.
#include <elf.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "symbolizer/report/format.h"
#include "symbolizer/report/writers.h"

#define SCHEMA "fathom.panic/1"

static json_t *text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
}

static json_t *hex(uint64_t value)
{
    char text[20];
    snprintf(text, sizeof(text), "0x%" PRIx64, value);
    return json_string(text);
}

static const char *machine_name(uint16_t machine)
{
    switch (machine) {
    case EM_X86_64:
        return "x86_64";
    case EM_AARCH64:
        return "aarch64";
    case EM_RISCV:
        return "riscv64";
    default:
        return NULL;
    }
}

// One object for each inlined call, innermost first, and then one for the function itself, all with
// the number of the frame.
static void add_calls(json_t *frames, const struct report_frame *frame, size_t number)
{
    size_t count = report_place_count(frame);
    for (size_t i = 0; i < (count ? count : 1); i++) {
        struct report_place_text place = {.function = frame->name};
        if (count)
            place = report_place_text(frame, i);
        const char *name = frame->symbol.name && frame->image ? frame->symbol.name : frame->name;
        const char *shown = place.inlined ? place.function : name ? name : place.function;
        bool offset = !place.inlined && (frame->has_offset || (frame->image && name));
        uint64_t into = frame->image && frame->symbol.name
                            ? frame->place.address - frame->symbol.place.address
                            : frame->offset;
        json_t *object = json_object();
        json_object_set_new(object, "i", json_integer((json_int_t)number));
        json_object_set_new(object, "build_id",
                            text_or_null(frame->image ? frame->image->build_id : frame->build_id));
        json_object_set_new(object, "off",
                            frame->image         ? hex(frame->place.address)
                            : frame->has_address ? hex(frame->address)
                                                 : json_null());
        json_object_set_new(object, "sym", text_or_null(shown));
        json_object_set_new(object, "sym_off", offset ? hex(into) : json_null());
        json_object_set_new(object, "inl", json_boolean(place.inlined));
        json_object_set_new(object, "file", text_or_null(place.file));
        json_object_set_new(object, "line", place.line ? json_integer(place.line) : json_null());
        json_array_append_new(frames, object);
    }
}

static json_t *frames_of(const struct report *report)
{
    json_t *frames = json_array();
    size_t number = 0;
    const struct report_frame *frame = report->first_stack.first;
    for (; frame; frame = frame->next_in_stack)
        if (!frame->unreliable)
            add_calls(frames, frame, number++);
    return frames;
}

static json_t *registers_of(const struct report *report)
{
    json_t *object = json_object();
    const struct report_register *reg = report->registers;
    for (; reg; reg = reg->next)
        json_object_set_new(object, reg->name, hex(reg->value));
    return object;
}

static json_t *alt_titles_of(const struct report *report)
{
    json_t *array = json_array();
    for (size_t i = 0; i < sizeof(report->alt_titles) / sizeof(*report->alt_titles); i++)
        if (report->alt_titles[i])
            json_array_append_new(array, json_string(report->alt_titles[i]));
    return array;
}

// The file may be called anything, and JSON has to be UTF-8.
static json_t *file_name(const char *path)
{
    if (!path)
        return json_null();
    struct report_arena arena = {0};
    json_t *name = json_string(report_printable(&arena, path, strlen(path), NULL));
    report_arena_deinit(&arena);
    return name;
}

static json_t *log_reference(const struct report_show *show, const struct report *report)
{
    const struct report_line *last = report->last_line;
    uint64_t end = last->offset + last->bytes;
    json_t *object = json_object();
    json_object_set_new(object, "path", file_name(show->log));
    json_object_set_new(object, "off", json_integer((json_int_t)report->first_line->offset));
    json_object_set_new(object, "len",
                        json_integer((json_int_t)(end - report->first_line->offset)));
    return object;
}

// The kernel's build-id: printed by the report, else of the file its frames were found in.
static const char *build_id_of(const struct report *report)
{
    if (report->build_id)
        return report->build_id;
    const struct report_frame *frame = report->first_stack.first;
    for (; frame; frame = frame->next_in_stack)
        if (frame->image && !frame->image->info->relocatable)
            return frame->image->build_id;
    return NULL;
}

static uint16_t machine_of(const struct report *report)
{
    const struct report_frame *frame = report->first_stack.first;
    for (; frame && !report->machine; frame = frame->next_in_stack)
        if (frame->image)
            return frame->image->info->machine;
    return report->machine;
}

static json_t *report_object(const struct report_show *show, const struct report *report)
{
    static const char *const clocks[] = {NULL, "boot", "wall"};
    bool timed = report->clock != REPORT_CLOCK_NONE;
    json_t *object = json_object();
    json_object_set_new(object, "schema", json_string(SCHEMA));
    json_object_set_new(object, "ts", timed ? json_real(report->time_s) : json_null());
    json_object_set_new(object, "clock", text_or_null(clocks[report->clock]));
    json_object_set_new(object, "host", text_or_null(report->host));
    json_object_set_new(object, "boot_id", text_or_null(report->boot_id));
    json_object_set_new(object, "arch", text_or_null(machine_name(machine_of(report))));
    json_object_set_new(object, "os", text_or_null(report->os));
    json_object_set_new(object, "version", text_or_null(report->version));
    json_object_set_new(object, "git", text_or_null(report->git));
    json_object_set_new(object, "build_id", text_or_null(build_id_of(report)));
    json_object_set_new(object, "kaslr_slide",
                        report->has_slide ? hex(report->slide) : json_null());
    json_object_set_new(object, "cpu", report->cpu >= 0 ? json_integer(report->cpu) : json_null());
    json_object_set_new(object, "task", text_or_null(report->task));
    json_object_set_new(object, "kind", json_string(report->kind));
    json_object_set_new(object, "title", json_string(report->title));
    json_object_set_new(object, "alt_titles", alt_titles_of(report));
    json_object_set_new(object, "sig", json_string(report->signature));
    json_object_set_new(object, "sig_loose", json_string(report->loose_signature));
    json_object_set_new(object, "frames", frames_of(report));
    json_object_set_new(object, "regs", registers_of(report));
    json_object_set_new(object, "log_ref", log_reference(show, report));
    json_object_set_new(object, "corrupted", json_boolean(report->corrupted));
    json_object_set_new(object, "tool_version", json_string("fathom " FATHOM_VERSION));
    return object;
}

static void json_report(void *context, const struct report *report)
{
    struct report_show *show = context;
    json_t *object = report_object(show, report);
    json_dumpf(object, show->to, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(16));
    fputc('\n', show->to);
    json_decref(object);
    show->reports++;
    if (show->flush)
        fflush(show->to);
}

struct report_sink report_json_sink(struct report_show *show)
{
    return (struct report_sink){NULL, json_report, show};
}
