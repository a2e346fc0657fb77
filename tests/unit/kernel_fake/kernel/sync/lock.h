// SPDX-License-Identifier: MIT
// Locks for host tests of kernel/mm, which run in one thread: taking one only checks that it was
// free, since the kernel's would hang. A test that leaves by a panic begins a new epoch, in which
// all locks are free.
#pragma once

#include <assert.h>

extern int fake_lock_epoch;

struct fake_lock {
    int held; // in which epoch, 0 not
};

#define SPINLOCK(rank) struct fake_lock
#define LOCK_INIT(name)                                                                            \
    {                                                                                              \
        0                                                                                          \
    }
#define lock_init(l, n) ((l)->held = 0)

static inline struct fake_lock *fake_lock_take(struct fake_lock *lock)
{
    assert(lock->held != fake_lock_epoch);
    lock->held = fake_lock_epoch;
    return lock;
}
static inline void fake_lock_end(struct fake_lock **lock)
{
    (*lock)->held = 0;
}
#define WITH(l)                                                                                    \
    for (struct fake_lock * guard_ __attribute__((cleanup(fake_lock_end))) = fake_lock_take(l),    \
                                   *once_ = guard_;                                                \
         once_ != NULL; once_ = NULL)
