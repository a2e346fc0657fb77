// SPDX-License-Identifier: MIT
// Locks. Each lock has a rank in its type; a thread takes locks in rising order of rank. Where the
// compiler sees both (one WITH inside another in a function) the wrong order does not compile;
// elsewhere it is a panic that shows where both were taken.
//
//     static SPINLOCK(RANK_RUN_QUEUE) queue_lock = LOCK_INIT("run queue");
//     WITH (&queue_lock) {
//         ...            // return, break and goto release it too
//     }
//
// A spin lock switches interrupts off while it is held: any context but NMI. Mutexes and
// reader-writer locks sleep: thread context only. While the debugger runs (kd_active()) taking and
// releasing do nothing: everyone else stands still.
#pragma once

#include "kernel/lib/base.h"
#include "kernel/lib/list.h"

// Lowest first; a lock may be taken while only lower ones are held. Sleeping locks come before all
// spin locks. One row here for every class of lock in the kernel.
enum lock_rank {
    RANK_NONE_ = 1,
    // mutexes, reader-writer locks
    RANK_TEST_OUTER,
    RANK_TEST_INNER,
    // spin locks
    RANK_SPIN_FIRST_,
    RANK_TEST_SPIN_OUTER,
    RANK_TEST_SPIN_INNER,
    RANK_IRQ_TABLE,
    RANK_THREAD_LIST,
    RANK_CONSOLE_INPUT,
    RANK_WAIT, // condition variables, mutex queues, joiners
    RANK_RUN_QUEUE,
    RANK_TIMER,
    RANK_SLAB,
    RANK_VMAP,
    RANK_PAGE,
    RANK_SECRET,
    RANK_LAST_,
};
#include "kernel/sync/lock_types.h"
