// SPDX-License-Identifier: MIT
// See disassembly.h. capstone does x86-64 and AArch64; its version 4 knows no RISC-V, for which
// there is a small one beside this file.
//
// x86 code cannot be read backwards: which bytes before an instruction are the one before it
// depends on where one begins. From a function's start all is certain; where that is far away or
// not known, each of the possible beginnings is tried and the first taken from which the reading
// falls exactly on the faulting instruction.
#include "symbolizer/report/disassembly.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/report/capstone.h"

#define BEFORE         6  // instructions shown before the faulting one
#define AFTER          4  // and behind it
#define BYTES_BEFORE   96 // that are read before it at most, unless the function begins nearer
#define BYTES_BEHIND   64
#define X86_LENGTH_MAX 15 // SDM vol. 2, 2.3.11

// -- one instruction ------------------------------------------------------------------------------

struct decoder {
    uint16_t machine;
    const struct report_capstone *capstone; // NULL: the machine is not capstone's
    csh handle;
    cs_insn *scratch;
};

static const struct {
    uint16_t machine;
    cs_arch arch;
    cs_mode mode;
} machines[] = {
    {EM_X86_64, CS_ARCH_X86, CS_MODE_64},
    {EM_AARCH64, CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN},
};

static bool decoder_init(struct decoder *decoder, uint16_t machine)
{
    *decoder = (struct decoder){.machine = machine};
    if (machine == EM_RISCV)
        return true;
    const struct report_capstone *capstone = report_capstone();
    if (!capstone)
        return false;
    for (size_t i = 0; i < sizeof(machines) / sizeof(*machines); i++) {
        if (machines[i].machine != machine)
            continue;
        if (capstone->open(machines[i].arch, machines[i].mode, &decoder->handle) != CS_ERR_OK)
            return false;
        decoder->capstone = capstone;
        if (machine == EM_X86_64) // as gdb and objdump write it
            capstone->option(decoder->handle, CS_OPT_SYNTAX, CS_OPT_SYNTAX_ATT);
        decoder->scratch = capstone->alloc(decoder->handle);
        return decoder->scratch != NULL;
    }
    return false;
}

static void decoder_deinit(struct decoder *decoder)
{
    if (decoder->scratch)
        decoder->capstone->free(decoder->scratch, 1);
    if (decoder->capstone)
        decoder->capstone->close(&decoder->handle);
}

// What is no instruction is as long as the machine's shortest.
static size_t unit(uint16_t machine)
{
    return machine == EM_X86_64 ? 1 : machine == EM_RISCV ? 2 : 4;
}

static size_t decode(struct decoder *decoder, const uint8_t *bytes, size_t length, uint64_t address,
                     char *to, size_t size)
{
    if (decoder->machine == EM_RISCV)
        return report_riscv_disassemble(bytes, length, address, to, size);
    const uint8_t *at = bytes;
    size_t left = length;
    if (decoder->capstone->next(decoder->handle, &at, &left, &address, decoder->scratch)) {
        const cs_insn *read = decoder->scratch;
        snprintf(to, size, *read->op_str ? "%-8.30s %.110s" : "%.30s%.0s", read->mnemonic,
                 read->op_str);
        return decoder->scratch->size;
    }
    *to = 0;
    return length < unit(decoder->machine) ? 0 : unit(decoder->machine);
}

// -- many of them ---------------------------------------------------------------------------------

struct window {
    uint8_t *bytes;
    size_t length;
    size_t fault; // where the faulting instruction begins
    uint64_t address;
};

// From which offset in the window does the reading fall on the faulting instruction? SIZE_MAX: from
// none, and it is where the reading has to begin.
static size_t synchronise(struct decoder *decoder, const struct window *window)
{
    char text[REPORT_TEXT_MAX];
    for (size_t start = 0; start < X86_LENGTH_MAX && start < window->fault;
         start += unit(decoder->machine)) {
        size_t at = start;
        while (at < window->fault) {
            size_t length =
                decode(decoder, window->bytes + at, window->length - at, 0, text, sizeof(text));
            if (!length || !*text)
                break;
            at += length;
        }
        if (at == window->fault)
            return start;
    }
    return window->fault;
}

