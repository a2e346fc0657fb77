// SPDX-License-Identifier: MIT
// Stepping on RISC-V, which has no hardware for it in supervisor mode: where control can go after
// an instruction is decoded (RV64I and C, unprivileged ISA chapters 2, 5 and 16) and the core
// plants breakpoints there. What sees the interrupt mask, waits, or uses sepc and sstatus (which
// the step's own trap overwrites) is emulated.
#include "kdebug/machine.h"

enum {
    SSTATUS_SIE = 1 << 1,
    SSTATUS_SPIE = 1 << 5,
    SSTATUS_SPP = 1 << 8,
};

static int64_t sign_extend(uint64_t value, unsigned bits)
{
    return (int64_t)(value << (64 - bits)) >> (64 - bits);
}

static uint32_t field(uint32_t insn, unsigned high, unsigned low)
{
    return insn >> low & ((UINT32_C(1) << (high - low + 1)) - 1);
}

// Reads the instruction at pc and its length; 0 when it cannot be read. Two halves, since the
// second may lie on a page that is not there.
static unsigned read_insn(uintptr_t pc, uint32_t *insn)
{
    uint16_t low, high;
    if (pc % 2 != 0 || kd_mem_copy(&low, (const void *)pc, 2) != 2)
        return 0;
    *insn = low;
    if ((low & 3) != 3)
        return 2;
    if (kd_mem_copy(&high, (const void *)(pc + 2), 2) != 2)
        return 0;
    *insn |= (uint32_t)high << 16;
    return 4;
}

void kd_step_begin(struct kd_frame *frame, struct kd_step_state *state, bool single)
{
    (void)single;
    state->saved[0] = frame->sstatus;
    frame->sstatus &= ~(uint64_t)SSTATUS_SPIE;
}

// What changes the mask is emulated; if it is open all the same, the step went through code that
// no breakpoint may be put in, out of an exception.
void kd_step_end(struct kd_frame *frame, const struct kd_step_state *state)
{
    frame->sstatus |= state->saved[0] & SSTATUS_SPIE;
}

// -- CSRs that a trap overwrites. In a trap frame, SPIE is what SIE was; the SPIE and SPP the
// stepped code itself sees are in the return state.

enum { CSR_SSTATUS = 0x100, CSR_SEPC = 0x141 };

static bool csr_get(const struct kd_frame *frame, const struct kd_return_state *state, unsigned csr,
                    uint64_t *value)
{
    const uint64_t returned = SSTATUS_SPIE | SSTATUS_SPP;
    switch (csr) {
    case CSR_SSTATUS:
        *value = frame->sstatus & ~(returned | SSTATUS_SIE);
        if ((frame->sstatus & SSTATUS_SPIE) != 0)
            *value |= SSTATUS_SIE;
        *value |= state->status_loaded ? state->status & returned : frame->sstatus & SSTATUS_SPP;
        return true;
    case CSR_SEPC:
        *value = state->pc;
        return state->pc_loaded;
    default:
        return false;
    }
}

static void csr_set(struct kd_frame *frame, struct kd_return_state *state, unsigned csr,
                    uint64_t value)
{
    const uint64_t returned = SSTATUS_SPIE | SSTATUS_SPP;
    if (csr == CSR_SEPC) {
        state->pc = value & ~UINT64_C(1);
        state->pc_loaded = true;
        return;
    }
    if (state->status_loaded || (value & returned) != (frame->sstatus & SSTATUS_SPP)) {
        state->status = value & returned;
        state->status_loaded = true;
    }
    frame->sstatus = (value & ~(returned | SSTATUS_SIE)) | SSTATUS_SPP;
    if ((value & SSTATUS_SIE) != 0)
        frame->sstatus |= SSTATUS_SPIE;
}

