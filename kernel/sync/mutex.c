// SPDX-License-Identifier: MIT
// Mutexes: sleeping locks with an owner. The owner hands the mutex to the first waiter, which then
// owns it even before it runs. Thread context only; called through the macros of lock.h.
#include "kdebug/kdebug.h"
#include "kernel/panic.h"
#include "kernel/sync/held.h"
#include "kernel/sync/wait.h"

void mutex_take_(void *l, unsigned rank)
{
    struct mutex *mutex = l;
    if (kd_active())
        return;
    held_assert_may_sleep(mutex->name);
    held_check(mutex, mutex->name, rank, __builtin_frame_address(0));
    struct lock_waiter waiter = {.thread = thread_current()};
    bool wait = false;
    WITH (&mutex->guard) {
        wait = mutex->owner;
        if (wait)
            wait_queue_add(&mutex->waiters, &waiter);
        else
            mutex->owner = waiter.thread;
    }
    if (wait) {
        wait_sleep(&waiter, mutex->name, UINT64_MAX);
        WITH (&mutex->guard)
            ASSERT(mutex->owner == waiter.thread);
    }
    held_add(mutex, mutex->name, rank, __builtin_frame_address(0));
}

bool mutex_try_(void *l, unsigned rank)
{
    struct mutex *mutex = l;
    if (kd_active())
        return true;
    bool free = false;
    WITH (&mutex->guard) {
        free = !mutex->owner && thread_current()->held_count < THREAD_LOCKS_MAX - 1;
        if (free)
            mutex->owner = thread_current();
    }
    if (free)
        held_add(mutex, mutex->name, rank, __builtin_frame_address(0));
    return free;
}

void mutex_release_(void *l)
{
    struct mutex *mutex = l;
    if (kd_active())
        return;
    held_remove(mutex, mutex->name);
    WITH (&mutex->guard)
        mutex->owner = wait_queue_wake_first(&mutex->waiters);
}
