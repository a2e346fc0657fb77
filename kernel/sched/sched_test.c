// SPDX-License-Identifier: MIT
// The scheduler's contract: threads run, share and end; a higher priority runs first and equals
// take turns; affinity is obeyed; idle CPUs take work; no wake-up is lost between an idle CPU's
// check and its halt; and the debugger's walk sees all threads. Nothing here depends on how fast
// the machine is: tests wait for events, and a broken scheduler shows as a wrong value or a hang.
#include <errno.h>
#include <string.h>

#include "kernel/sched/kd_threads.h"
#include "kernel/sched/walk.h"
#include "kernel/sync/lock.h"
#include "kernel/test/ktest.h"

static struct thread *start(uint8_t priority, uint64_t affinity, void (*entry)(void *),
                            void *argument)
{
    struct thread *thread;
    EXPECT_EQ(thread_create("test helper", priority, affinity, entry, argument, &thread), 0);
    return thread;
}

static uint64_t here(void)
{
    return UINT64_C(1) << this_cpu()->index;
}

// Pins the test to one CPU, so that it knows who shares it.
static uint64_t pin(void)
{
    uint64_t cpu = UINT64_C(1) << (63 - __builtin_clzll(cpu_online_mask()));
    EXPECT_EQ(thread_set_affinity(thread_current(), cpu), 0);
    return cpu;
}

static void count_one(void *counter)
{
    __atomic_fetch_add((unsigned *)counter, 1, __ATOMIC_RELAXED);
}

KTEST(sched, join, "a joined thread has run to its end, once")
{
    for (unsigned i = 0; i < 50; i++) {
        unsigned ran = 0;
        struct thread *thread = start(PRIORITY_NORMAL, 0, count_one, &ran);
        if (i % 2)
            thread_yield(); // so that the thread is sometimes gone before the join
        thread_join(thread);
        EXPECT_EQ(ran, 1);
    }
}

KTEST(sched, detach, "a detached thread runs to its end and is freed")
{
    static unsigned ran;
    ran = 0;
    for (unsigned i = 0; i < 20; i++)
        thread_detach(start(PRIORITY_NORMAL, 0, count_one, &ran));
    while (__atomic_load_n(&ran, __ATOMIC_RELAXED) < 20)
        thread_sleep_ns(NSEC_PER_MSEC);
    // That they are freed is what the runner's leak check looks at.
}

KTEST(sched, ids, "ids grow and are not used again")
{
    int64_t last = thread_current()->id;
    for (unsigned i = 0; i < 5; i++) {
        unsigned ran = 0;
        struct thread *thread = start(PRIORITY_NORMAL, 0, count_one, &ran);
        EXPECT(thread->id > last);
        last = thread->id;
        thread_join(thread);
    }
}

// -- many at once

#define STORM_THREADS 64
#define STORM_ROUNDS  50

static void storm(void *counter)
{
    for (unsigned i = 0; i < STORM_ROUNDS; i++) {
        if (i % 8 == 7)
            thread_sleep_ns(i * 1000);
        else
            thread_yield();
        count_one(counter);
    }
}

KTEST(sched, storm, "many threads that yield, sleep and exit on all CPUs all finish")
{
    unsigned count = 0;
    struct thread *threads[STORM_THREADS];
    for (unsigned i = 0; i < STORM_THREADS; i++)
        threads[i] = start(PRIORITY_LOW + i % 16, 0, storm, &count);
    for (unsigned i = 0; i < STORM_THREADS; i++)
        thread_join(threads[i]);
    EXPECT_EQ(count, STORM_THREADS * STORM_ROUNDS);
}

// -- priorities

struct order {
    unsigned next;
    unsigned priority[3];
};

static void note_priority(void *argument)
{
    struct order *order = argument;
    order->priority[order->next++] = thread_current()->priority;
}

