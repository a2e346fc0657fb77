// SPDX-License-Identifier: MIT
// The types and block macros of kernel/sync/lock.h, which includes this file and is what everybody
// else includes. Names that end in _ are for the macros only.
//
// How the compiler sees the order: a lock is a union with an array pointer whose length is the
// rank, so sizeof tells it and it costs no memory. Each WITH block declares struct lock_held_ anew,
// with its own lock's rank in it; a WITH inside it finds that declaration, since a tag in an inner
// scope hides the outer one (without a -Wshadow warning, which an enum constant would bring), and
// asserts that its own rank is higher. At file scope the tag stands for "nothing held".
#pragma once

#include "kernel/arch/cpu.h"

struct thread;
struct lock_waiter;

// Taken in the order of arrival. The holder alone writes the last two fields.
struct spinlock {
    const char *name;
    uint32_t next_ticket;
    uint32_t now_serving;
    struct thread *holder;
    irq_state_t irq; // what release restores
};

// First come, first served; lives in the sleepers' stacks. Empty when all zero.
struct wait_queue {
    struct lock_waiter *first, *last;
};

#define SPINLOCK(rank_)                                                                            \
    union {                                                                                        \
        struct spinlock lock;                                                                      \
        char (*rank)[rank_];                                                                       \
    }

// Released by handing it to the first waiter, so that nobody starves.
struct mutex {
    const char *name;
    SPINLOCK(RANK_WAIT) guard;
    struct thread *owner;
    struct wait_queue waiters;
};

// Many readers or one writer, in the order of arrival: a reader that comes after a waiting writer
// waits too. Not recursive, not even for readers.
struct rwlock {
    const char *name;
    SPINLOCK(RANK_WAIT) guard;
    struct thread *writer;
    unsigned readers;
    struct wait_queue waiters;
};

#define MUTEX(rank_)                                                                               \
    union {                                                                                        \
        struct mutex lock;                                                                         \
        char (*rank)[rank_];                                                                       \
    }
#define RWLOCK(rank_)                                                                              \
    union {                                                                                        \
        struct rwlock lock;                                                                        \
        char (*rank)[rank_];                                                                       \
    }

// For static locks of the three kinds; lock_init() does the same at run time. The name is kept.
#define LOCK_INIT(name_)                                                                           \
    {                                                                                              \
        .lock = {.name = (name_) }                                                                 \
    }
#define lock_init(l, name_) ((l)->lock = (__typeof__((l)->lock)){.name = (name_)})

#define RANK_OF(l) sizeof(*(l)->rank)

// What the block macros call: for each kind of lock the ways to take it, to try, and to let go.
// The functions take void * so that they can stand in a table; the macros have checked the type.
void spinlock_take_(void *lock, unsigned rank);
bool spinlock_try_(void *lock, unsigned rank);
void spinlock_release_(void *lock);
void mutex_take_(void *lock, unsigned rank);
bool mutex_try_(void *lock, unsigned rank);
void mutex_release_(void *lock);
void rwlock_take_read_(void *lock, unsigned rank);
bool rwlock_try_read_(void *lock, unsigned rank);
void rwlock_release_read_(void *lock);
void rwlock_take_write_(void *lock, unsigned rank);
bool rwlock_try_write_(void *lock, unsigned rank);
void rwlock_release_write_(void *lock);

struct lock_ops {
    void (*take)(void *lock, unsigned rank);
    bool (*try)(void *lock, unsigned rank);
    void (*release)(void *lock);
};
// In the header, so that the compiler makes direct calls of them.
static const struct lock_ops lock_spin_ops __unused = {spinlock_take_, spinlock_try_,
                                                       spinlock_release_};
static const struct lock_ops lock_mutex_ops __unused = {mutex_take_, mutex_try_, mutex_release_};
static const struct lock_ops lock_read_ops __unused = {rwlock_take_read_, rwlock_try_read_,
                                                       rwlock_release_read_};
static const struct lock_ops lock_write_ops __unused = {rwlock_take_write_, rwlock_try_write_,
                                                        rwlock_release_write_};

// Does the current thread hold it (in either way)? For assertions.
#define lock_held(l) lock_held_by_current_(&(l)->lock)
bool lock_held_by_current_(const void *lock);

// -- block macros

struct lock_guard {
    void *lock;
    void (*release)(void *lock);
    bool taken;
    bool inside; // the block has yet to run
};

struct lock_held_ {
    char rank[RANK_NONE_];
};

static inline struct lock_guard lock_guard_take_(const struct lock_ops *ops, void *lock,
                                                 unsigned rank)
{
    ops->take(lock, rank);
    return (struct lock_guard){lock, ops->release, true, true};
}

