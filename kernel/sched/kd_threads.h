// SPDX-License-Identifier: MIT
// The thread part of struct kdebug_kernel; see kdebug/kdebug.h for what each function promises.
#pragma once

#include "kdebug/kdebug.h"

int sched_kd_thread_next(uintptr_t *cursor, struct kd_thread *out);
int sched_kd_thread_frame(const struct kd_thread *thread, struct kd_frame *out, uint64_t *valid);
int sched_kd_canary_next(uintptr_t *cursor, uint64_t *value);
int64_t sched_kd_thread_current(unsigned cpu);
