// SPDX-License-Identifier: MIT
// The locks' contract: one holder (or many readers), released on every way out of the block, fair
// enough that nobody starves, and taken in rising order only. A wrong order is a panic and so
// cannot be tried here; the function that decides can be asked.
#include <errno.h>

#include "kernel/cpu/cpu.h"
#include "kernel/sched/thread.h"
#include "kernel/sync/held.h"
#include "kernel/sync/lock.h"
#include "kernel/test/ktest.h"

static SPINLOCK(RANK_TEST_SPIN_OUTER) spin_outer = LOCK_INIT("test spin outer");
static SPINLOCK(RANK_TEST_SPIN_INNER) spin_inner = LOCK_INIT("test spin inner");
static MUTEX(RANK_TEST_OUTER) mutex = LOCK_INIT("test mutex");
static RWLOCK(RANK_TEST_OUTER) rwlock = LOCK_INIT("test rwlock");

static unsigned held_count(void)
{
    return thread_current()->held_count;
}

// Runs `entry` in two threads a CPU and waits for them.
#define WORKERS_MAX (2 * CPU_MAX)
static unsigned run_workers(void (*entry)(void *), void *argument)
{
    struct thread *threads[WORKERS_MAX];
    unsigned count = 2 * (unsigned)__builtin_popcountll(cpu_online_mask());
    for (unsigned i = 0; i < count; i++)
        EXPECT_EQ(thread_create("lock worker", PRIORITY_NORMAL, 0, entry, argument, &threads[i]),
                  0);
    for (unsigned i = 0; i < count; i++)
        thread_join(threads[i]);
    return count;
}

// -- mutual exclusion: two plain additions that would lose counts without the lock

// Few: with more CPUs than the host has, each turn may cost a slice of the host's time.
#define ADDITIONS        400
#define ADDITIONS_ASLEEP 200 // each may cost a switch on two CPUs

struct sums {
    volatile unsigned a, b;
    unsigned torn;
};

static void add(struct sums *sums)
{
    if (sums->a != sums->b)
        sums->torn++;
    sums->a = sums->a + 1;
    sums->b = sums->b + 1;
}

static void add_spin(void *sums)
{
    for (unsigned i = 0; i < ADDITIONS; i++)
        WITH (&spin_outer)
            add(sums);
}

static void add_mutex(void *sums)
{
    for (unsigned i = 0; i < ADDITIONS_ASLEEP; i++) {
        WITH (&mutex)
            add(sums);
        if (i % 64 == 0)
            thread_yield();
    }
}

static void add_write(void *sums)
{
    for (unsigned i = 0; i < ADDITIONS_ASLEEP; i++) {
        WITH_WRITE (&rwlock)
            add(sums);
        if (i % 64 == 0)
            thread_yield();
    }
}

static void add_trying(void *sums)
{
    for (unsigned i = 0; i < ADDITIONS;) {
        unsigned before = i;
        WITH_TRY (&spin_outer) {
            add(sums);
            i++;
        }
        if (i == before)
            thread_yield();
    }
}

static void expect_sums(void (*entry)(void *), unsigned additions)
{
    struct sums sums = {0};
    unsigned workers = run_workers(entry, &sums);
    EXPECT_EQ(sums.a, workers * additions);
    EXPECT_EQ(sums.b, workers * additions);
    EXPECT_EQ(sums.torn, 0);
}

KTEST(lock, spin, "a spin lock lets one in at a time, from all CPUs")
{
    expect_sums(add_spin, ADDITIONS);
}

KTEST(lock, mutex, "a mutex lets one in at a time, from all CPUs")
{
    expect_sums(add_mutex, ADDITIONS_ASLEEP);
}

KTEST(lock, writers, "a reader-writer lock lets one writer in at a time, from all CPUs")
{
    expect_sums(add_write, ADDITIONS_ASLEEP);
}

KTEST(lock, trying, "a lock that is only tried for lets one in at a time, from all CPUs")
{
    expect_sums(add_trying, ADDITIONS);
}

