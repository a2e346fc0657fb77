// SPDX-License-Identifier: MIT
// Hostile ELF files under a dead machine: whatever their debug information says of types, places of
// variables and call frames, walking a stack and printing what its frames hold ends, in bounds.
// The machine is the same for all files: registers that point into one page of stack, which holds
// pointers into itself and into the file's code in turn.
#include <elf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/locals.h"

enum {
    STACK = 0x7fff0000,
    STACK_BYTES = 4096,
    FRAMES_MOST = 6,
    PLACES_MOST = 12,
};

static void on_scope(const struct sym_local_scope *scope, void *argument)
{
    (void)scope, (void)argument;
}

static void on_local(const struct sym_local *local, void *argument)
{
    (void)argument;
    if (!local->name || !local->type || !local->value || strlen(local->value) >= 4096 + 4)
        abort();
}

static const char *architecture_of(uint16_t machine)
{
    return machine == EM_AARCH64 ? "aarch64" : machine == EM_RISCV ? "riscv:rv64" : "i386:x86-64";
}

// Walks up from a place and looks at each frame's variables.
static void walk(const struct sym_dead *dead, struct sym_debug *debug,
                 const struct sym_unwinder *unwinder, uint64_t pc)
{
    struct sym_unwind_frame frame = {.pc = pc, .exact = true};
    const char *missing;
    for (unsigned i = 0; i < SYM_REGISTERS; i++) {
        frame.registers.value[i] = STACK + 16 * (i % 64);
        frame.registers.known[i] = true;
    }
    for (int i = 0; i < FRAMES_MOST; i++) {
        struct sym_unwind_frame caller = frame;
        bool more = sym_unwind_next(unwinder, &caller, &frame);
        error_free(
            sym_locals_each(dead, debug, unwinder, &frame, on_scope, on_local, NULL, &missing));
        if (!more)
            break;
        frame = caller;
    }
}

static void walk_all(const struct sym_dead *dead, struct sym_debug *debug,
                     const struct sym_unwinder *unwinder)
{
    const struct sym_elf *elf = dead->elf;
    struct sym_symbols symbols = {0};
    error_free(sym_symbols_load(&symbols, dead->elf));
    for (size_t i = 0; i < symbols.count && i < PLACES_MOST; i++)
        walk(dead, debug, unwinder, symbols.rows[i].address + symbols.rows[i].size / 2);
    for (size_t i = 0; i < elf->section_count && i < PLACES_MOST; i++)
        if (elf->sections[i].flags & SHF_EXECINSTR)
            walk(dead, debug, unwinder, elf->sections[i].address + 8);
    sym_symbols_deinit(&symbols);
}

static void look(struct sym_elf *elf)
{
    uint64_t stack[STACK_BYTES / 8], code = 0x401000;
    for (size_t i = 0; i < elf->section_count; i++)
        if (elf->sections[i].flags & SHF_EXECINSTR)
            code = elf->sections[i].address;
    for (size_t i = 0; i < STACK_BYTES / 8; i++)
        stack[i] = i % 2 ? code + i % 128 : STACK + 8 * i + 32;
    struct sym_capsule_memory memory = {STACK, STACK_BYTES, 0, (const uint8_t *)stack};
    struct sym_capsule capsule = {.memory = &memory, .memory_count = 1};
    strcpy(capsule.machine.architecture, architecture_of(elf->machine));
    struct sym_dead dead = {.capsule = &capsule, .elf = elf};
    struct sym_debug *debug;
    struct sym_unwinder *unwinder;
    struct error *error = sym_debug_open(elf, &debug);
    if (error) {
        if (strncmp(error_text(error), "fuzzed", 6) != 0)
            abort(); // an error that does not say which file
        error_free(error);
        return;
    }
    error = sym_unwinder_open(&dead, debug, &unwinder);
    if (!error) {
        walk_all(&dead, debug, unwinder);
        sym_unwinder_close(unwinder);
    }
    error_free(error);
    sym_debug_close(debug);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sym_elf *elf;
    struct error *error = sym_elf_over("fuzzed", (struct sym_bytes){data, size}, &elf);
    if (!error) {
        look(elf);
        sym_elf_close(elf);
    }
    error_free(error);
    return 0;
}
