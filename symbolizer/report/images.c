// SPDX-License-Identifier: MIT
// See images.h.
#include "symbolizer/report/images.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CANDIDATES_MAX  64   // symbols of one name that are told apart
#define MAPPINGS_MAX    1024 // told by one log
#define ALIGNMENT_BYTES 64   // of functions, at most
#define PAGE_MASK       0xfffu
#define ASKED_MAX       64 // build-ids of one run; a log may tell any number

struct mapped_module {
    uint64_t id;
    const struct report_image *image;
};

struct mapping {
    uint64_t address, size, id, offset;
};

struct report_images {
    struct report_image **at;
    size_t count;
    report_images_finder *find; // NULL: nobody to ask
    void *find_context;
    char *asked[ASKED_MAX]; // build-ids
    char *found[ASKED_MAX]; // the paths of their files, or NULL
    size_t asked_count;
    struct mapped_module *modules;
    size_t module_count;
    struct mapping *mappings;
    size_t mapping_count;
    struct sym_result result; // used again for each lookup
};

// -- the files ------------------------------------------------------------------------------------

struct report_images *report_images_create(void)
{
    struct report_images *images = calloc(1, sizeof(*images));
    if (!images)
        abort();
    return images;
}

static void image_free(struct report_image *image)
{
    sym_module_close(image->module);
    free(image->name);
    free(image->build_id);
    free(image);
}

void report_images_destroy(struct report_images *images)
{
    if (!images)
        return;
    report_images_forget(images);
    sym_result_deinit(&images->result);
    for (size_t i = 0; i < images->count; i++)
        image_free(images->at[i]);
    for (size_t i = 0; i < images->asked_count; i++) {
        free(images->asked[i]);
        free(images->found[i]);
    }
    free(images->at);
    free(images->modules);
    free(images->mappings);
    free(images);
}

// "/lib/modules/6.1/snd-hda.ko.xz" is "snd_hda" in a log.
static char *image_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *name = strdup(slash ? slash + 1 : path);
    if (!name)
        abort();
    char *end = strstr(name, ".ko");
    if (!end)
        end = strstr(name, ".debug");
    if (end && end != name)
        *end = 0;
    for (char *c = name; *c; c++)
        if (*c == '-')
            *c = '_';
    return name;
}

static char *hex(const uint8_t *bytes, size_t count)
{
    if (!count)
        return NULL;
    char *text = calloc(2 * count + 1, 1);
    if (!text)
        abort();
    for (size_t i = 0; i < count; i++)
        sprintf(text + 2 * i, "%02x", bytes[i]);
    return text;
}

struct error *report_images_add(struct report_images *images, const char *path,
                                const struct sym_open_options *options)
{
    struct sym_module *module;
    struct error *error = sym_module_open(path, options, &module);
    if (error)
        return error;
    struct report_image *image = calloc(1, sizeof(*image));
    images->at = reallocarray(images->at, images->count + 1, sizeof(*images->at));
    if (!image || !images->at)
        abort();
    image->path = path;
    image->name = image_name(path);
    image->module = module;
    image->info = sym_module_info(module);
    image->build_id = hex(image->info->build_id, image->info->build_id_bytes);
    images->at[images->count++] = image;
    return NULL;
}

static bool has_build_id(const struct report_image *image, const char *build_id)
{
    return build_id && image->build_id && !strcasecmp(image->build_id, build_id);
}

void report_images_ask(struct report_images *images, report_images_finder *find, void *context)
{
    images->find = find;
    images->find_context = context;
}

// Sees to it that the file of a build-id is among the images, if it can be found.
static void need_build_id(struct report_images *images, const char *build_id)
{
    if (!build_id || !images->find || images->asked_count == ASKED_MAX)
        return;
    for (size_t i = 0; i < images->count; i++)
        if (has_build_id(images->at[i], build_id))
            return;
    for (size_t i = 0; i < images->asked_count; i++)
        if (!strcasecmp(images->asked[i], build_id))
            return;
    char *asked = strdup(build_id), *path = images->find(build_id, images->find_context);
    if (!asked)
        abort();
    images->asked[images->asked_count] = asked;
    images->found[images->asked_count++] = path;
    struct error *error = path ? report_images_add(images, path, NULL) : NULL;
    error_free(error); // as good as none
}

const struct report_image *report_images_kernel(const struct report_images *images,
                                                const struct report *report)
{
    const struct report_image *best = NULL;
    for (size_t i = 0; i < images->count; i++) {
        const struct report_image *image = images->at[i];
        if (image->info->relocatable)
            continue;
        if (report && has_build_id(image, report->build_id))
            return image;
        bool fits = !report || !report->machine || report->machine == image->info->machine;
        if (!best && fits)
            best = image;
    }
    return best;
}