// -- readers and writers

struct crowd {
    volatile unsigned readers, writers; // inside
    unsigned mixed;                     // times a writer was not alone
    struct sums sums;
    unsigned next;
};

static void mingle(void *argument)
{
    struct crowd *crowd = argument;
    unsigned own = __atomic_fetch_add(&crowd->next, 1, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < ADDITIONS_ASLEEP; i++) {
        if ((i + own) % 4 == 0) {
            WITH_WRITE (&rwlock) {
                crowd->writers++;
                if (crowd->readers || crowd->writers != 1)
                    crowd->mixed++;
                add(&crowd->sums);
                crowd->writers--;
            }
            continue;
        }
        WITH_READ (&rwlock) {
            __atomic_fetch_add(&crowd->readers, 1, __ATOMIC_SEQ_CST);
            if (crowd->writers || crowd->sums.a != crowd->sums.b)
                __atomic_fetch_add(&crowd->mixed, 1, __ATOMIC_RELAXED);
            if (i % 32 == 0)
                thread_yield(); // so that the lock is held by threads that do not run
            __atomic_fetch_sub(&crowd->readers, 1, __ATOMIC_SEQ_CST);
        }
    }
}

KTEST(lock, crowd, "writers are alone, and readers never see half a change")
{
    struct crowd crowd = {0};
    run_workers(mingle, &crowd);
    EXPECT_EQ(crowd.mixed, 0);
    EXPECT_EQ(crowd.readers, 0);
    EXPECT_EQ(crowd.writers, 0);
}

static void read_together(void *inside)
{
    WITH_READ (&rwlock) {
        __atomic_fetch_add((unsigned *)inside, 1, __ATOMIC_SEQ_CST);
        while (__atomic_load_n((unsigned *)inside, __ATOMIC_SEQ_CST) < 3)
            thread_yield();
    }
}

KTEST(lock, readers, "readers hold the lock at the same time")
{
    unsigned inside = 1; // the test itself
    struct thread *threads[2];
    WITH_READ (&rwlock) {
        for (unsigned i = 0; i < 2; i++)
            if (thread_create("reader", PRIORITY_NORMAL, 0, read_together, &inside, &threads[i]))
                inside = 100;
        while (__atomic_load_n(&inside, __ATOMIC_SEQ_CST) < 3)
            thread_yield();
    }
    EXPECT_EQ(inside, 3);
    for (unsigned i = 0; i < 2; i++)
        thread_join(threads[i]);
}

// -- blocks

static int leave_by_return(void)
{
    WITH (&mutex) {
        WITH (&spin_outer)
            return 7;
    }
    return 0;
}

static void leave_by_goto(void)
{
    WITH (&mutex) {
        WITH (&spin_outer)
            goto out;
    }
out:
    return;
}

KTEST(lock, ways_out, "return, goto, break and continue release the lock; the block runs once")
{
    bool on = arch_irq_enabled();
    EXPECT_EQ(leave_by_return(), 7);
    EXPECT_EQ(held_count(), 0);
    leave_by_goto();
    EXPECT_EQ(held_count(), 0);
    unsigned runs = 0;
    for (unsigned i = 0; i < 3; i++) {
        WITH (&spin_outer) {
            runs++;
            if (i == 1)
                break;
            if (i == 2)
                continue;
        }
    }
    EXPECT_EQ(runs, 3);
    EXPECT_EQ(held_count(), 0);
    EXPECT_EQ(arch_irq_enabled(), on);
}

KTEST(lock, interrupts, "interrupts are off while a spin lock is held, and as before afterwards")
{
    bool inside = true, between = true, known = false;
    WITH (&spin_outer) {
        WITH (&spin_inner)
            inside = arch_irq_enabled();
        between = arch_irq_enabled();
        known = lock_held(&spin_outer) && !lock_held(&spin_inner);
    }
    EXPECT(!inside);
    EXPECT(!between);
    EXPECT(known);
    EXPECT(arch_irq_enabled());
    irq_state_t state = arch_irq_save();
    WITH (&spin_outer)
        arch_cpu_relax();
    bool after = arch_irq_enabled();
    arch_irq_restore(state);
    EXPECT(!after);
}