static bool emulate_csr(struct kd_frame *frame, struct kd_return_state *state, uint32_t insn)
{
    enum { CSRRW = 1, CSRRS = 2, CSRRC = 3 };
    unsigned csr = field(insn, 31, 20), destination = field(insn, 11, 7);
    unsigned source = field(insn, 19, 15), operation = field(insn, 13, 12);
    uint64_t operand = field(insn, 14, 14) != 0 ? source : frame->x[source];
    if (csr != CSR_SSTATUS && csr != CSR_SEPC)
        return false;
    uint64_t old = 0;
    bool reads = operation != CSRRW || destination != 0;
    if (reads && !csr_get(frame, state, csr, &old))
        return false;
    if (operation == CSRRW)
        csr_set(frame, state, csr, operand);
    else if (source != 0)
        csr_set(frame, state, csr, operation == CSRRS ? old | operand : old & ~operand);
    if (destination != 0)
        frame->x[destination] = old;
    frame->pc += 4;
    return true;
}

bool kd_step_emulate(struct kd_frame *frame, struct kd_return_state *state)
{
    enum { INSN_WFI = 0x10500073, INSN_SRET = 0x10200073, OPCODE_SYSTEM = 0x73 };
    uint32_t insn;
    if (read_insn(frame->pc, &insn) != 4 || field(insn, 6, 0) != OPCODE_SYSTEM)
        return false;
    if (insn == INSN_WFI) {
        frame->pc += 4; // as if an interrupt had come
        return true;
    }
    if (insn == INSN_SRET) {
        if (!state->pc_loaded || !state->status_loaded)
            return false;
        // From here to the resume SPIE of the frame stands for SIE, as after any trap.
        frame->pc = state->pc;
        frame->sstatus = (frame->sstatus & ~(uint64_t)(SSTATUS_SPIE | SSTATUS_SPP)) | state->status;
        state->pc_loaded = state->status_loaded = false;
        return true;
    }
    return field(insn, 13, 12) != 0 && emulate_csr(frame, state, insn);
}

// -- where control can go

static int64_t branch_offset(uint32_t insn)
{
    return sign_extend(field(insn, 31, 31) << 12 | field(insn, 7, 7) << 11 |
                           field(insn, 30, 25) << 5 | field(insn, 11, 8) << 1,
                       13);
}

static int64_t jal_offset(uint32_t insn)
{
    return sign_extend(field(insn, 31, 31) << 20 | field(insn, 19, 12) << 12 |
                           field(insn, 20, 20) << 11 | field(insn, 30, 21) << 1,
                       21);
}

// CJ format: offset[11|4|9:8|10|6|7|3:1|5] in bits 12 to 2.
static int64_t compressed_jump_offset(uint32_t insn)
{
    return sign_extend(field(insn, 12, 12) << 11 | field(insn, 11, 11) << 4 |
                           field(insn, 10, 9) << 8 | field(insn, 8, 8) << 10 |
                           field(insn, 7, 7) << 6 | field(insn, 6, 6) << 7 |
                           field(insn, 5, 3) << 1 | field(insn, 2, 2) << 5,
                       12);
}

// CB format: offset[8|4:3] in bits 12 to 10, offset[7:6|2:1|5] in bits 6 to 2.
static int64_t compressed_branch_offset(uint32_t insn)
{
    return sign_extend(field(insn, 12, 12) << 8 | field(insn, 11, 10) << 3 |
                           field(insn, 6, 5) << 6 | field(insn, 4, 3) << 1 | field(insn, 2, 2) << 5,
                       9);
}

static bool branch_taken(const struct kd_frame *frame, uint32_t insn)
{
    uint64_t a = frame->x[field(insn, 19, 15)], b = frame->x[field(insn, 24, 20)];
    bool inverted = field(insn, 12, 12) != 0;
    switch (field(insn, 14, 13)) {
    case 0: // BEQ, BNE
        return (a == b) != inverted;
    case 2: // BLT, BGE
        return ((int64_t)a < (int64_t)b) != inverted;
    default: // BLTU, BGEU
        return (a < b) != inverted;
    }
}

