// SPDX-License-Identifier: MIT
// Which locks a thread holds: the records behind the run-time order check, the `locks` command and
// the report of a lock that is stuck. For the files of kernel/sync only.
//
// A record belongs to the thread that took the lock. Interrupt handlers use the interrupted
// thread's records, above its own, and leave none behind; so adding and removing go with
// interrupts off.
#pragma once

#include "kernel/sched/thread.h"
#include "kernel/sync/lock.h"

enum held_verdict {
    HELD_FINE,
    HELD_DOUBLE, // the thread holds this very lock
    HELD_ORDER,  // it holds one of the same or a higher rank
    HELD_TOO_MANY,
};

// May a thread with these records take the lock? *clash: the record it clashes with. A pure
// function, so that tests can ask it.
enum held_verdict held_judge(const struct held_lock *held, unsigned count, const void *lock,
                             unsigned rank, unsigned *clash);

// Panics, showing both stacks, unless the current thread may take the lock. `frame` is the frame
// pointer of the function that was called to take it.
void held_check(const void *lock, const char *name, unsigned rank, const void *frame);
void held_add(const void *lock, const char *name, unsigned rank, const void *frame);
// Panics if the current thread does not hold it.
void held_remove(const void *lock, const char *name);
// Moves the newest record, which must be the lock's: for the run queue's lock across a switch.
void held_hand_over(struct thread *from, struct thread *to, const void *lock);

// The newest spin lock that the current thread holds, or NULL.
const struct held_lock *held_spin_lock(void);

// Panics if the current context may not sleep: in an interrupt, with a spin lock held, with
// preemption or interrupts off.
void held_assert_may_sleep(const char *what);

// Logs where the record's lock was taken, one line a frame.
void held_log(const struct held_lock *record);