static void try_all(void *argument)
{
    unsigned *got = argument;
    WITH_TRY (&mutex)
        *got += 1;
    WITH_TRY_WRITE (&rwlock)
        *got += 10;
    WITH_TRY_READ (&rwlock)
        *got += 100;
}

KTEST(lock, try_held, "trying for a lock that is held skips the block")
{
    unsigned while_held = 0, while_read = 0, while_free = 0;
    struct thread *thread;
    WITH_TRY (&mutex) {
        if (!thread_create("try", PRIORITY_NORMAL, 0, try_all, &while_held, &thread))
            thread_join(thread);
    }
    WITH_READ (&rwlock) {
        if (!thread_create("try", PRIORITY_NORMAL, 0, try_all, &while_read, &thread))
            thread_join(thread);
    }
    EXPECT_EQ(thread_create("try", PRIORITY_NORMAL, 0, try_all, &while_free, &thread), 0);
    thread_join(thread);
    EXPECT_EQ(while_held, 110);
    EXPECT_EQ(while_read, 101);
    EXPECT_EQ(while_free, 111);
}

// -- fairness

struct line {
    unsigned next;
    unsigned arrived[4];
    unsigned waiting;
};

static void queue_up(void *argument)
{
    struct line *line = argument;
    unsigned own = __atomic_fetch_add(&line->waiting, 1, __ATOMIC_SEQ_CST);
    WITH (&mutex)
        line->arrived[line->next++] = own;
}

KTEST(lock, fifo, "a mutex goes to those who wait in the order in which they came")
{
    struct line line = {0};
    struct thread *threads[4];
    WITH (&mutex) {
        for (unsigned i = 0; i < 4; i++) {
            if (thread_create("queue", PRIORITY_NORMAL, 0, queue_up, &line, &threads[i]))
                line.next = 100;
            // In the queue only once it sleeps for the mutex.
            while (READ_ONCE(threads[i]->state) != THREAD_BLOCKED ||
                   READ_ONCE(threads[i]->wait) != mutex.lock.name)
                thread_yield();
        }
    }
    for (unsigned i = 0; i < 4; i++)
        thread_join(threads[i]);
    for (unsigned i = 0; i < 4; i++)
        EXPECT_EQ(line.arrived[i], i);
}

// -- condition variables

struct gate {
    struct condition opened;
    unsigned waiting, through;
    bool open;
};

static void wait_at_gate(void *argument)
{
    struct gate *gate = argument;
    WITH (&spin_outer) {
        gate->waiting++;
        while (!gate->open)
            condition_wait(&gate->opened, &spin_outer);
        gate->through++;
    }
}

KTEST(lock, broadcast, "a broadcast wakes all who wait, with a spin lock as the guard")
{
    struct gate gate = {.opened = CONDITION_INIT("gate")};
    struct thread *threads[6];
    for (unsigned i = 0; i < 6; i++)
        EXPECT_EQ(thread_create("gate", PRIORITY_NORMAL, 0, wait_at_gate, &gate, &threads[i]), 0);
    unsigned through = 1;
    for (unsigned waiting = 0; waiting < 6;) {
        thread_yield();
        WITH (&spin_outer) {
            waiting = gate.waiting;
            through = gate.through;
        }
    }
    EXPECT_EQ(through, 0);
    WITH (&spin_outer) {
        gate.open = true;
        condition_broadcast(&gate.opened);
    }
    for (unsigned i = 0; i < 6; i++)
        thread_join(threads[i]);
    EXPECT_EQ(gate.through, 6);
}

