// SPDX-License-Identifier: MIT
// The ticker thread. ticker_step() is kept out of line and ticker_count in memory, so that a
// debugger has a function to stop in and a variable to watch.
#include "kernel/sched/ticker.h"

#include "kernel/log/log.h"
#include "kernel/sched/thread.h"

#define TICKER_PERIOD_NS (10 * NSEC_PER_MSEC)

static volatile uint64_t ticker_count;

static __noinline uint64_t ticker_scale(uint64_t count, unsigned factor)
{
    uint64_t scaled = 0;
    for (unsigned i = 0; i < factor; i++)
        scaled += count;
    return scaled;
}

static __noinline void ticker_step(void)
{
    uint64_t before = ticker_count;
    uint64_t scaled = ticker_scale(before, 3);
    if (scaled < before)
        log_debug("ticker: wrapped around");
    ticker_count = before + 1;
}

static void ticker_run(void *unused)
{
    (void)unused;
    for (;;) {
        ticker_step();
        thread_sleep_ns(TICKER_PERIOD_NS);
    }
}

void ticker_start(void)
{
    struct thread *thread;
    if (thread_create("ticker", PRIORITY_NORMAL, 0, ticker_run, NULL, &thread) < 0) {
        log_error("ticker: no memory");
        return;
    }
    thread_detach(thread);
}