static const struct report_image *find_module(const struct report_images *images, const char *name,
                                              const char *build_id)
{
    const struct report_image *best = NULL;
    for (size_t i = 0; i < images->count; i++) {
        const struct report_image *image = images->at[i];
        if (has_build_id(image, build_id))
            return image;
        if (best || !name)
            continue;
        char *plain = image_name(name);
        if (!strcmp(plain, image->name))
            best = image;
        free(plain);
    }
    return best;
}

// -- places ---------------------------------------------------------------------------------------

struct candidates {
    struct sym_symbol symbols[CANDIDATES_MAX];
    size_t count;
};

static bool add_candidate(const struct sym_symbol *symbol, void *argument)
{
    struct candidates *candidates = argument;
    for (size_t i = 0; i < candidates->count; i++)
        if (candidates->symbols[i].place.address == symbol->place.address &&
            candidates->symbols[i].place.section == symbol->place.section)
            return true; // an alias is no second place
    candidates->symbols[candidates->count++] = *symbol;
    return candidates->count < CANDIDATES_MAX;
}

// How well a symbol fits what was printed: the address proves it, the size makes it likely. A size
// that differs excludes nothing, since kernels print the room up to the next symbol they know:
// behind a function there may be what aligns the next one, and behind __init ones a page.
static int fit(const struct sym_symbol *symbol, const struct report_frame *frame,
               struct report_slide slide)
{
    bool address = frame->has_address && slide.known && !symbol->place.section &&
                   symbol->place.address + frame->offset + slide.value == frame->address;
    uint64_t behind = frame->size - symbol->size; // wraps where the symbol is larger
    int close = frame->size && behind < ALIGNMENT_BYTES ? ALIGNMENT_BYTES - (int)behind : 0;
    bool inside = frame->offset <= symbol->size;
    return (address ? 4 * ALIGNMENT_BYTES : 0) + 2 * close + inside;
}

static bool find_by_name(const struct report_image *image, struct report_slide slide,
                         struct report_frame *frame)
{
    struct candidates candidates = {.count = 0};
    struct error *error = sym_find(image->module, frame->name, add_candidate, &candidates);
    if (error) {
        error_free(error); // a damaged symbol table finds nothing
        return false;
    }
    int best = -1;
    for (size_t i = 0; i < candidates.count; i++) {
        int how = fit(&candidates.symbols[i], frame, slide);
        if (how == best)
            frame->others++;
        if (how <= best)
            continue;
        best = how;
        frame->others = 0;
        frame->image = image;
        frame->symbol = candidates.symbols[i];
        frame->place = frame->symbol.place;
        frame->place.address += frame->offset;
    }
    return best >= 0;
}

bool report_images_slide(struct report_images *images, const struct report *report,
                         const struct report_frame *frame, uint64_t *slide)
{
    need_build_id(images, report ? report->build_id : NULL);
    const struct report_image *kernel = report_images_kernel(images, report);
    struct report_frame copy = *frame;
    if (!kernel || !frame->has_address || !frame->name || !frame->has_offset || frame->module ||
        !find_by_name(kernel, (struct report_slide){0}, &copy) || copy.others || copy.place.section)
        return false;
    *slide = frame->address - copy.place.address;
    return (*slide & PAGE_MASK) == 0;
}

// The byte whose place is asked for: of the call that returns here, or of the instruction itself. A
// return address at offset 0 is nobody's: the stack was made so, for a thread that has not run.
static struct sym_place looked_up(const struct report_frame *frame)
{
    struct sym_place place = frame->place;
    bool behind_call = frame->role == REPORT_RETURN && !(frame->has_offset && !frame->offset);
    if (behind_call && place.address)
        place.address--;
    return place;
}

static const char *shown_name(struct report_arena *arena, const char *name)
{
    if (!name)
        return NULL;
    char *readable = sym_demangle(name);
    const char *shown = report_printable(arena, readable ? readable : name,
                                         strlen(readable ? readable : name), NULL);
    free(readable);
    return shown;
}

static const char *shown_text(struct report_arena *arena, const char *text)
{
    return text ? report_printable(arena, text, strlen(text), NULL) : NULL;
}

// Builds that hide their folder name files as "./kernel/main.c", with a "./" for each time.
static const char *shown_path(struct report_arena *arena, const char *path)
{
    while (path && !strncmp(path, "./", 2))
        path += 2;
    return shown_text(arena, path);
}

// What is kept outlives the result, and names from a file are as little trusted as the log.
static void keep_calls(struct report_arena *arena, const struct sym_result *result,
                       struct report_frame *frame)
{
    struct sym_frame *calls = report_alloc(arena, (result->count + 1) * sizeof(*calls));
    for (size_t i = 0; i < result->count; i++) {
        const struct sym_frame *from = &result->frames[i];
        calls[i] = *from;
        calls[i].function = shown_name(arena, from->linkage ? from->linkage : from->function);
        calls[i].linkage = NULL;
        calls[i].file = shown_path(arena, from->file);
        calls[i].declared_file = NULL;
    }
    frame->calls = calls;
    frame->call_count = result->count;
}

