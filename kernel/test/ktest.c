// SPDX-License-Identifier: MIT
// The runner of the kernel's self-tests, in KTAP version 1 (Linux Documentation/dev-tools/ktap.rst
// describes the format). Each test has a thread; the runner joins it, waits until memory is back
// to what it was, and prints the line.
#include "kernel/test/ktest.h"

#include <string.h>

#include "kernel/arch/cpu.h"
#include "kernel/log/console.h"
#include "kernel/log/log.h"
#include "kernel/mm/kmalloc.h"
#include "kernel/mm/page.h"
#include "kernel/panic.h"
#include "kernel/sched/thread.h"

// One test runs at a time; written by its thread, read after the join.
static struct {
    const struct ktest *test;
    bool failed, skipped;
    char why[160];
} current;

struct memory_state {
    uint64_t free_bytes, objects;
};

static void print(const char *format, ...) __printf(1, 2);
static void print(const char *format, ...)
{
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    int length = kd_vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    console_write(line, MIN((size_t)length, sizeof(line) - 1));
}

_Noreturn void ktest_fail(const char *file, int line, const char *format, ...)
{
    int length = kd_snprintf(current.why, sizeof(current.why), "%s:%d: ", file, line);
    size_t used = MIN((size_t)length, sizeof(current.why) - 1);
    va_list arguments;
    va_start(arguments, format);
    kd_vsnprintf(current.why + used, sizeof(current.why) - used, format, arguments);
    va_end(arguments);
    current.failed = true;
    thread_exit();
}

_Noreturn void ktest_skip(const char *reason)
{
    strlcpy(current.why, reason, sizeof(current.why));
    current.skipped = true;
    thread_exit();
}

static void test_thread(void *unused)
{
    (void)unused;
    current.test->run();
}

static struct memory_state memory_state(void)
{
    struct page_stats pages;
    struct kmalloc_stats objects;
    page_stats(&pages);
    kmalloc_stats(&objects);
    return (struct memory_state){pages.free_bytes, objects.objects};
}

static bool memory_same(const struct memory_state *a, const struct memory_state *b)
{
    return a->free_bytes == b->free_bytes && a->objects == b->objects;
}

// Dead threads are freed by another thread, so what they owned comes back a little later.
static bool leaked(const struct memory_state *before, char *why, size_t size)
{
    struct memory_state now = memory_state();
    for (unsigned tries = 0; tries < 1000 && !memory_same(&now, before); tries++) {
        thread_sleep_ns(NSEC_PER_MSEC);
        now = memory_state();
    }
    if (memory_same(&now, before))
        return false;
    kd_snprintf(why, size, "leak: %lld bytes of pages and %lld objects more than before",
                (long long)(before->free_bytes - now.free_bytes),
                (long long)(now.objects - before->objects));
    return true;
}

static bool run_one(const struct ktest *test, unsigned number)
{
    struct memory_state before = memory_state();
    current.test = test;
    current.failed = current.skipped = false;
    current.why[0] = '\0';
    struct thread *thread;
    if (thread_create(test->name, PRIORITY_NORMAL, 0, test_thread, NULL, &thread) < 0)
        panic("no memory for a self-test");
    thread_join(thread);
    if (!current.failed && leaked(&before, current.why, sizeof(current.why)))
        current.failed = true;
    if (current.failed)
        print("# %s\n", current.why);
    print("%s %u %s: %s", current.failed ? "not ok" : "ok", number, test->suite, test->name);
    if (current.skipped)
        print(" # SKIP %s", current.why);
    print("\n");
    return !current.failed;
}

static bool chosen(const struct ktest *test, const char *filter)
{
    return !filter || strcmp(filter, test->suite) == 0 || strcmp(filter, test->name) == 0;
}

void ktest_run_all(const char *filter)
{
    unsigned planned = 0, number = 0, failed = 0;
    TABLE_FOR_EACH (ktest, struct ktest, test)
        planned += chosen(test, filter);
    print("KTAP version 1\n1..%u\n", planned);
    struct memory_state before = memory_state();
    TABLE_FOR_EACH (ktest, struct ktest, test)
        if (chosen(test, filter) && !run_one(test, ++number))
            failed++;
    char why[96];
    if (leaked(&before, why, sizeof(why))) {
        print("# the self-tests as a whole: %s\n", why);
        failed++;
    }
    print("# %u passed, %u failed\n", number - MIN(number, failed), failed);
    if (planned == 0)
        print("# no test is called \"%s\"\n", filter ? filter : "");
    arch_poweroff(failed > 0 || planned == 0);
    panic("the machine did not power off after the self-tests");
}