KTEST(sched, priority_order, "of the threads that wait for a CPU the highest priority runs first")
{
    static const uint8_t priorities[] = {PRIORITY_NORMAL, PRIORITY_LOW, PRIORITY_HIGH};
    uint64_t cpu = pin();
    thread_set_priority(thread_current(), PRIORITY_MAX);
    struct order order = {0};
    struct thread *threads[3];
    for (unsigned i = 0; i < 3; i++)
        threads[i] = start(priorities[i], cpu, note_priority, &order);
    EXPECT_EQ(order.next, 0);
    for (unsigned i = 0; i < 3; i++)
        thread_join(threads[i]);
    EXPECT_EQ(order.priority[0], PRIORITY_HIGH);
    EXPECT_EQ(order.priority[1], PRIORITY_NORMAL);
    EXPECT_EQ(order.priority[2], PRIORITY_LOW);
}

KTEST(sched, preemption, "a thread of higher priority runs at once, unless preemption is off")
{
    uint64_t cpu = pin();
    unsigned ran = 0;
    struct thread *thread = start(PRIORITY_HIGH, cpu, count_one, &ran);
    EXPECT_EQ(ran, 1);
    thread_join(thread);

    thread_set_priority(thread_current(), PRIORITY_HIGH + 1);
    thread = start(PRIORITY_HIGH, cpu, count_one, &ran);
    preempt_disable();
    preempt_disable();
    thread_set_priority(thread_current(), PRIORITY_LOW);
    preempt_enable();
    unsigned while_off = ran;
    preempt_enable();
    unsigned after = ran;
    thread_join(thread);
    EXPECT_EQ(while_off, 1);
    EXPECT_EQ(after, 2);
}

struct spinner {
    struct spinner *other;
    volatile unsigned turns;
    volatile bool done;
};

// Sees the other one make progress again and again without ever giving up the CPU itself.
static void spin_in_turns(void *argument)
{
    struct spinner *own = argument;
    for (unsigned seen = 0; seen < 3; seen++) {
        unsigned before = own->other->turns;
        while (own->other->turns == before)
            own->turns++;
    }
    own->done = true;
    while (!own->other->done)
        own->turns++;
}

KTEST(sched, slices, "two busy threads of one priority share a CPU without their help")
{
    uint64_t cpu = pin();
    struct spinner a = {0}, b = {.other = &a};
    a.other = &b;
    struct thread *first = start(PRIORITY_NORMAL, cpu, spin_in_turns, &a);
    struct thread *second = start(PRIORITY_NORMAL, cpu, spin_in_turns, &b);
    thread_join(first);
    thread_join(second);
}

// -- places

KTEST(sched, affinity, "a thread runs where its affinity says, from the next switch on")
{
    for (unsigned round = 0; round < 20; round++) {
        CPU_FOR_EACH (cpu) {
            uint64_t bit = UINT64_C(1) << cpu->index;
            if (!(cpu_online_mask() & bit))
                continue;
            EXPECT_EQ(thread_set_affinity(thread_current(), bit), 0);
            EXPECT_EQ(this_cpu()->index, cpu->index);
        }
    }
    EXPECT_EQ(thread_set_affinity(thread_current(), ~cpu_online_mask()), -EINVAL);
    EXPECT_EQ(thread_set_affinity(thread_current(), 0), -EINVAL);
    EXPECT_EQ(thread_set_affinity(thread_current(), UINT64_MAX), 0);
}

struct wanderer {
    volatile uint64_t on; // the CPU it runs on, a bit
    volatile bool stop;
};

static void wander(void *argument)
{
    struct wanderer *wanderer = argument;
    while (!wanderer->stop)
        wanderer->on = here();
}

KTEST(sched, moved, "a busy thread moves when another one changes its affinity")
{
    struct wanderer wanderer = {0};
    struct thread *thread = start(PRIORITY_NORMAL, 0, wander, &wanderer);
    for (unsigned round = 0; round < 10; round++) {
        CPU_FOR_EACH (cpu) {
            uint64_t bit = UINT64_C(1) << cpu->index;
            if (!(cpu_online_mask() & bit))
                continue;
            EXPECT_EQ(thread_set_affinity(thread, bit), 0);
            while (wanderer.on != bit)
                thread_yield();
        }
    }
    wanderer.stop = true;
    thread_join(thread);
}

struct meeting {
    unsigned arrived, expected;
};

static void meet(void *argument)
{
    struct meeting *meeting = argument;
    preempt_disable();
    __atomic_fetch_add(&meeting->arrived, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(&meeting->arrived, __ATOMIC_RELAXED) < meeting->expected)
        arch_cpu_relax();
    preempt_enable();
}

