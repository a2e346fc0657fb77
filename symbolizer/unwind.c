// SPDX-License-Identifier: MIT
// See unwind.h. DWARF 5, section 6.4, is what CFI means. What a machine's calls look like is a row
// of the table below: numbers of the psABIs, and where the kernel's frame records stand.
//
// A register that CFI says nothing of keeps its value only if the machine's calls preserve it:
// others may have been overwritten by the callee, and are unknown from then on. An exception's
// entry saves all registers and says so.
#include "symbolizer/unwind.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/frames.h"

struct calls {
    uint16_t machine;
    uint8_t sp, fp; // DWARF numbers
    int8_t link;    // the register a call leaves the return address in, -1: the stack
    int8_t record;  // where the saved frame pointer stands, from the frame pointer on; the
                    // return address is behind it
    uint8_t cfa;    // where the caller's stack begins, from the frame pointer on
    uint64_t kept;  // registers that calls preserve, a bit for each number
};

static const struct calls all_calls[] = {
    // rbx, rbp, r12 to r15
    {EM_X86_64, 7, 6, -1, 0, 16, 0xf048},
    // x19 to x29, and x18, which is the platform's
    {EM_AARCH64, 31, 29, 30, 0, 16, UINT64_C(0x3ffc0000)},
    // gp, tp, s0, s1, s2 to s11
    {EM_RISCV, 2, 8, 1, -16, 0, UINT64_C(0x0ffc0318)},
};

struct sym_unwinder {
    const struct sym_dead *dead;
    struct sym_debug *debug;
    const struct calls *calls;
};

struct error *sym_unwinder_open(const struct sym_dead *dead, struct sym_debug *debug,
                                struct sym_unwinder **out)
{
    const char *architecture = dead->capsule->machine.architecture;
    uint16_t machine = sym_dead_elf_machine(architecture);
    struct sym_unwinder *unwinder = calloc(1, sizeof(*unwinder));
    if (!unwinder)
        return error_errno("unwinding");
    unwinder->dead = dead;
    unwinder->debug = debug;
    for (size_t i = 0; i < sizeof(all_calls) / sizeof(*all_calls); i++)
        if (all_calls[i].machine == machine)
            unwinder->calls = &all_calls[i];
    if (!unwinder->calls) {
        free(unwinder);
        return error_make(EXIT_FAILED, "the calls of the machine '%s' are not known", architecture);
    }
    *out = unwinder;
    return NULL;
}

void sym_unwinder_close(struct sym_unwinder *unwinder)
{
    free(unwinder);
}

bool sym_unwind_first(const struct sym_unwinder *unwinder, const struct sym_capsule_thread *thread,
                      struct sym_unwind_frame *frame)
{
    const struct sym_capsule *capsule = unwinder->dead->capsule;
    *frame = (struct sym_unwind_frame){.exact = true, .way = SYM_WAY_REGISTERS};
    for (size_t i = 0; i < capsule->row_count; i++) {
        int number = capsule->rows[i].dwarf;
        if (number >= 0 && number < SYM_REGISTERS && !frame->registers.known[number])
            frame->registers.known[number] = sym_dead_register(unwinder->dead, thread, (unsigned)i,
                                                               &frame->registers.value[number]);
    }
    return capsule->row_count > 0 &&
           sym_dead_register(unwinder->dead, thread, capsule->register_set.pc, &frame->pc);
}

uint64_t sym_unwind_lookup_pc(const struct sym_unwinder *unwinder,
                              const struct sym_unwind_frame *frame)
{
    uint64_t pc = frame->pc - (uint64_t)unwinder->dead->load_offset;
    return frame->exact ? pc : pc - 1;
}

static bool is_code(const struct sym_unwinder *unwinder, uint64_t pc)
{
    const struct sym_elf *elf = unwinder->dead->elf;
    return !elf || sym_elf_is_code(elf, pc - (uint64_t)unwinder->dead->load_offset);
}

static bool get(const struct sym_registers *registers, unsigned number, uint64_t *value)
{
    if (number >= SYM_REGISTERS || !registers->known[number])
        return false;
    *value = registers->value[number];
    return true;
}

static void set(struct sym_registers *registers, unsigned number, uint64_t value)
{
    if (number < SYM_REGISTERS) {
        registers->value[number] = value;
        registers->known[number] = true;
    }
}

// -- by call frame information --------------------------------------------------------------------

static struct sym_bytes block_of(const Dwarf_Regtable_Entry3 *rule)
{
    return (struct sym_bytes){rule->dw_block_ptr, (size_t)rule->dw_offset_or_block_len};
}

