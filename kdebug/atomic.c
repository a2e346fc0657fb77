// SPDX-License-Identifier: MIT
// Where an atomic sequence (LR/SC, LDXR/STXR) can be left, on any machine that has them: a trap
// inside would end the reservation each time, so the step plants its breakpoints behind it. Called
// by the master for code that stands still; what an instruction is, the machine says.
#include "kdebug/core.h"

#define LONGEST      16 // instructions: architectures guarantee progress for no more
#define BRANCHES_MAX 3

// Fills in the targets of the branches up to the store; returns where the sequence goes on behind
// it, 0 when there is none to speak of.
static uintptr_t sequence_end(uintptr_t pc, uintptr_t *targets, unsigned *count)
{
    struct kd_insn insn;
    *count = 0;
    for (unsigned i = 1; i < LONGEST; i++) {
        if (!kd_insn_decode(pc, &insn) || insn.flow == KD_FLOW_LEAVES)
            return 0;
        pc += insn.length;
        if (insn.flow == KD_FLOW_ATOMIC_STORE)
            return pc;
        if (insn.flow == KD_FLOW_BRANCH) {
            // A loop back to the load is a wait for someone who stands still: step it singly.
            if (insn.target < pc || *count == BRANCHES_MAX)
                return 0;
            targets[(*count)++] = insn.target;
        }
    }
    return 0;
}

unsigned kd_atomic_exits(uintptr_t pc, uintptr_t exits[KD_ATOMIC_EXITS])
{
    struct kd_insn insn;
    if (!kd_insn_decode(pc, &insn) || insn.flow != KD_FLOW_ATOMIC_LOAD)
        return 0;
    unsigned count;
    uintptr_t end = sequence_end(pc + insn.length, exits, &count);
    if (end == 0)
        return 0;
    if (kd_insn_decode(end, &insn) && insn.flow == KD_FLOW_BRANCH && insn.target >= pc &&
        insn.target <= end)
        end += insn.length; // the branch that tries again
    // A forward branch that stays inside the sequence is not a way out.
    unsigned kept = 0;
    for (unsigned i = 0; i < count; i++)
        if (exits[i] > end)
            exits[kept++] = exits[i];
    exits[kept++] = end;
    return kept;
}