KTEST(sched, balance, "as many busy threads as CPUs all run at the same time")
{
    struct thread *threads[CPU_MAX];
    for (unsigned round = 0; round < 10; round++) {
        struct meeting meeting = {.expected = (unsigned)__builtin_popcountll(cpu_online_mask())};
        for (unsigned i = 0; i < meeting.expected; i++)
            threads[i] = start(PRIORITY_NORMAL, 0, meet, &meeting);
        for (unsigned i = 0; i < meeting.expected; i++)
            thread_join(threads[i]);
        EXPECT_EQ(meeting.arrived, meeting.expected);
    }
}

// -- sleeping and waking

KTEST(sched, sleep, "a sleep is never shorter than asked for")
{
    static const uint64_t lengths_ns[] = {0, 1, 1000, 100000, 2000000};
    for (unsigned i = 0; i < ARRAY_SIZE(lengths_ns); i++) {
        uint64_t before = clock_ns();
        thread_sleep_ns(lengths_ns[i]);
        EXPECT(clock_ns() - before >= lengths_ns[i]);
    }
}

// The deadline falls into the few hundred instructions around the idle loop's check and halt, a
// little later each time: were the two not atomic, a wake-up would be lost and the CPU sleep on.
KTEST(sched, short_sleeps, "a timer that fires just before the halt is not lost")
{
    for (unsigned i = 0; i < 3000; i++)
        thread_sleep_ns(i * 20 % 40000);
}

#define PING_ROUNDS 5000

struct ping {
    MUTEX(RANK_TEST_OUTER) lock;
    struct condition changed;
    unsigned ball;
};

static void play(struct ping *ping, unsigned side)
{
    for (unsigned i = 0; i < PING_ROUNDS; i++) {
        WITH (&ping->lock) {
            while (ping->ball % 2 != side)
                condition_wait(&ping->changed, &ping->lock);
            ping->ball++;
            condition_signal(&ping->changed);
        }
    }
}

static void play_1(void *ping)
{
    play(ping, 1);
}

// Between two strokes both CPUs have nothing to do and go idle: each stroke is a wake-up that
// races with the halt.
KTEST(sched, ping_pong, "no wake-up is lost between two CPUs that fall idle")
{
    uint64_t online = cpu_online_mask();
    uint64_t first = online & -online;
    uint64_t last = UINT64_C(1) << (63 - __builtin_clzll(online));
    struct ping ping = {.lock = LOCK_INIT("ping"), .changed = CONDITION_INIT("ping")};
    EXPECT_EQ(thread_set_affinity(thread_current(), first), 0);
    struct thread *thread = start(PRIORITY_NORMAL, last, play_1, &ping);
    play(&ping, 0);
    thread_join(thread);
    EXPECT_EQ(ping.ball, 2 * PING_ROUNDS);
}

// -- what the debugger sees

static void sleep_until_told(void *stop)
{
    while (!*(volatile bool *)stop)
        thread_sleep_ns(NSEC_PER_MSEC);
}

KTEST(sched, walk, "the debugger's walk meets every thread, with a frame for those that sleep")
{
    bool stop = false;
    struct thread *sleeper = start(PRIORITY_NORMAL, 0, sleep_until_told, &stop);
    while (READ_ONCE(sleeper->state) != THREAD_BLOCKED)
        thread_yield();
    bool self = false, other = false, frame = false;
    int64_t last = 0;
    struct kd_thread thread;
    for (uintptr_t cursor = 0; sched_kd_thread_next(&cursor, &thread) == 0;) {
        EXPECT(thread.id > last);
        last = thread.id;
        self |= thread.id == thread_current()->id && thread.state == KD_THREAD_RUNNING;
        if (thread.id != sleeper->id)
            continue;
        struct kd_frame registers;
        uint64_t valid = 0;
        other = strcmp(thread.name, "test helper") == 0;
        frame = sched_kd_thread_frame(&thread, &registers, &valid) == 0 && valid != 0;
    }
    stop = true;
    thread_join(sleeper);
    EXPECT(self);
    EXPECT(other);
    EXPECT(frame);
    EXPECT_EQ(sched_kd_thread_current(CPU_MAX), 0);
}
