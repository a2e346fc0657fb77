// SPDX-License-Identifier: MIT
// The contract of the clock and the timers: time does not go back and is the same on all CPUs to
// within a microsecond; timers fire in the order of their deadlines and never early; after
// timer_cancel() a timer neither runs nor will run. How late a timer is says something about the
// host only, so nothing here measures that.
#include "kernel/cpu/cpu.h"
#include "kernel/sched/thread.h"
#include "kernel/test/ktest.h"
#include "kernel/time/time.h"

KTEST(time, monotonic, "the clock does not go back when the thread moves between CPUs")
{
    uint64_t last = 0;
    for (unsigned round = 0; round < 100; round++) {
        CPU_FOR_EACH (cpu) {
            if (cpu_online_mask() >> cpu->index & 1)
                thread_set_affinity(thread_current(), UINT64_C(1) << cpu->index);
            uint64_t now = clock_ns();
            EXPECT(now >= last);
            last = now;
        }
    }
}

KTEST(time, counter, "the counter value of a time is the first at which the clock has reached it")
{
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t target = clock_ns() + i * 37;
        uint64_t counter = clock_to_counter(target);
        while (arch_counter() < counter)
            EXPECT(clock_ns() <= target + NSEC_PER_SEC);
        EXPECT(clock_ns() >= target);
    }
    uint64_t last = 0;
    for (uint64_t ns = NSEC_PER_USEC; ns < UINT64_C(1) << 62; ns *= 3) {
        EXPECT(clock_to_counter(ns) > last);
        last = clock_to_counter(ns);
    }
    EXPECT(clock_to_counter(UINT64_MAX) == UINT64_MAX);
}

// -- one clock. A asks, B notes its time, A notes when the answer is there. B's time minus A's at
// the same instant lies between (B's time - A's time of the answer) and (B's time - A's time of the
// question); the tightest bounds over many rounds decide, so a round in which the host did
// something else does no harm.

#define EXCHANGES    100
#define TOLERANCE_NS 1000

struct exchange {
    unsigned asked, answered; // rounds
    uint64_t answer_ns;
};

static void answer(void *argument)
{
    struct exchange *exchange = argument;
    for (unsigned round = 1; round <= EXCHANGES; round++) {
        while (__atomic_load_n(&exchange->asked, __ATOMIC_ACQUIRE) != round)
            arch_cpu_relax();
        exchange->answer_ns = clock_ns();
        __atomic_store_n(&exchange->answered, round, __ATOMIC_RELEASE);
    }
}

static void offset_bounds(uint64_t with_cpu, int64_t *at_least, int64_t *at_most)
{
    struct exchange exchange = {0};
    struct thread *thread;
    EXPECT_EQ(thread_create("clock", PRIORITY_NORMAL, with_cpu, answer, &exchange, &thread), 0);
    *at_least = INT64_MIN;
    *at_most = INT64_MAX;
    for (unsigned round = 1; round <= EXCHANGES; round++) {
        uint64_t question_ns = clock_ns();
        __atomic_store_n(&exchange.asked, round, __ATOMIC_RELEASE);
        while (__atomic_load_n(&exchange.answered, __ATOMIC_ACQUIRE) != round)
            arch_cpu_relax();
        uint64_t end_ns = clock_ns();
        *at_least = MAX(*at_least, (int64_t)(exchange.answer_ns - end_ns));
        *at_most = MIN(*at_most, (int64_t)(exchange.answer_ns - question_ns));
    }
    thread_join(thread);
}

KTEST(time, equal, "the clocks of any two CPUs agree to within a microsecond")
{
    uint64_t online = cpu_online_mask();
    if (!(online & (online - 1)))
        ktest_skip("one CPU");
    CPU_FOR_EACH (a) {
        if (!(online >> a->index & 1))
            continue;
        EXPECT_EQ(thread_set_affinity(thread_current(), UINT64_C(1) << a->index), 0);
        CPU_FOR_EACH (b) {
            if (b <= a || !(online >> b->index & 1))
                continue;
            int64_t at_least, at_most;
            offset_bounds(UINT64_C(1) << b->index, &at_least, &at_most);
            EXPECT(at_least <= TOLERANCE_NS);
            EXPECT(at_most >= -TOLERANCE_NS);
        }
    }
}

// -- timers

#define TIMERS 8

static struct probe {
    struct timer timer;
    unsigned fired;
    unsigned place; // in the order of firing, from 1
    bool early;
    unsigned again; // how often it starts itself again
} probes[TIMERS];
static unsigned places;

static void probe_fired(struct timer *timer)
{
    struct probe *probe = CONTAINER_OF(timer, struct probe, timer);
    if (clock_ns() < timer->deadline_ns)
        probe->early = true;
    probe->place = __atomic_add_fetch(&places, 1, __ATOMIC_RELAXED);
    if (probe->again) {
        probe->again--;
        // From now on, not from the deadline: a single CPU must get to something else in between.
        timer_start(timer, clock_ns() + 20 * NSEC_PER_USEC);
    }
    __atomic_fetch_add(&probe->fired, 1, __ATOMIC_RELEASE);
}