static uintptr_t target_of_compressed(const struct kd_frame *frame, uint32_t insn)
{
    uintptr_t pc = frame->pc;
    switch (field(insn, 15, 13) << 2 | field(insn, 1, 0)) {
    case 5 << 2 | 1: // C.J
        return pc + (uintptr_t)compressed_jump_offset(insn);
    case 6 << 2 | 1: // C.BEQZ
    case 7 << 2 | 1: // C.BNEZ
        if ((frame->x[8 + field(insn, 9, 7)] == 0) == (field(insn, 13, 13) == 0))
            return pc + (uintptr_t)compressed_branch_offset(insn);
        return pc + 2;
    case 4 << 2 | 2: // C.JR and C.JALR have no rs2; with rs1 = 0 it is C.EBREAK
        if (field(insn, 6, 2) == 0 && field(insn, 11, 7) != 0)
            return frame->x[field(insn, 11, 7)] & ~UINT64_C(1);
        return pc + 2;
    default:
        return pc + 2;
    }
}

// The registers are known, so a branch has one target.
unsigned kd_step_targets(const struct kd_frame *frame, uintptr_t targets[2])
{
    enum { OPCODE_BRANCH = 0x63, OPCODE_JALR = 0x67, OPCODE_JAL = 0x6f };
    uint32_t insn;
    uintptr_t pc = frame->pc;
    switch (read_insn(pc, &insn)) {
    case 0:
        return 0;
    case 2:
        targets[0] = target_of_compressed(frame, insn);
        targets[1] = pc + 2;
        return (insn & 0xf07f) == 0x9002 ? 2 : 1; // C.JALR
    default:
        break;
    }
    targets[0] = targets[1] = pc + 4;
    unsigned count = 1;
    switch (field(insn, 6, 0)) {
    case OPCODE_BRANCH:
        if (branch_taken(frame, insn))
            targets[0] = pc + (uintptr_t)branch_offset(insn);
        break;
    case OPCODE_JALR:
        targets[0] =
            (frame->x[field(insn, 19, 15)] + (uintptr_t)sign_extend(field(insn, 31, 20), 12)) &
            ~UINT64_C(1);
        count = field(insn, 11, 7) != 0 ? 2 : 1;
        break;
    case OPCODE_JAL:
        targets[0] = pc + (uintptr_t)jal_offset(insn);
        count = field(insn, 11, 7) != 0 ? 2 : 1;
        break;
    default:
        break;
    }
    return count;
}

// -- LR/SC (unprivileged ISA 8.2, 8.3)

static bool is_atomic(uint32_t insn, unsigned length, unsigned function)
{
    return length == 4 && field(insn, 6, 0) == 0x2f && field(insn, 31, 27) == function;
}

// The target of a conditional branch; false for anything else.
static bool conditional_target(uint32_t insn, unsigned length, uintptr_t pc, uintptr_t *target)
{
    if (length == 4 && field(insn, 6, 0) == 0x63) {
        *target = pc + (uintptr_t)branch_offset(insn);
        return true;
    }
    if (length == 2 && field(insn, 1, 0) == 1 && field(insn, 15, 13) >= 6) {
        *target = pc + (uintptr_t)compressed_branch_offset(insn);
        return true;
    }
    return false;
}

// Jumps and system instructions have no place in a sequence.
static bool leaves_sequence(uint32_t insn, unsigned length)
{
    if (length == 4) {
        unsigned opcode = field(insn, 6, 0);
        return opcode == 0x6f || opcode == 0x67 || opcode == 0x73;
    }
    return (field(insn, 1, 0) == 1 && field(insn, 15, 13) == 5) ||
           (field(insn, 1, 0) == 2 && field(insn, 15, 13) == 4 && field(insn, 6, 2) == 0);
}

bool kd_insn_decode(uintptr_t pc, struct kd_insn *insn)
{
    enum { LR = 2, SC = 3 };
    uint32_t word;
    unsigned length = read_insn(pc, &word);
    if (length == 0)
        return false;
    *insn = (struct kd_insn){.flow = KD_FLOW_ON, .length = (uint8_t)length};
    if (is_atomic(word, length, LR))
        insn->flow = KD_FLOW_ATOMIC_LOAD;
    else if (is_atomic(word, length, SC))
        insn->flow = KD_FLOW_ATOMIC_STORE;
    else if (leaves_sequence(word, length))
        insn->flow = KD_FLOW_LEAVES;
    else if (conditional_target(word, length, pc, &insn->target))
        insn->flow = KD_FLOW_BRANCH;
    return true;
}
