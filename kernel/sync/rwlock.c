// SPDX-License-Identifier: MIT
// Reader-writer locks: many readers or one writer, served in the order of arrival, so neither side
// starves the other. Whoever leaves hands the lock over: to the writer at the head of the queue, or
// to all readers up to the next writer. Thread context only; called through the macros of lock.h.
#include "kdebug/kdebug.h"
#include "kernel/panic.h"
#include "kernel/sync/held.h"
#include "kernel/sync/wait.h"

static bool is_free_for(const struct rwlock *lock, bool writer)
{
    return !lock->writer && !lock->waiters.first && (!writer || !lock->readers);
}

static void enter(struct rwlock *lock, struct thread *thread, bool writer)
{
    if (writer)
        lock->writer = thread;
    else
        lock->readers++;
}

static void take(struct rwlock *lock, unsigned rank, bool writer, const void *frame)
{
    if (kd_active())
        return;
    held_assert_may_sleep(lock->name);
    held_check(lock, lock->name, rank, frame);
    struct lock_waiter waiter = {.thread = thread_current(), .writer = writer};
    bool wait = false;
    WITH (&lock->guard) {
        wait = !is_free_for(lock, writer);
        if (wait)
            wait_queue_add(&lock->waiters, &waiter);
        else
            enter(lock, waiter.thread, writer);
    }
    if (wait) {
        wait_sleep(&waiter, lock->name, UINT64_MAX);
        WITH (&lock->guard)
            ASSERT(writer ? lock->writer == waiter.thread : lock->readers > 0);
    }
    held_add(lock, lock->name, rank, frame);
}

static bool try(struct rwlock *lock, unsigned rank, bool writer, const void *frame)
{
    if (kd_active())
        return true;
    bool free = false;
    WITH (&lock->guard) {
        free = is_free_for(lock, writer) && thread_current()->held_count < THREAD_LOCKS_MAX - 1;
        if (free)
            enter(lock, thread_current(), writer);
    }
    if (free)
        held_add(lock, lock->name, rank, frame);
    return free;
}

static void release(struct rwlock *lock, bool writer)
{
    if (kd_active())
        return;
    held_remove(lock, lock->name);
    WITH (&lock->guard) {
        if (writer)
            lock->writer = NULL;
        else
            lock->readers--;
        while (lock->waiters.first && !lock->writer) {
            bool next_writes = lock->waiters.first->writer;
            if (next_writes && lock->readers)
                break;
            enter(lock, lock->waiters.first->thread, next_writes);
            wait_queue_wake_first(&lock->waiters);
        }
    }
}

void rwlock_take_read_(void *lock, unsigned rank)
{
    take(lock, rank, false, __builtin_frame_address(0));
}

bool rwlock_try_read_(void *lock, unsigned rank)
{
    return try(lock, rank, false, __builtin_frame_address(0));
}

void rwlock_release_read_(void *lock)
{
    release(lock, false);
}

void rwlock_take_write_(void *lock, unsigned rank)
{
    take(lock, rank, true, __builtin_frame_address(0));
}

bool rwlock_try_write_(void *lock, unsigned rank)
{
    return try(lock, rank, true, __builtin_frame_address(0));
}

void rwlock_release_write_(void *lock)
{
    release(lock, true);
}