static bool find_cfa(const struct sym_unwinder *unwinder, const struct sym_frame_rules *cfi,
                     const struct sym_unwind_frame *frame, uint64_t *cfa)
{
    const Dwarf_Regtable_Entry3 *rule = &cfi->table.rt3_cfa_rule;
    struct sym_place_context context = {
        .dead = unwinder->dead, .debug = unwinder->debug, .registers = &frame->registers};
    if (rule->dw_value_type == DW_EXPR_EXPRESSION || rule->dw_value_type == DW_EXPR_VAL_EXPRESSION)
        return sym_evaluate(&context, block_of(rule), NULL, cfa);
    if (!get(&frame->registers, rule->dw_regnum, cfa))
        return false;
    if (rule->dw_offset_relevant)
        *cfa += rule->dw_offset_or_block_len;
    return true;
}

// The caller's value of a register; false: it is not known.
static bool apply_rule(const struct sym_unwinder *unwinder, const Dwarf_Regtable_Entry3 *rule,
                       const struct sym_unwind_frame *frame, unsigned number, uint64_t cfa,
                       uint64_t *value)
{
    struct sym_place_context context = {
        .dead = unwinder->dead, .debug = unwinder->debug, .registers = &frame->registers};
    uint64_t address;
    switch (rule->dw_value_type) {
    case DW_EXPR_OFFSET:
        if (rule->dw_offset_relevant)
            return sym_dead_read_number(unwinder->dead, cfa + rule->dw_offset_or_block_len, 8,
                                        value);
        if (rule->dw_regnum == DW_FRAME_UNDEFINED_VAL)
            return false;
        return get(&frame->registers,
                   rule->dw_regnum == DW_FRAME_SAME_VAL ? number : rule->dw_regnum, value);
    case DW_EXPR_VAL_OFFSET:
        *value = cfa + rule->dw_offset_or_block_len;
        return true;
    case DW_EXPR_EXPRESSION:
        return sym_evaluate(&context, block_of(rule), &cfa, &address) &&
               sym_dead_read_number(unwinder->dead, address, 8, value);
    case DW_EXPR_VAL_EXPRESSION:
        return sym_evaluate(&context, block_of(rule), &cfa, value);
    default:
        return false;
    }
}

static bool is_same(const Dwarf_Regtable_Entry3 *rule)
{
    return rule->dw_value_type == DW_EXPR_OFFSET && !rule->dw_offset_relevant &&
           rule->dw_regnum == DW_FRAME_SAME_VAL;
}

static bool is_undefined(const Dwarf_Regtable_Entry3 *rule)
{
    return rule->dw_value_type == DW_EXPR_OFFSET && !rule->dw_offset_relevant &&
           rule->dw_regnum == DW_FRAME_UNDEFINED_VAL;
}

static bool survives(const struct sym_unwinder *unwinder, const struct sym_frame_rules *cfi,
                     unsigned number)
{
    return cfi->signal || number == cfi->return_column ||
           (number < 64 && unwinder->calls->kept >> number & 1);
}

static void caller_registers(const struct sym_unwinder *unwinder, const struct sym_frame_rules *cfi,
                             const struct sym_unwind_frame *frame, uint64_t cfa,
                             struct sym_registers *out)
{
    memset(out, 0, sizeof(*out));
    for (unsigned i = 0; i < SYM_REGISTERS; i++) {
        const Dwarf_Regtable_Entry3 *rule = &cfi->rules[i];
        if (is_same(rule) && !survives(unwinder, cfi, i))
            continue;
        out->known[i] = apply_rule(unwinder, rule, frame, i, cfa, &out->value[i]);
    }
    // The CFA is the caller's stack pointer unless CFI says other.
    if (is_same(&cfi->rules[unwinder->calls->sp]))
        set(out, unwinder->calls->sp, cfa);
}

enum step { STEPPED, NO_WAY, OUTERMOST };

// Each step changes `frame` only if it succeeds, and `callee` as soon as it knows more of it.

static enum step apply_cfi(const struct sym_unwinder *unwinder, const struct sym_frame_rules *cfi,
                           struct sym_unwind_frame *frame, struct sym_unwind_frame *callee)
{
    struct sym_unwind_frame caller = {.way = SYM_WAY_CFI};
    uint64_t cfa;
    if (!find_cfa(unwinder, cfi, frame, &cfa))
        return NO_WAY;
    callee->has_cfa = true;
    callee->cfa = cfa;
    callee->signal = cfi->signal;
    if (cfi->return_column < SYM_REGISTERS && is_undefined(&cfi->rules[cfi->return_column]))
        return OUTERMOST;
    caller_registers(unwinder, cfi, frame, cfa, &caller.registers);
    if (!get(&caller.registers, cfi->return_column, &caller.pc))
        return NO_WAY;
    caller.exact = cfi->signal;
    // A jump into nothing is seen in the frame of the exception it led to.
    if (!caller.exact && !is_code(unwinder, caller.pc - 1))
        return caller.pc == 0 ? OUTERMOST : NO_WAY;
    *frame = caller;
    return STEPPED;
}

