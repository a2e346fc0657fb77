// SPDX-License-Identifier: MIT
// `fathom decode --locals`: the threads of a dead machine with the variables of each frame, in the
// manner of gdb's `bt full`.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/find_debug.h"
#include "symbolizer/locals.h"

enum { MISSING_TOLD = 16 };

struct printing {
    const struct sym_dead *dead;
    const struct sym_locals_options *options;
    struct sym_elf *found; // the kernel's separate debug information; NULL: it has its own
    struct sym_debug *debug;
    struct sym_unwinder *unwinder;
    struct sym_module *module;
    struct sym_result lookup;
    FILE *out;
    const struct sym_unwind_frame *frame;
    unsigned number; // of the frame
    size_t scope;    // of the lookup's frames, from the innermost on
    // Of the scope being printed: arguments stand in its line, what is long and locals below it.
    char *arguments, *below;
    size_t arguments_bytes, below_bytes;
    FILE *to_arguments, *to_below;
    bool any_argument, open;
    char function[256];
    const char *told[MISSING_TOLD]; // files that are missing
};

enum { ARGUMENT_BYTES_MOST = 48 };

static const char *colour(const struct printing *printing, const char *code)
{
    return printing->options->colour ? code : "";
}

#define BOLD  "\033[1m"
#define CYAN  "\033[36m"
#define FAINT "\033[2m"
#define PLAIN "\033[0m"

static void put_place(const struct printing *printing, size_t scope)
{
    const struct sym_result *lookup = &printing->lookup;
    const char *file = scope < lookup->count ? lookup->frames[scope].file : NULL;
    while (file && !strncmp(file, "./", 2)) // our kernels keep no folder they were compiled in
        file += 2;
    if (file)
        fprintf(printing->out, " at %s:%u", file, lookup->frames[scope].line);
}

static void put_head(struct printing *printing, bool innermost)
{
    if (innermost)
        fprintf(printing->out, "#%-3u%s0x%016" PRIx64 "%s ", printing->number,
                colour(printing, FAINT), printing->frame->pc, colour(printing, PLAIN));
    else
        fprintf(printing->out, "    %*s", 19, "");
}

static bool begin_scope(struct printing *printing)
{
    printing->to_arguments = open_memstream(&printing->arguments, &printing->arguments_bytes);
    printing->to_below = open_memstream(&printing->below, &printing->below_bytes);
    printing->any_argument = false;
    printing->open = printing->to_arguments && printing->to_below;
    return printing->open;
}

static void end_scope(struct printing *printing)
{
    if (printing->to_arguments)
        fclose(printing->to_arguments);
    if (printing->to_below)
        fclose(printing->to_below);
    if (printing->open) {
        put_head(printing, printing->scope == 0);
        fprintf(printing->out, "%s%s%s (%s)", colour(printing, BOLD), printing->function,
                colour(printing, PLAIN), printing->arguments);
        put_place(printing, printing->scope);
        fprintf(printing->out, "\n%s", printing->below);
        printing->scope++;
    }
    free(printing->arguments);
    free(printing->below);
    printing->arguments = printing->below = NULL;
    printing->to_arguments = printing->to_below = NULL;
    printing->open = false;
}

static void on_scope(const struct sym_local_scope *scope, void *argument)
{
    struct printing *printing = argument;
    end_scope(printing);
    snprintf(printing->function, sizeof(printing->function), "%s",
             scope->function ? scope->function : "?");
    begin_scope(printing);
}

static void on_local(const struct sym_local *local, void *argument)
{
    struct printing *printing = argument;
    if (!printing->open)
        return;
    bool is_long = strlen(local->value) > ARGUMENT_BYTES_MOST;
    if (local->argument) {
        fprintf(printing->to_arguments, "%s%s=%s", printing->any_argument ? ", " : "", local->name,
                is_long ? "..." : local->value);
        printing->any_argument = true;
    }
    if (!local->argument || is_long)
        fprintf(printing->to_below, "        %s%s%s = %s %s(%s)%s\n", colour(printing, CYAN),
                local->name, colour(printing, PLAIN), local->value, colour(printing, FAINT),
                local->type, colour(printing, PLAIN));
}

// A frame without debug information: its symbol has to do.
static void print_bare(struct printing *printing)
{
    const struct sym_symbol *symbol = &printing->lookup.symbol;
    uint64_t pc = printing->frame->pc - (uint64_t)printing->dead->load_offset;
    put_head(printing, true);
    if (symbol->name)
        fprintf(printing->out, "%s%s%s+0x%" PRIx64, colour(printing, BOLD), symbol->name,
                colour(printing, PLAIN), pc - symbol->place.address);
    else
        fputs("?", printing->out);
    put_place(printing, 0);
    fputc('\n', printing->out);
}

