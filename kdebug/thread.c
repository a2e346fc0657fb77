// SPDX-License-Identifier: MIT
// The kernel's threads as the debugger sees them: which one runs where, and whose registers are
// whose. Called by front ends while the machine stands still; what is remembered between calls is
// forgotten before it runs.
#include "kdebug/core.h"

#include <errno.h>

#define THREADS_MAX 65536 // a damaged list may be a circle
// What runs on a CPU before there are threads; gdb's thread numbers are 32 bits.
#define MADE_UP_ID(cpu) (INT64_C(0x7fff0000) + (cpu))

// Where the last walk of the kernel's list stands: after thread `id`, at `cursor`.
static struct {
    int64_t id;
    uintptr_t cursor;
} walk;

// The registers of the thread last asked for that does not run.
static struct {
    int64_t id;
    uint64_t valid;
    struct kd_frame frame;
} saved;

void kd_threads_forget(void)
{
    walk.id = 0;
    saved.id = 0;
}

int64_t kd_thread_on(unsigned cpu)
{
    int64_t id = kd.kernel->thread_current(cpu);
    return id > 0 ? id : MADE_UP_ID(cpu);
}

int kd_thread_cpu(int64_t id)
{
    for (unsigned i = 0; i < kd_cpu_total(); i++)
        if (kd_cpu_online(i) && kd_thread_on(i) == id)
            return (int)i;
    return -1;
}

static bool is_made_up(int64_t id)
{
    return id >= MADE_UP_ID(0) && id < MADE_UP_ID((int)kd_cpu_total());
}

bool kd_thread_find(int64_t id, struct kd_thread *out)
{
    if (is_made_up(id)) {
        unsigned cpu = (unsigned)(id - MADE_UP_ID(0));
        *out = (struct kd_thread){.id = id, .cpu = cpu, .state = KD_THREAD_RUNNING};
        kd_snprintf(out->name, sizeof(out->name), "cpu%u", cpu);
        return kd_thread_cpu(id) >= 0;
    }
    uintptr_t cursor = 0;
    for (unsigned i = 0; i < THREADS_MAX && kd.kernel->thread_next(&cursor, out) == 0; i++)
        if (out->id == id)
            return true;
    return false;
}

// The made-up ones come after the kernel's.
static int64_t made_up_after(unsigned cpu)
{
    for (; cpu < kd_cpu_total(); cpu++)
        if (kd_cpu_online(cpu) && kd_thread_on(cpu) == MADE_UP_ID(cpu))
            return MADE_UP_ID(cpu);
    return 0;
}

int64_t kd_thread_after(int64_t id)
{
    struct kd_thread thread;
    if (is_made_up(id))
        return made_up_after((unsigned)(id - MADE_UP_ID(0)) + 1);
    if (id == 0) {
        walk.cursor = 0;
    } else if (walk.id != id) {
        walk.cursor = 0;
        unsigned turns = 0;
        do {
            if (turns++ == THREADS_MAX || kd.kernel->thread_next(&walk.cursor, &thread) != 0)
                return made_up_after(0);
        } while (thread.id != id);
    }
    if (kd.kernel->thread_next(&walk.cursor, &thread) != 0) {
        walk.id = 0;
        return made_up_after(0);
    }
    walk.id = thread.id;
    return thread.id;
}

struct kd_frame *kd_thread_frame(int64_t id, uint64_t *valid)
{
    int cpu = kd_thread_cpu(id);
    if (cpu >= 0) {
        *valid = UINT64_MAX;
        return kd_cpu_stopped(&kd.cpus[cpu]) ? kd.cpus[cpu].frame : NULL;
    }
    if (saved.id != id) {
        struct kd_thread thread;
        saved.id = 0;
        if (!kd_thread_find(id, &thread) ||
            kd.kernel->thread_frame(&thread, &saved.frame, &saved.valid) != 0)
            return NULL;
        saved.id = id;
    }
    *valid = saved.valid;
    return &saved.frame;
}
