// SPDX-License-Identifier: MIT
// Stepping on AArch64 with the software step exception (Arm ARM D2.12). Interrupts are masked for
// the step. What would see that mask, wait for an interrupt, or use ELR_EL1 and SPSR_EL1 (which the
// step exception overwrites) is emulated.
#include "kdebug/arch/aarch64/debug_registers.h"

enum {
    PSTATE_DAIF = 0xf << 6,
    PSTATE_I = 1 << 7,
    PSTATE_F = 1 << 6,
    PSTATE_D = 1 << 9,
    PSTATE_SS = 1 << 21,
};

void kd_step_begin(struct kd_frame *frame, struct kd_step_state *state, bool single)
{
    state->saved[0] = frame->pstate;
    frame->pstate = (frame->pstate & ~(uint64_t)PSTATE_D) | PSTATE_I | PSTATE_F;
    if (single) {
        frame->pstate |= PSTATE_SS;
        kd_hardware_step(true);
    }
}

void kd_step_end(struct kd_frame *frame, const struct kd_step_state *state)
{
    kd_hardware_step(false);
    frame->pstate =
        (frame->pstate & ~(uint64_t)(PSTATE_SS | PSTATE_DAIF)) | (state->saved[0] & PSTATE_DAIF);
}

static bool read_insn(uintptr_t pc, uint32_t *insn)
{
    return pc % 4 == 0 && kd_mem_copy(insn, (const void *)pc, 4) == 4;
}

static uint64_t value_of(const struct kd_frame *frame, unsigned number)
{
    return number == 31 ? 0 : frame->x[number];
}

// MSR and MRS (register): the instruction's bits 20 to 5 name the system register (C5.1.3).
// TPIDRRO_EL0 is what kernels that need it for no process use as scratch space in their exception
// entries; the step's own exception does so, too.
enum {
    FIELD_SPSR_EL1 = 0xc200,
    FIELD_ELR_EL1 = 0xc201,
    FIELD_DAIF = 0xda11,
    FIELD_TPIDRRO_EL0 = 0xde83,
};

static bool emulate_write(struct kd_frame *frame, struct kd_return_state *state, unsigned field,
                          uint64_t value)
{
    switch (field) {
    case FIELD_SPSR_EL1:
        state->status = value;
        state->status_loaded = true;
        return true;
    case FIELD_ELR_EL1:
        state->pc = value;
        state->pc_loaded = true;
        return true;
    case FIELD_DAIF:
        frame->pstate = (frame->pstate & ~(uint64_t)PSTATE_DAIF) | (value & PSTATE_DAIF);
        return true;
    case FIELD_TPIDRRO_EL0:
        // Outside the way out of an exception it is nobody's scratch space.
        if (state->pc_loaded) {
            state->scratch = value;
            state->scratch_loaded = true;
        }
        return false;
    default:
        return false;
    }
}

static bool emulate_read(const struct kd_frame *frame, const struct kd_return_state *state,
                         unsigned field, uint64_t *value)
{
    switch (field) {
    case FIELD_SPSR_EL1:
        *value = state->status;
        return state->status_loaded;
    case FIELD_ELR_EL1:
        *value = state->pc;
        return state->pc_loaded;
    case FIELD_DAIF:
        *value = frame->pstate & PSTATE_DAIF;
        return true;
    case FIELD_TPIDRRO_EL0:
        *value = state->scratch;
        return state->scratch_loaded;
    default:
        return false;
    }
}

bool kd_step_emulate(struct kd_frame *frame, struct kd_return_state *state)
{
    enum { INSN_WFI = 0xd503207f, INSN_WFE = 0xd503205f, INSN_ERET = 0xd69f03e0 };
    uint32_t insn;
    if (!read_insn(frame->pc, &insn))
        return false;
    unsigned field = insn >> 5 & 0xffff;
    unsigned target = insn & 31;
    if (insn == INSN_ERET) {
        if (!state->pc_loaded || !state->status_loaded)
            return false;
        frame->pc = state->pc;
        frame->pstate = state->status;
        *state = (struct kd_return_state){0};
        return true;
    }
    if (insn == INSN_WFI || insn == INSN_WFE) {
        // as if what it waits for had come
    } else if ((insn & 0xfffff0df) == 0xd50340df) { // MSR DAIFSet or DAIFClr, #imm
        uint64_t bits = (uint64_t)(insn >> 8 & 15) << 6;
        frame->pstate = (insn & 0x20) == 0 ? frame->pstate | bits : frame->pstate & ~bits;
    } else if ((insn & 0xfff00000) == 0xd5100000) { // MSR (register)
        if (!emulate_write(frame, state, field, value_of(frame, target)))
            return false;
    } else if ((insn & 0xfff00000) == 0xd5300000) { // MRS
        uint64_t value;
        if (!emulate_read(frame, state, field, &value))
            return false;
        if (target != 31)
            frame->x[target] = value;
    } else {
        return false;
    }
    frame->pc += 4;
    return true;
}

unsigned kd_step_targets(const struct kd_frame *frame, uintptr_t targets[2])
{
    (void)frame;
    (void)targets;
    return 0;
}

// LDXR, LDAXR, LDXP, LDAXP and the stores, all sizes (C4.1.66, load/store exclusive).
static bool is_load_exclusive(uint32_t insn)
{
    return (insn & 0x3fc00000) == 0x08400000;
}

static bool is_store_exclusive(uint32_t insn)
{
    return (insn & 0x3fc00000) == 0x08000000;
}

static int64_t sign_extend(uint64_t value, unsigned bits)
{
    return (int64_t)(value << (64 - bits)) >> (64 - bits);
}

// The target of a conditional branch; false for anything else.
static bool conditional_target(uint32_t insn, uintptr_t pc, uintptr_t *target)
{
    if ((insn & 0xff000000) == 0x54000000 || (insn & 0x7e000000) == 0x34000000) {
        *target = pc + (uintptr_t)sign_extend(insn >> 5 & 0x7ffff, 19) * 4; // B.cond, CBZ, CBNZ
        return true;
    }
    if ((insn & 0x7e000000) == 0x36000000) {
        *target = pc + (uintptr_t)sign_extend(insn >> 5 & 0x3fff, 14) * 4; // TBZ, TBNZ
        return true;
    }
    return false;
}

static bool leaves_sequence(uint32_t insn)
{
    // B, BL; BR, BLR, RET; exception generation and return
    return (insn & 0x7c000000) == 0x14000000 || (insn & 0xfe000000) == 0xd6000000 ||
           (insn & 0xff000000) == 0xd4000000;
}

bool kd_insn_decode(uintptr_t pc, struct kd_insn *insn)
{
    uint32_t word;
    if (!read_insn(pc, &word))
        return false;
    *insn = (struct kd_insn){.flow = KD_FLOW_ON, .length = 4};
    if (is_load_exclusive(word))
        insn->flow = KD_FLOW_ATOMIC_LOAD;
    else if (is_store_exclusive(word))
        insn->flow = KD_FLOW_ATOMIC_STORE;
    else if (leaves_sequence(word))
        insn->flow = KD_FLOW_LEAVES;
    else if (conditional_target(word, pc, &insn->target))
        insn->flow = KD_FLOW_BRANCH;
    return true;
}
