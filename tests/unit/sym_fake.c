// SPDX-License-Identifier: MIT
// See sym_fake.h.
#include "tests/unit/sym_fake.h"

#include <stdlib.h>
#include <string.h>

const struct fake_file *fake_files;

struct sym_module {
    const struct fake_file *file;
};

struct error *sym_module_open(const char *path, const struct sym_open_options *options,
                              struct sym_module **out)
{
    (void)options;
    for (const struct fake_file *file = fake_files; file && file->path; file++) {
        if (strcmp(file->path, path) != 0)
            continue;
        *out = malloc(sizeof(**out));
        (*out)->file = file;
        return NULL;
    }
    return error_make(EXIT_FAILED, "%s: no such file", path);
}

void sym_module_close(struct sym_module *module)
{
    free(module);
}

const struct sym_module_info *sym_module_info(const struct sym_module *module)
{
    return &module->file->info;
}

static struct sym_symbol symbol_of(const struct fake_symbol *row)
{
    return (struct sym_symbol){
        .name = row->name, .place = {row->section, row->address}, .size = row->size};
}

struct error *sym_lookup(struct sym_module *module, struct sym_place place,
                         struct sym_result *result)
{
    result->count = 0;
    result->frames = NULL;
    result->symbol = (struct sym_symbol){0};
    for (const struct fake_symbol *row = module->file->symbols; row && row->name; row++)
        if (row->section == place.section && place.address - row->address < row->size)
            result->symbol = symbol_of(row);
    for (const struct fake_range *range = module->file->ranges; range && range->high; range++) {
        if (range->section != place.section || place.address < range->low ||
            place.address >= range->high)
            continue;
        result->frames = range->calls;
        while (result->count < 4 && range->calls[result->count].function)
            result->count++;
    }
    return NULL;
}

void sym_result_deinit(struct sym_result *result)
{
    *result = (struct sym_result){0};
}

struct error *sym_find(struct sym_module *module, const char *name, sym_symbol_fn *fn,
                       void *argument)
{
    for (const struct fake_symbol *row = module->file->symbols; row && row->name; row++) {
        struct sym_symbol symbol = symbol_of(row);
        if (!strcmp(row->name, name) && !fn(&symbol, argument))
            break;
    }
    return NULL;
}

size_t sym_read(struct sym_module *module, struct sym_place place, void *to, size_t length)
{
    const struct fake_file *file = module->file;
    uint64_t offset = place.address - file->text_at.address;
    if (place.section != file->text_at.section || offset >= file->text_bytes)
        return 0;
    if (length > file->text_bytes - offset)
        length = file->text_bytes - offset;
    memcpy(to, file->text + offset, length);
    return length;
}

char *sym_demangle(const char *name)
{
    return strcmp(name, "_ZN6parcel4postEv") != 0 ? NULL : strdup("parcel::post()");
}