KTEST(lock, wait_until, "a wait with a deadline ends by signal or, not before it, by the deadline")
{
    struct condition condition = CONDITION_INIT("never");
    uint64_t deadline = clock_ns() + 2 * NSEC_PER_MSEC;
    int result = 0;
    bool held = false;
    WITH (&mutex) {
        while (!result)
            result = condition_wait_until(&condition, &mutex, deadline);
        held = lock_held(&mutex);
    }
    EXPECT_EQ(result, -ETIMEDOUT);
    EXPECT(clock_ns() >= deadline);
    EXPECT(held);
    EXPECT(!condition.waiters.first);
    EXPECT(!condition.waiters.last);
}

struct race {
    MUTEX(RANK_TEST_OUTER) lock;
    struct condition posted, taken;
    bool full;
    bool end;
    unsigned received;
};

static void post_late(void *argument)
{
    struct race *race = argument;
    for (unsigned i = 0;; i++) {
        WITH (&race->lock) {
            while (race->full && !race->end)
                condition_wait(&race->taken, &race->lock);
            if (race->end)
                return;
        }
        for (unsigned spin = i % 200; spin; spin--)
            arch_cpu_relax();
        WITH (&race->lock) {
            race->full = true;
            condition_signal(&race->posted);
        }
    }
}

KTEST(lock, timeout_race, "a signal that races with the deadline is neither lost nor kept")
{
    struct race race = {.lock = LOCK_INIT("race"),
                        .posted = CONDITION_INIT("posted"),
                        .taken = CONDITION_INIT("taken")};
    struct thread *thread;
    EXPECT_EQ(thread_create("poster", PRIORITY_NORMAL, 0, post_late, &race, &thread), 0);
    for (unsigned i = 0; race.received < 300; i++) {
        WITH (&race.lock) {
            uint64_t deadline = clock_ns() + i % 100 * 1000;
            int result = 0;
            while (!race.full && !result)
                result = condition_wait_until(&race.posted, &race.lock, deadline);
            if (!race.full)
                break;
            race.full = false;
            race.received++;
            condition_signal(&race.taken);
        }
    }
    WITH (&race.lock) {
        race.end = true;
        condition_broadcast(&race.taken);
    }
    thread_join(thread);
    EXPECT(!race.posted.waiters.first);
}

// -- the order

KTEST(lock, judge, "a lock may be taken only above all that are held, and once")
{
    static const char a, b, c;
    unsigned clash = 99;
    struct held_lock held[THREAD_LOCKS_MAX] = {{&a, "a", 5, {0}}, {&b, "b", 9, {0}}};
    EXPECT_EQ(held_judge(held, 0, &a, 1, &clash), HELD_FINE);
    EXPECT_EQ(held_judge(held, 2, &c, 10, &clash), HELD_FINE);
    EXPECT_EQ(held_judge(held, 2, &c, 9, &clash), HELD_ORDER);
    EXPECT_EQ(clash, 1);
    EXPECT_EQ(held_judge(held, 2, &c, 4, &clash), HELD_ORDER);
    EXPECT_EQ(clash, 0);
    EXPECT_EQ(held_judge(held, 2, &b, 12, &clash), HELD_DOUBLE);
    EXPECT_EQ(clash, 1);
    for (unsigned i = 2; i < THREAD_LOCKS_MAX; i++)
        held[i] = (struct held_lock){&held[i], "more", 10 + i, {0}};
    EXPECT_EQ(held_judge(held, THREAD_LOCKS_MAX, &c, 100, &clash), HELD_TOO_MANY);
}

KTEST(lock, record, "a held lock is recorded with its rank and where it was taken")
{
    struct held_lock record = {0};
    WITH (&mutex) {
        WITH (&spin_outer)
            record = thread_current()->held[1];
    }
    EXPECT(record.lock == &spin_outer.lock);
    EXPECT_EQ(record.rank, RANK_TEST_SPIN_OUTER);
    EXPECT(record.stack[0] != 0);
    EXPECT(record.stack[1] != 0);
    EXPECT_EQ(held_count(), 0);
}
