// SPDX-License-Identifier: MIT
// Where the registers every machine has lie in this machine's frame; see kdebug/machine.h.
#pragma once

static inline uintptr_t kd_frame_pc(const struct kd_frame *frame)
{
    return frame->rip;
}

static inline void kd_frame_set_pc(struct kd_frame *frame, uintptr_t pc)
{
    frame->rip = pc;
}

static inline uintptr_t kd_frame_sp(const struct kd_frame *frame)
{
    return frame->rsp;
}

static inline uintptr_t kd_frame_fp(const struct kd_frame *frame)
{
    return frame->rbp;
}
