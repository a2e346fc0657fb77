// SPDX-License-Identifier: MIT
// The ELF files a log is read with, and the answer to what a printed frame stands for: the file is
// found by the module's name or build-id, the place by name and offset or by address. Names come
// first: they hold without knowing where a kernel was moved to (KASLR) or a module loaded.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "symbolizer/report/report.h"

struct report_images;

struct report_image {
    const char *path;
    char *name;     // as logs name it: without folder and .ko, - as _
    char *build_id; // in hex, or NULL
    struct sym_module *module;
    const struct sym_module_info *info;
};

// Where the kernel runs, relative to where it was linked for.
struct report_slide {
    bool known;
    uint64_t value;
};

struct report_images *report_images_create(void);
void report_images_destroy(struct report_images *images);
// The path must live as long as the images.
struct error *report_images_add(struct report_images *images, const char *path,
                                const struct sym_open_options *options);

// Asked for the file of a build-id (in hex) that a log tells and none of the files has; returns its
// path, to be freed, or NULL. No build-id is asked for twice.
typedef char *report_images_finder(const char *build_id, void *context);
void report_images_ask(struct report_images *images, report_images_finder *find, void *context);

// The kernel a report is of: the one with its build-id, else one for its machine; NULL: none.
const struct report_image *report_images_kernel(const struct report_images *images,
                                                const struct report *report);
// How far the kernel was moved, as a frame with both address and name tells it. False: it does not.
bool report_images_slide(struct report_images *images, const struct report *report,
                         const struct report_frame *frame, uint64_t *slide);
// Fills in what the frame stands for. `report` may be NULL.
void report_images_find(struct report_images *images, struct report_arena *arena,
                        struct report *report, struct report_slide slide,
                        struct report_frame *frame);

// For logs that tell the mappings themselves: modules by number, and where their segments lie.
void report_images_forget(struct report_images *images);
void report_images_module(struct report_images *images, uint64_t id, const char *name,
                          const char *build_id);
void report_images_map(struct report_images *images, uint64_t address, uint64_t size, uint64_t id,
                       uint64_t offset);
// Sets image and place of a frame whose address lies in a mapping told before.
void report_images_place(const struct report_images *images, struct report_frame *frame);
