// SPDX-License-Identifier: MIT
// A module of symbolizer.h: the ELF file, the file its debug information was found in if that is
// another, and one of two ways to answer: an index (index.h) or the debug information itself
// (lazy.h). Symbols are read when they are first needed.
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/elf.h"
#include "symbolizer/find_debug.h"
#include "symbolizer/index.h"
#include "symbolizer/lazy.h"
#include "symbolizer/result.h"
#include "symbolizer/symbols.h"

struct sym_module {
    struct sym_module_info info;
    char *path;
    struct sym_elf *elf;     // NULL: an index was opened by itself
    struct sym_elf *debug;   // where the debug information was found; NULL: in `elf`, or nowhere
    struct sym_index *index; // NULL: answers come from `lazy` and `symbols`
    struct sym_lazy *lazy;   // NULL: not read yet, or no debug information
    struct sym_symbols symbols;
    bool symbols_read;
    unsigned lookups;
};

enum {
    // Lookups that read the symbols each time; from then on it is worth while to sort them.
    LOOKUPS_UNSORTED = 4,
};

// -- opening --------------------------------------------------------------------------------------

static struct sym_elf *with_debug(const struct sym_module *module)
{
    return module->debug ? module->debug : module->elf;
}

static struct error *use_index(struct sym_module *module, const char *path)
{
    struct error *error = sym_index_open(path, &module->index);
    if (!error)
        error = sym_index_match(module->index, module->elf);
    if (error) {
        sym_index_close(module->index);
        module->index = NULL;
    }
    return error;
}

static bool knows_debug(const struct sym_index *index)
{
    struct sym_module_info info;
    sym_index_info(index, &info);
    return info.has_debug;
}

static struct error *find_debug(struct sym_module *module, const struct sym_open_options *options)
{
    if (!options->find_debug || sym_has_debug(module->elf))
        return NULL;
    return sym_find_debug(module->elf, options->debug_folders, &module->debug);
}

// An index in the cache that is damaged or of another file is as good as none.
static struct error *open_indexed(struct sym_module *module, const struct sym_open_options *options)
{
    if (options->index_path)
        return use_index(module, options->index_path);
    char *path = NULL;
    struct error *error = NULL;
    if (options->index != SYM_INDEX_NEVER)
        error = sym_index_cache_path(module->elf, &path);
    if (error && options->index == SYM_INDEX_IF_THERE) {
        error_free(error); // no home, no cache
        error = NULL;
    }
    if (path && access(path, R_OK) == 0)
        error_free(use_index(module, path));
    // One that knows symbols only may be older than the debug information that can be found now.
    if (module->index && options->find_debug && !knows_debug(module->index)) {
        sym_index_close(module->index);
        module->index = NULL;
    }
    if (!error && !module->index)
        error = find_debug(module, options);
    if (!error && !module->index && options->index == SYM_INDEX_ALWAYS) {
        error = sym_index_build(module->elf, with_debug(module), path);
        if (!error)
            error = use_index(module, path);
    }
    free(path);
    return error;
}

static bool has_symbols(const struct sym_elf *elf)
{
    for (size_t i = 0; i < elf->section_count; i++)
        if (elf->sections[i].type == SHT_SYMTAB)
            return true;
    return false;
}

// A stripped file's symbols are where its debug information is.
static struct sym_elf *with_symbols(const struct sym_module *module)
{
    bool other = module->debug && !has_symbols(module->elf) && has_symbols(module->debug);
    return other ? module->debug : module->elf;
}

static void describe(struct sym_module *module)
{
    struct sym_module_info *info = &module->info;
    if (!module->elf) {
        sym_index_info(module->index, info);
        return;
    }
    const struct sym_elf *elf = module->elf;
    *info = (struct sym_module_info){
        .path = with_debug(module)->path,
        .machine = elf->machine,
        .relocatable = elf->relocatable,
        .big_endian = elf->big_endian,
        .address_bytes = elf->wide ? 8 : 4,
        .build_id = elf->build_id,
        .build_id_bytes = elf->build_id_bytes,
        .has_debug = sym_has_debug(with_debug(module)),
        .indexed = module->index != NULL,
        .mangled = !module->index && sym_symbols_mangled(with_symbols(module)),
    };
    if (module->index) {
        struct sym_module_info indexed;
        sym_index_info(module->index, &indexed);
        info->has_debug = indexed.has_debug;
        info->mangled = indexed.mangled;
    }
}

struct error *sym_module_open(const char *path, const struct sym_open_options *options,
                              struct sym_module **out)
{
    static const struct sym_open_options none = {.index = SYM_INDEX_IF_THERE};
    struct sym_module *module = calloc(1, sizeof(*module));
    if (!module)
        return error_errno("%s", path);
    struct error *error;
    if (sym_index_is_one(path)) {
        error = sym_index_open(path, &module->index);
    } else {
        error = sym_elf_open(path, &module->elf);
        if (!error)
            error = open_indexed(module, options ? options : &none);
    }
    if (error) {
        sym_module_close(module);
        return error;
    }
    describe(module);
    *out = module;
    return NULL;
}