// Once for each file, as long as there are few of them.
static void print_missing(struct printing *printing, const char *file)
{
    for (size_t i = 0; i < MISSING_TOLD && file; i++) {
        if (printing->told[i] && !strcmp(printing->told[i], file))
            return;
        if (!printing->told[i]) {
            printing->told[i] = file;
            break;
        }
    }
    if (file)
        fprintf(printing->out, "        variables are in %s, which is not to be found\n", file);
}

static struct error *print_frame(struct printing *printing, const struct sym_unwind_frame *frame)
{
    struct sym_place place = {.address = sym_unwind_lookup_pc(printing->unwinder, frame)};
    const char *missing = NULL;
    printing->frame = frame;
    printing->scope = 0;
    struct error *error = sym_lookup(printing->module, place, &printing->lookup);
    if (!error)
        error = sym_locals_each(printing->dead, printing->debug, printing->unwinder, frame,
                                on_scope, on_local, printing, &missing);
    bool any = printing->open || printing->scope > 0;
    end_scope(printing);
    if (!error && !any)
        print_bare(printing);
    print_missing(printing, missing);
    printing->number++;
    return error;
}

static void print_thread_head(const struct printing *printing,
                              const struct sym_capsule_thread *thread)
{
    const struct kd_capsule_cpu *cpu = thread->running_on;
    fprintf(printing->out, "\n%sthread %lld \"%s\"%s", colour(printing, BOLD),
            (long long)thread->id, thread->record.name, colour(printing, PLAIN));
    if (cpu)
        fprintf(printing->out, ", CPU %u%s\n", cpu->index,
                cpu->flags & KD_CAPSULE_CPU_PANICKED        ? ", panicked"
                : cpu->flags & KD_CAPSULE_CPU_ALSO_PANICKED ? ", panicked too"
                : cpu->flags & KD_CAPSULE_CPU_STOPPED       ? ""
                                                            : ", did not stop");
    else
        fprintf(printing->out, ", %s%s%s\n", sym_capsule_thread_state_name(thread->record.state),
                thread->record.wait[0] ? ": " : "", thread->record.wait);
}

static struct error *print_thread(struct printing *printing,
                                  const struct sym_capsule_thread *thread)
{
    struct sym_unwind_frame frame;
    struct error *error = NULL;
    print_thread_head(printing, thread);
    printing->number = 0;
    if (!sym_unwind_first(printing->unwinder, thread, &frame)) {
        fputs("    its registers are not in the capsule\n", printing->out);
        return NULL;
    }
    bool more = true;
    while (more && !error) {
        // The caller first: it is where the frame's own CFA is found.
        struct sym_unwind_frame caller = frame;
        more = sym_unwind_next(printing->unwinder, &caller, &frame);
        error = print_frame(printing, &frame);
        frame = caller;
    }
    return error;
}

static struct error *open_all(struct printing *printing)
{
    const struct sym_dead *dead = printing->dead;
    const char *const *folders = printing->options->debug_folders;
    struct sym_open_options open = {
        .index = SYM_INDEX_IF_THERE,
        .find_debug = true,
        .debug_folders = folders,
    };
    struct error *error = NULL;
    if (!sym_has_debug(dead->elf))
        error = sym_find_debug(dead->elf, folders, &printing->found);
    if (!error)
        error = sym_debug_open(printing->found ? printing->found : dead->elf, &printing->debug);
    if (!error)
        error = sym_unwinder_open(dead, printing->debug, &printing->unwinder);
    if (!error)
        error = sym_module_open(sym_dead_elf_path(dead), &open, &printing->module);
    return error;
}

struct error *sym_locals_print(const struct sym_dead *dead,
                               const struct sym_locals_options *options, FILE *out)
{
    struct printing printing = {.dead = dead, .options = options, .out = out};
    if (!dead->elf)
        return error_make(EXIT_USAGE, "locals are found by the kernel's ELF file: give it with -e");
    struct error *error = open_all(&printing);
    for (size_t i = 0; i < dead->capsule->thread_count && !error; i++) {
        const struct sym_capsule_thread *thread = &dead->capsule->threads[i];
        if (options->all_threads || thread->running_on)
            error = print_thread(&printing, thread);
    }
    sym_result_deinit(&printing.lookup);
    if (printing.module)
        sym_module_close(printing.module);
    sym_unwinder_close(printing.unwinder);
    sym_debug_close(printing.debug);
    sym_elf_close(printing.found);
    return error;
}
