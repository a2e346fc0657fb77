// SPDX-License-Identifier: MIT
// The callers of a dead machine's threads. Call frame information (CFI) first, which also knows
// assembly, interrupts and other stacks; where there is none, or where it leads nowhere, the chain
// of frame pointers that the kernel keeps. The registers of each frame come with it, so that the
// places of its variables can be evaluated.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "symbolizer/location.h"

enum sym_unwind_way {
    SYM_WAY_REGISTERS, // the innermost frame: the thread's own
    SYM_WAY_CFI,
    SYM_WAY_FRAME_POINTER,
    SYM_WAY_CALL, // a call to where no code is: its return address, where calls leave it
};

struct sym_unwind_frame {
    uint64_t pc; // run-time address
    bool exact;  // the instruction at pc itself is meant (interrupted there), not the one before
    bool has_cfa;
    uint64_t cfa;            // the stack pointer before the call; with has_cfa
    bool signal;             // of an exception's entry
    enum sym_unwind_way way; // how this frame was found
    unsigned depth;          // 0: the innermost
    struct sym_registers registers;
};

struct sym_unwinder;

// `debug` may be NULL: then there is no CFI. Both must outlive it.
struct error *sym_unwinder_open(const struct sym_dead *dead, struct sym_debug *debug,
                                struct sym_unwinder **out);
void sym_unwinder_close(struct sym_unwinder *unwinder);

// The innermost frame of a thread; false: its registers are not there.
bool sym_unwind_first(const struct sym_unwinder *unwinder, const struct sym_capsule_thread *thread,
                      struct sym_unwind_frame *frame);
// Replaces a frame by its caller's; false: it is the outermost, or nothing leads further. What is
// found of the frame itself on the way (its CFA, is it an exception's entry) is written to
// `callee`, unless NULL, which may be a copy of `frame`.
bool sym_unwind_next(const struct sym_unwinder *unwinder, struct sym_unwind_frame *frame,
                     struct sym_unwind_frame *callee);

// The address to look a frame's function and variables up with, as linked.
uint64_t sym_unwind_lookup_pc(const struct sym_unwinder *unwinder,
                              const struct sym_unwind_frame *frame);

#define SYM_UNWIND_FRAMES_MOST 128