void sym_module_close(struct sym_module *module)
{
    if (!module)
        return;
    sym_lazy_close(module->lazy);
    sym_index_close(module->index);
    sym_symbols_deinit(&module->symbols);
    sym_elf_close(module->debug);
    sym_elf_close(module->elf);
    free(module);
}

const struct sym_module_info *sym_module_info(const struct sym_module *module)
{
    return &module->info;
}

// -- symbols --------------------------------------------------------------------------------------

static struct error *need_symbols(struct sym_module *module)
{
    if (module->symbols_read)
        return NULL;
    module->symbols_read = true;
    return sym_symbols_load(&module->symbols, with_symbols(module));
}

struct error *sym_find(struct sym_module *module, const char *name, sym_symbol_fn *fn,
                       void *argument)
{
    if (module->index) {
        sym_index_find(module->index, name, fn, argument);
        return NULL;
    }
    struct error *error = need_symbols(module);
    if (!error)
        sym_symbols_find(&module->symbols, with_symbols(module), name, fn, argument);
    return error;
}

struct error *sym_each_symbol(struct sym_module *module, sym_symbol_fn *fn, void *argument)
{
    if (module->index) {
        sym_index_each_symbol(module->index, fn, argument);
        return NULL;
    }
    struct error *error = need_symbols(module);
    if (!error)
        sym_symbols_each(&module->symbols, with_symbols(module), fn, argument);
    return error;
}

unsigned sym_section(struct sym_module *module, const char *name)
{
    return module->elf ? sym_elf_section_named(module->elf, name)
                       : sym_index_section(module->index, name);
}

bool sym_section_place(struct sym_module *module, const char *name, struct sym_place *start,
                       uint64_t *bytes)
{
    if (!module->elf)
        return sym_index_section_place(module->index, name, start, bytes);
    unsigned number = sym_elf_section_named(module->elf, name);
    if (!number)
        return false;
    *start = module->elf->relocatable
                 ? (struct sym_place){number, 0}
                 : (struct sym_place){0, module->elf->sections[number].address};
    *bytes = module->elf->sections[number].size;
    return true;
}

// -- lookups --------------------------------------------------------------------------------------

static struct error *find_symbol(struct sym_module *module, uint64_t address,
                                 struct sym_result *result)
{
    struct sym_elf *elf = with_symbols(module);
    struct sym_symbols few = {0}, *symbols = &module->symbols;
    struct error *error;
    if (!module->symbols_read && module->lookups++ < LOOKUPS_UNSORTED) {
        symbols = &few;
        error = sym_symbols_load_at(symbols, elf, address);
    } else {
        error = need_symbols(module);
    }
    const struct sym_symbol_row *row = error ? NULL : sym_symbols_at(symbols, elf, address);
    if (row)
        result->symbol = sym_symbol_of(row, elf);
    sym_symbols_deinit(&few);
    return error;
}

static struct error *look_up(struct sym_module *module, uint64_t address, struct sym_result *result)
{
    struct error *error = NULL;
    if (module->info.has_debug && !module->lazy)
        error = sym_lazy_open(with_debug(module), &module->lazy);
    if (!error && module->lazy)
        error = sym_lazy_lookup(module->lazy, address, result);
    bool known = result->count && result->frames[result->count - 1].function;
    if (!error && known && result->symbol_in_need)
        return NULL;
    return error ? error : find_symbol(module, address, result);
}

static struct error *look_up_place(struct sym_module *module, struct sym_place place,
                                   struct sym_result *result)
{
    if (module->index)
        return sym_index_lookup(module->index, place, result);
    sym_result_clear(result);
    uint64_t address;
    if (!sym_elf_linear(module->elf, place, &address))
        return NULL;
    return look_up(module, address, result);
}

// The first section that has code at the offset, as in binutils.
static struct error *look_up_offset(struct sym_module *module, uint64_t offset,
                                    struct sym_result *result)
{
    unsigned count =
        module->elf ? (unsigned)module->elf->section_count : sym_index_section_count(module->index);
    for (unsigned section = 1; section < count; section++) {
        struct sym_place place = {section, offset};
        struct error *error = look_up_place(module, place, result);
        if (error || result->count || (result->symbol.name && !result->symbol.object))
            return error;
    }
    return NULL;
}

struct error *sym_lookup(struct sym_module *module, struct sym_place place,
                         struct sym_result *result)
{
    if (module->info.relocatable && !place.section)
        return look_up_offset(module, place.address, result);
    return look_up_place(module, place, result);
}

void sym_result_deinit(struct sym_result *result)
{
    free(result->storage_);
    *result = (struct sym_result){0};
}

size_t sym_read(struct sym_module *module, struct sym_place place, void *to, size_t length)
{
    uint64_t address;
    if (!module->elf || !sym_elf_linear(module->elf, place, &address))
        return 0;
    return sym_elf_read(module->elf, address, to, length);
}
