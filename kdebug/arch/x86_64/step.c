// SPDX-License-Identifier: MIT
// Stepping on x86-64 with the trap flag (Intel SDM volume 3, 17.3.1.4). Interrupts are masked for
// the step, so what the instruction saw of TF and IF is corrected afterwards.
#include "kdebug/machine.h"

enum { RFLAGS_TF = 1 << 8, RFLAGS_IF = 1 << 9, RFLAGS_RF = 1 << 16 };
enum { OP_PUSHF = 0x9c, OP_POPF = 0x9d, OP_IRET = 0xcf, OP_HLT = 0xf4, OP_CLI = 0xfa, OP_STI };
enum { SAVED_RFLAGS, SAVED_PC, SAVED_OPCODE, SAVED_WIDTH };

// Is this byte a legacy or REX prefix (volume 2, 2.1.1 and 2.2.1)?
static bool is_prefix(uint8_t byte)
{
    switch (byte) {
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
    case 0x64:
    case 0x65:
    case 0x66:
    case 0x67:
    case 0xf0:
    case 0xf2:
    case 0xf3:
        return true;
    default:
        return (byte & 0xf0) == 0x40;
    }
}

void kd_step_begin(struct kd_frame *frame, struct kd_step_state *state, bool single)
{
    state->insn_length =
        (uint8_t)kd_mem_copy(state->insn, (const void *)frame->rip, sizeof(state->insn) - 1);
    unsigned at = 0;
    state->saved[SAVED_WIDTH] = 8;
    while (at < state->insn_length && is_prefix(state->insn[at])) {
        if (state->insn[at] == 0x66)
            state->saved[SAVED_WIDTH] = 2;
        at++;
    }
    state->saved[SAVED_OPCODE] = at < state->insn_length ? state->insn[at] : 0;
    state->saved[SAVED_RFLAGS] = frame->rflags;
    state->saved[SAVED_PC] = frame->rip;
    frame->rflags = (frame->rflags & ~(uint64_t)RFLAGS_IF) | (single ? RFLAGS_TF : 0);
}

void kd_step_end(struct kd_frame *frame, const struct kd_step_state *state)
{
    const uint64_t masked = RFLAGS_TF | RFLAGS_IF;
    uint64_t before = state->saved[SAVED_RFLAGS] & masked;
    bool done = frame->rip != state->saved[SAVED_PC];
    uint8_t opcode = (uint8_t)state->saved[SAVED_OPCODE];
    if (done && (opcode == OP_POPF || opcode == OP_IRET))
        return; // the flags are the ones it loaded
    if (done && opcode == OP_PUSHF) {
        uint64_t image = 0;
        size_t width = state->saved[SAVED_WIDTH];
        if (kd_mem_copy(&image, (const void *)frame->rsp, width) == width) {
            image = (image & ~masked) | before;
            kd_mem_copy((void *)frame->rsp, &image, width);
        }
    }
    frame->rflags = (frame->rflags & ~(masked | RFLAGS_RF)) | before;
}

bool kd_step_emulate(struct kd_frame *frame, struct kd_return_state *state)
{
    (void)state; // iretq finds everything in memory
    uint8_t opcode;
    if (kd_mem_copy(&opcode, (const void *)frame->rip, 1) != 1)
        return false;
    switch (opcode) {
    case OP_HLT: // as if an interrupt had come and gone
        break;
    case OP_CLI:
        frame->rflags &= ~(uint64_t)RFLAGS_IF;
        break;
    case OP_STI:
        frame->rflags |= RFLAGS_IF;
        break;
    default:
        return false;
    }
    frame->rip += 1;
    return true;
}

unsigned kd_step_targets(const struct kd_frame *frame, uintptr_t targets[2])
{
    (void)frame;
    (void)targets;
    return 0;
}

// Locked instructions are single ones here.
bool kd_insn_decode(uintptr_t pc, struct kd_insn *insn)
{
    (void)pc;
    (void)insn;
    return false;
}
