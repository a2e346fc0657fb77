// SPDX-License-Identifier: MIT
// What the compiler must accept and refuse of nested locks, a case a number: CASE 0 is right, each
// other one takes a lock in the wrong order. Compiled only, by lock_order_test.sh.
#include "kernel/sync/lock.h"

static SPINLOCK(RANK_TEST_SPIN_OUTER) spin_outer = LOCK_INIT("spin outer");
static SPINLOCK(RANK_TEST_SPIN_INNER) spin_inner = LOCK_INIT("spin inner");
static MUTEX(RANK_TEST_OUTER) mutex = LOCK_INIT("mutex");
static RWLOCK(RANK_TEST_INNER) rwlock = LOCK_INIT("rwlock");
static int value;

#if CASE == 0
#define BODY                                                                                       \
    WITH (&mutex) {                                                                                \
        WITH_READ (&rwlock) {                                                                      \
            WITH (&spin_outer) {                                                                   \
                WITH (&spin_inner)                                                                 \
                    value++;                                                                       \
            }                                                                                      \
        }                                                                                          \
        WITH_WRITE (&rwlock)                                                                       \
            value++;                                                                               \
    }                                                                                              \
    WITH (&spin_inner) {                                                                           \
        WITH_TRY (&spin_outer)                                                                     \
            value++;                                                                               \
    }                                                                                              \
    WITH (&spin_outer)                                                                             \
    value++
#elif CASE == 1 // two spin locks
#define BODY                                                                                       \
    WITH (&spin_inner) {                                                                           \
        WITH (&spin_outer)                                                                         \
            value++;                                                                               \
    }
#elif CASE == 2 // a sleeping lock inside a spin lock
#define BODY                                                                                       \
    WITH (&spin_outer) {                                                                           \
        WITH (&mutex)                                                                              \
            value++;                                                                               \
    }
#elif CASE == 3 // the same lock twice
#define BODY                                                                                       \
    WITH (&mutex) {                                                                                \
        WITH (&mutex)                                                                              \
            value++;                                                                               \
    }
#elif CASE == 4 // below a reader
#define BODY                                                                                       \
    WITH_READ (&rwlock) {                                                                          \
        if (value)                                                                                 \
            WITH (&mutex)                                                                          \
                value++;                                                                           \
    }
#elif CASE == 5 // inside a lock that was tried for
#define BODY                                                                                       \
    WITH_TRY (&spin_inner) {                                                                       \
        WITH (&spin_outer)                                                                         \
            value++;                                                                               \
    }
#elif CASE == 6 // two levels down
#define BODY                                                                                       \
    WITH (&mutex) {                                                                                \
        WITH (&spin_inner) {                                                                       \
            WITH_WRITE (&rwlock)                                                                   \
                value++;                                                                           \
        }                                                                                          \
    }
#endif

void lock_order_case(void);
void lock_order_case(void)
{
    BODY;
    (void)&spin_outer;
    (void)&spin_inner;
    (void)&mutex;
    (void)&rwlock;
}