static void look_up(struct report_images *images, struct report_arena *arena,
                    struct report_frame *frame)
{
    struct sym_result *result = &images->result;
    struct error *error = sym_lookup(frame->image->module, looked_up(frame), result);
    if (error) {
        error_free(error); // the frame stays as printed
        frame->image = NULL;
        return;
    }
    keep_calls(arena, result, frame);
    if (!frame->symbol.name)
        frame->symbol = result->symbol;
    frame->symbol.name = shown_text(arena, frame->symbol.name);
    if (!frame->call_count && !frame->symbol.name)
        frame->image = NULL;
}

// The image's own symbol or a function of it must cover the address: the nearest symbol below says
// nothing about an address outside the file.
static bool covers(struct report_images *images, const struct report_image *image,
                   struct sym_place place)
{
    struct sym_result *result = &images->result;
    struct error *error = sym_lookup(image->module, place, result);
    if (error) {
        error_free(error);
        return false;
    }
    const struct sym_symbol *symbol = &result->symbol;
    return result->count || (symbol->name && place.address - symbol->place.address < symbol->size);
}

static bool find_by_address(struct report_images *images, const struct report_image *kernel,
                            struct report_slide slide, struct report_frame *frame)
{
    frame->image = kernel;
    frame->place = (struct sym_place){.address = frame->address - (slide.known ? slide.value : 0)};
    if (covers(images, kernel, looked_up(frame)))
        return true;
    frame->image = NULL;
    return false;
}

// A token without a module may be of any file: where there is no kernel, of the only one that knows
// the name.
static void find_anywhere(struct report_images *images, struct report_frame *frame)
{
    for (size_t i = 0; i < images->count && !frame->image; i++)
        find_by_name(images->at[i], (struct report_slide){0}, frame);
}

void report_images_find(struct report_images *images, struct report_arena *arena,
                        struct report *report, struct report_slide slide,
                        struct report_frame *frame)
{
    need_build_id(images, report ? report->build_id : NULL);
    need_build_id(images, frame->build_id);
    const struct report_image *kernel = report_images_kernel(images, report);
    if (!frame->image && frame->module) {
        const struct report_image *image = find_module(images, frame->module, frame->build_id);
        if (image && frame->name && find_by_name(image, slide, frame) && report &&
            frame->build_id && image->build_id && !has_build_id(image, frame->build_id))
            report->wrong_build = image->path;
    } else if (!frame->image && kernel) {
        bool named = frame->name && frame->has_offset && find_by_name(kernel, slide, frame);
        if (named && frame->has_address && slide.known && !frame->place.section)
            frame->contradicts = frame->place.address + slide.value != frame->address;
        if (!named && frame->has_address)
            find_by_address(images, kernel, slide, frame);
        if (report && report->build_id && kernel->build_id &&
            !has_build_id(kernel, report->build_id))
            report->wrong_build = kernel->path;
    }
    if (!frame->image && !frame->module && frame->name && frame->has_offset)
        find_anywhere(images, frame);
    if (frame->image)
        look_up(images, arena, frame);
    if (frame->contradicts && report) {
        report->corrupted = true;
        report->contradictions++;
    }
}

// -- mappings a log tells -------------------------------------------------------------------------

void report_images_forget(struct report_images *images)
{
    images->module_count = images->mapping_count = 0;
}

void report_images_module(struct report_images *images, uint64_t id, const char *name,
                          const char *build_id)
{
    need_build_id(images, build_id);
    const struct report_image *image = find_module(images, name, build_id);
    if (!image || images->module_count == MAPPINGS_MAX)
        return;
    images->modules =
        reallocarray(images->modules, images->module_count + 1, sizeof(*images->modules));
    if (!images->modules)
        abort();
    images->modules[images->module_count++] = (struct mapped_module){id, image};
}

void report_images_map(struct report_images *images, uint64_t address, uint64_t size, uint64_t id,
                       uint64_t offset)
{
    if (images->mapping_count == MAPPINGS_MAX)
        return;
    images->mappings =
        reallocarray(images->mappings, images->mapping_count + 1, sizeof(*images->mappings));
    if (!images->mappings)
        abort();
    images->mappings[images->mapping_count++] = (struct mapping){address, size, id, offset};
}

static const struct report_image *module_image(const struct report_images *images, uint64_t id)
{
    for (size_t i = images->module_count; i-- > 0;) // the latest of a number counts
        if (images->modules[i].id == id)
            return images->modules[i].image;
    return NULL;
}

void report_images_place(const struct report_images *images, struct report_frame *frame)
{
    for (size_t i = images->mapping_count; i-- > 0;) {
        const struct mapping *mapping = &images->mappings[i];
        if (frame->address - mapping->address >= mapping->size)
            continue;
        frame->image = module_image(images, mapping->id);
        frame->place.address = frame->address - mapping->address + mapping->offset;
        return;
    }
}