static void list(struct decoder *decoder, struct report_arena *arena, const struct window *window,
                 size_t start, struct report_listing *listing)
{
    struct report_instruction *rows =
        report_alloc(arena, (BYTES_BEFORE + BYTES_BEHIND + 1) * sizeof(*rows));
    size_t count = 0, fault = 0;
    for (size_t at = start; at < window->length && count < BYTES_BEFORE + BYTES_BEHIND;) {
        struct report_instruction *row = &rows[count];
        row->address = window->address + at;
        row->fault = at == window->fault;
        row->length = decode(decoder, window->bytes + at, window->length - at, row->address,
                             row->text, sizeof(row->text));
        if (!row->length)
            break;
        // Whatever the bytes before it seem to be, the faulting one begins where it begins.
        if (at < window->fault && at + row->length > window->fault) {
            row->length = window->fault - at;
            *row->text = 0;
        }
        memcpy(row->bytes, window->bytes + at, row->length);
        if (row->fault)
            fault = count;
        at += row->length;
        count++;
        if (at > window->fault && count > fault + AFTER)
            break;
    }
    size_t skip = fault > BEFORE ? fault - BEFORE : 0;
    listing->rows = rows + skip;
    listing->count = count - skip;
}

// A branch's target by name, where the file knows it: "callq 0xffffffff80210227 <thread_start>".
static void name_targets(const struct report_image *image, struct report_listing *listing,
                         unsigned section)
{
    struct sym_result result = {0};
    for (size_t i = 0; i < listing->count; i++) {
        char *text = listing->rows[i].text;
        bool branch = strchr("cjb", text[0]) && strncmp(text, "csr", 3) != 0;
        char *number = strstr(text, "0x");
        if (!branch || !number || (number > text && number[-1] == '$'))
            continue;
        char *end;
        uint64_t target = strtoull(number, &end, 16);
        if (number[-1] == '#')
            number--;
        if (*end)
            continue;
        struct error *error =
            sym_lookup(image->module, (struct sym_place){section, target}, &result);
        if (error) {
            error_free(error);
            continue;
        }
        const struct sym_symbol *symbol = &result.symbol;
        if (!symbol->name || target - symbol->place.address >= symbol->size)
            continue;
        uint64_t offset = target - symbol->place.address;
        size_t length = strlen(text);
        snprintf(text + length, REPORT_TEXT_MAX - length, offset ? " <%.64s+0x%llx>" : " <%.64s>",
                 symbol->name, (unsigned long long)offset);
    }
    sym_result_deinit(&result);
}

struct report_listing report_disassemble_frame(struct report_arena *arena,
                                               const struct report_frame *frame,
                                               const struct report_code *code)
{
    struct report_listing listing = {.from_file = true};
    struct decoder decoder;
    if (!frame->image || frame->image->info->big_endian)
        return listing;
    uint64_t into = frame->place.address - frame->symbol.place.address;
    bool known = frame->symbol.name && frame->symbol.place.address <= frame->place.address;
    uint64_t before = frame->place.address < BYTES_BEFORE ? frame->place.address : BYTES_BEFORE;
    bool certain = known && into <= before;
    if (certain)
        before = into;
    if (frame->image->info->machine == EM_AARCH64)
        certain = true;

    uint8_t bytes[BYTES_BEFORE + BYTES_BEHIND];
    struct sym_place place = {frame->place.section, frame->place.address - before};
    struct window window = {bytes, 0, (size_t)before, place.address};
    uint64_t behind = BYTES_BEHIND; // not into the next function
    if (known && into < frame->symbol.size && frame->symbol.size - into < behind)
        behind = frame->symbol.size - into;
    window.length = sym_read(frame->image->module, place, bytes, (size_t)(before + behind));
    if (window.length <= window.fault || !decoder_init(&decoder, frame->image->info->machine))
        return listing;
    for (size_t i = 0; code && i < code->length; i++) {
        size_t at = window.fault + i - code->fault; // wraps for what lies before the window
        if (at < window.length)
            bytes[at] = code->bytes[i];
    }
    list(&decoder, arena, &window, certain ? 0 : synchronise(&decoder, &window), &listing);
    decoder_deinit(&decoder);
    name_targets(frame->image, &listing, place.section);
    if (known) {
        listing.symbol = frame->symbol.name;
        listing.start = frame->symbol.place.address;
    }
    return listing;
}

struct report_listing report_disassemble_code(struct report_arena *arena, uint16_t machine,
                                              const struct report_code *code)
{
    struct report_listing listing = {0};
    struct decoder decoder;
    if (!code->length || code->fault >= code->length || !decoder_init(&decoder, machine))
        return listing;
    uint8_t bytes[REPORT_CODE_MAX];
    memcpy(bytes, code->bytes, code->length);
    struct window window = {bytes, code->length, code->fault, 0 - (uint64_t)code->fault};
    list(&decoder, arena, &window, synchronise(&decoder, &window), &listing);
    decoder_deinit(&decoder);
    return listing;
}