static inline struct lock_guard lock_guard_try_(const struct lock_ops *ops, void *lock,
                                                unsigned rank)
{
    bool taken = ops->try(lock, rank);
    return (struct lock_guard){lock, ops->release, taken, taken};
}

static inline void lock_guard_end_(struct lock_guard *guard)
{
    if (guard->taken)
        guard->release(guard->lock);
}

// The static assertion stands before the loop's condition and so sees the tag of the block around
// it; the condition declares the tag for the block inside. (gcc refuses a tag in the first clause.)
#define LOCK_ORDER_CHECK_(l)                                                                       \
    sizeof(struct {                                                                                \
        char size_;                                                                                \
        _Static_assert(RANK_OF(l) > sizeof(((struct lock_held_ *)0)->rank),                        \
                       "lock order: this lock's rank is not above that of the lock held around "   \
                       "it (kernel/sync/lock.h)");                                                 \
    })
#define LOCK_BLOCK_(l, ops, how, check, n)                                                         \
    for (struct lock_guard lock_guard_##n __attribute__((cleanup(lock_guard_end_))) =              \
             how(ops, &(l)->lock, (check) ? RANK_OF(l) : 0);                                       \
         lock_guard_##n.inside && sizeof(struct lock_held_ { char rank[RANK_OF(l)]; });            \
         lock_guard_##n.inside = false)
// Between the two, __COUNTER__ is expanded before it is pasted.
#define LOCK_BLOCK_TAKE_(l, ops, n) LOCK_BLOCK_(l, ops, lock_guard_take_, LOCK_ORDER_CHECK_(l), n)
#define LOCK_BLOCK_TRY_(l, ops, n)  LOCK_BLOCK_(l, ops, lock_guard_try_, true, n)

#define LOCK_OPS_(l)                                                                               \
    _Generic(&(l)->lock, struct spinlock * : &lock_spin_ops, struct mutex * : &lock_mutex_ops)
#define LOCK_OPS_READ_(l)  _Generic(&(l)->lock, struct rwlock * : &lock_read_ops)
#define LOCK_OPS_WRITE_(l) _Generic(&(l)->lock, struct rwlock * : &lock_write_ops)

// The block runs with the lock held, once; `l` points to a SPINLOCK or MUTEX (WITH) or an RWLOCK
// (WITH_READ, WITH_WRITE) and is evaluated once. A `break` leaves the block, not a loop around it.
#define WITH(l)       LOCK_BLOCK_TAKE_(l, LOCK_OPS_(l), __COUNTER__)
#define WITH_READ(l)  LOCK_BLOCK_TAKE_(l, LOCK_OPS_READ_(l), __COUNTER__)
#define WITH_WRITE(l) LOCK_BLOCK_TAKE_(l, LOCK_OPS_WRITE_(l), __COUNTER__)
// The block runs if the lock is free and is skipped otherwise. Trying cannot deadlock, so the
// order is not checked; that of locks taken inside is.
#define WITH_TRY(l)       LOCK_BLOCK_TRY_(l, LOCK_OPS_(l), __COUNTER__)
#define WITH_TRY_READ(l)  LOCK_BLOCK_TRY_(l, LOCK_OPS_READ_(l), __COUNTER__)
#define WITH_TRY_WRITE(l) LOCK_BLOCK_TRY_(l, LOCK_OPS_WRITE_(l), __COUNTER__)

// -- condition variables

// All zero is an empty one. Signalling wakes who waits now, in the order of arrival; nothing is
// remembered for later, so the waiter tests its predicate in a loop, under the lock that protects
// it.
struct condition {
    const char *name; // shown by ps as what the thread waits for
    SPINLOCK(RANK_WAIT) guard;
    struct wait_queue waiters;
};
#define CONDITION_INIT(name_)                                                                      \
    {                                                                                              \
        .name = (name_)                                                                            \
    }
#define condition_init(c, name_) (*(c) = (struct condition){.name = (name_)})

// Releases the lock, a MUTEX or SPINLOCK that the current thread holds as its last one, waits, and
// takes it again. With a spin lock (of a rank below RANK_WAIT) the signal may come from an
// interrupt handler. Thread context, holding no other lock.
#define condition_wait(c, l)                                                                       \
    ((void)condition_wait_any_(c, LOCK_OPS_(l), &(l)->lock, RANK_OF(l), UINT64_MAX))
// The same until clock_ns() reaches the deadline. 0: signalled; -ETIMEDOUT.
#define condition_wait_until(c, l, deadline_ns)                                                    \
    condition_wait_any_(c, LOCK_OPS_(l), &(l)->lock, RANK_OF(l), deadline_ns)
// Any context but NMI; the lock need not be held.
void condition_signal(struct condition *condition);
void condition_broadcast(struct condition *condition);

int condition_wait_any_(struct condition *condition, const struct lock_ops *ops, void *lock,
                        unsigned rank, uint64_t deadline_ns);