static void probes_init(void)
{
    places = 0;
    for (unsigned i = 0; i < TIMERS; i++) {
        probes[i] = (struct probe){0};
        timer_init(&probes[i].timer, probe_fired);
    }
}

static unsigned fired(const struct probe *probe)
{
    return __atomic_load_n(&probe->fired, __ATOMIC_ACQUIRE);
}

static void await(const struct probe *probe, unsigned times)
{
    while (fired(probe) < times)
        thread_yield();
}

// All on the queue of one CPU, before the first deadline comes.
static void start_all(void *argument)
{
    const uint64_t *deadlines = argument;
    for (unsigned i = 0; i < TIMERS; i++)
        timer_start(&probes[i].timer, deadlines[i]);
}

KTEST(time, order, "timers fire in the order of their deadlines, equal ones as started, none early")
{
    static const unsigned rank_of[TIMERS] = {5, 2, 7, 0, 2, 6, 1, 4};
    static const unsigned place_of[TIMERS] = {6, 3, 8, 1, 4, 7, 2, 5};
    CPU_FOR_EACH (cpu) {
        if (!(cpu_online_mask() >> cpu->index & 1))
            continue;
        probes_init();
        uint64_t deadlines[TIMERS], base = clock_ns() + 2 * NSEC_PER_MSEC;
        for (unsigned i = 0; i < TIMERS; i++)
            deadlines[i] = base + rank_of[i] * 10000;
        smp_call(UINT64_C(1) << cpu->index, start_all, deadlines, true);
        for (unsigned i = 0; i < TIMERS; i++) {
            await(&probes[i], 1);
            EXPECT_EQ(probes[i].place, place_of[i]);
            EXPECT(!probes[i].early);
        }
    }
}

KTEST(time, move, "starting an armed timer moves it, also from another CPU")
{
    probes_init();
    timer_start(&probes[0].timer, clock_ns() + 3600 * NSEC_PER_SEC);
    CPU_FOR_EACH (cpu) {
        if (cpu_online_mask() >> cpu->index & 1)
            thread_set_affinity(thread_current(), UINT64_C(1) << cpu->index);
        timer_start(&probes[0].timer, clock_ns() + 1800 * NSEC_PER_SEC);
        EXPECT(probes[0].timer.cpu == this_cpu());
    }
    timer_start(&probes[0].timer, clock_ns());
    await(&probes[0], 1);
    EXPECT(!timer_cancel(&probes[0].timer));
    EXPECT_EQ(fired(&probes[0]), 1);
}

KTEST(time, cancel, "a cancelled timer does not fire")
{
    probes_init();
    timer_start(&probes[0].timer, clock_ns() + NSEC_PER_MSEC);
    timer_start(&probes[1].timer, clock_ns() + 2 * NSEC_PER_MSEC);
    bool armed = timer_cancel(&probes[0].timer);
    await(&probes[1], 1);
    EXPECT_EQ(fired(&probes[0]), armed ? 0 : 1);
    EXPECT(!timer_cancel(&probes[0].timer));
    EXPECT(!timer_cancel(&probes[1].timer));
}

static void start_soon(void *argument)
{
    timer_start(&probes[0].timer, clock_ns() + *(uint64_t *)argument);
}

#define RACE_ROUNDS 600

// The deadline and the cancelling come at about the same time on two CPUs, in ever new alignment.
KTEST(time, cancel_race, "cancelling races with firing: one of the two wins, wholly")
{
    uint64_t online = cpu_online_mask();
    EXPECT_EQ(thread_set_affinity(thread_current(), online & -online), 0);
    uint64_t other = UINT64_C(1) << (63 - __builtin_clzll(online));
    unsigned won = 0;
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        probes_init();
        uint64_t delay_ns = round * 7 % 5000;
        smp_call(other, start_soon, &delay_ns, true);
        for (unsigned spin = round * 13 % 300; spin; spin--)
            arch_cpu_relax();
        bool armed = timer_cancel(&probes[0].timer);
        EXPECT_EQ(fired(&probes[0]), armed ? 0 : 1);
        won += armed;
    }
    EXPECT(won <= RACE_ROUNDS);
}

KTEST(time, cancel_periodic, "a timer that starts itself again is still when cancelling returns")
{
    uint64_t other = UINT64_C(1) << (63 - __builtin_clzll(cpu_online_mask()));
    uint64_t none = 0;
    for (unsigned round = 0; round < 50; round++) {
        probes_init();
        probes[0].again = 1000000;
        smp_call(other, start_soon, &none, true);
        await(&probes[0], 1 + round % 5);
        timer_cancel(&probes[0].timer);
        unsigned count = fired(&probes[0]);
        unsigned left = probes[0].again;
        EXPECT(!timer_cancel(&probes[0].timer));
        EXPECT_EQ(count + left, 1000000);
    }
}