static enum step step_cfi(const struct sym_unwinder *unwinder, struct sym_unwind_frame *frame,
                          struct sym_unwind_frame *callee)
{
    struct sym_frame_rules cfi;
    uint64_t pc = sym_unwind_lookup_pc(unwinder, frame);
    // Debug information of its own leaves .eh_frame to the program.
    struct sym_elf *elf = unwinder->dead->elf;
    bool other = elf && elf != unwinder->debug->elf;
    if (!sym_frame_rules_find(unwinder->debug->elf, pc, SYM_REGISTERS, &cfi) &&
        !(other && sym_frame_rules_find(elf, pc, SYM_REGISTERS, &cfi)))
        return NO_WAY;
    enum step step = apply_cfi(unwinder, &cfi, frame, callee);
    sym_frame_rules_end(&cfi);
    return step;
}

// -- without --------------------------------------------------------------------------------------

// What is known of the caller when only these three are: what calls preserve may have been saved
// somewhere and used for other things.
static void become_caller(const struct sym_unwinder *unwinder, struct sym_unwind_frame *frame,
                          uint64_t pc, uint64_t sp, const uint64_t *fp, enum sym_unwind_way way)
{
    struct sym_unwind_frame caller = {.pc = pc, .way = way};
    set(&caller.registers, unwinder->calls->sp, sp);
    if (fp)
        set(&caller.registers, unwinder->calls->fp, *fp);
    *frame = caller;
}

static enum step step_frame_pointer(const struct sym_unwinder *unwinder,
                                    struct sym_unwind_frame *frame, struct sym_unwind_frame *callee)
{
    const struct calls *calls = unwinder->calls;
    uint64_t fp, saved, pc;
    if (!get(&frame->registers, calls->fp, &fp) || fp == 0 || fp % 8 != 0)
        return NO_WAY;
    uint64_t record = fp + (uint64_t)(int64_t)calls->record;
    if (!sym_dead_read_number(unwinder->dead, record, 8, &saved) ||
        !sym_dead_read_number(unwinder->dead, record + 8, 8, &pc) || pc == 0 ||
        !is_code(unwinder, pc - 1))
        return NO_WAY;
    if (saved != 0 && saved <= fp)
        return NO_WAY; // stacks grow down, and a chain that does not rise goes in a circle
    if (!callee->has_cfa) {
        callee->has_cfa = true;
        callee->cfa = fp + calls->cfa;
    }
    become_caller(unwinder, frame, pc, fp + calls->cfa, &saved, SYM_WAY_FRAME_POINTER);
    return STEPPED;
}

// The innermost frame is at no code: a call through a bad pointer. Nothing has happened since the
// call, so all registers are the caller's.
static enum step step_bad_call(const struct sym_unwinder *unwinder, struct sym_unwind_frame *frame)
{
    const struct calls *calls = unwinder->calls;
    uint64_t sp, pc;
    bool on_stack = calls->link < 0;
    if (!get(&frame->registers, calls->sp, &sp))
        return NO_WAY;
    if (on_stack ? !sym_dead_read_number(unwinder->dead, sp, 8, &pc)
                 : !get(&frame->registers, (unsigned)calls->link, &pc))
        return NO_WAY;
    if (pc == 0 || !is_code(unwinder, pc - 1))
        return NO_WAY;
    frame->pc = pc;
    frame->exact = false;
    frame->has_cfa = false;
    frame->way = SYM_WAY_CALL;
    if (on_stack)
        set(&frame->registers, calls->sp, sp + 8);
    return STEPPED;
}

bool sym_unwind_next(const struct sym_unwinder *unwinder, struct sym_unwind_frame *frame,
                     struct sym_unwind_frame *callee)
{
    struct sym_unwind_frame before = *frame;
    if (!callee)
        callee = &before;
    if (before.depth + 1 >= SYM_UNWIND_FRAMES_MOST)
        return false;
    enum step step = NO_WAY;
    if (frame->exact && !is_code(unwinder, frame->pc))
        step = step_bad_call(unwinder, frame);
    if (step == NO_WAY && unwinder->debug)
        step = step_cfi(unwinder, frame, callee);
    if (step == NO_WAY)
        step = step_frame_pointer(unwinder, frame, callee);
    if (step != STEPPED)
        return false;
    frame->depth = before.depth + 1;
    // A frame that leads to itself would do so for ever.
    uint64_t sp = 0, sp_before = 1;
    get(&frame->registers, unwinder->calls->sp, &sp);
    get(&before.registers, unwinder->calls->sp, &sp_before);
    return frame->pc != before.pc || sp != sp_before;
}
