// SPDX-License-Identifier: MIT
// Crashes on purpose, one for each kind of mistake the kernel claims to catch. They run in a
// thread of their own, so that its name stands in the report.
#include <errno.h>
#include <string.h>

#include "kernel/arch/cpu.h"
#include "kernel/lib/base.h"
#include "kernel/log/log.h"
#include "kernel/mm/kmalloc.h"
#include "kernel/mm/secret.h"
#include "kernel/panic.h"
#include "kernel/sched/thread.h"
#include "kernel/shell/command.h"
#include "kernel/sync/lock.h"
#include "kernel/time/time.h"

struct crash {
    const char *kind, *summary;
    void (*run)(void);
};

// What the compiler must not see through.
static volatile uintptr_t null_address;
static volatile uintptr_t wild_address = 0x0000123456789abc;
static volatile int zero;

// A member of a structure that is not there: the compiler's own check only knows address 0, so the
// hardware has to find it.
static void crash_null(void)
{
    *(volatile uint32_t *)(null_address + 8) = 1;
}

static void crash_jump(void)
{
    ((void (*)(void))wild_address)();
}

static void crash_assert(void)
{
    ASSERT(zero == 1);
}

static __noinline unsigned recurse(unsigned depth)
{
    volatile char frame[256];
    frame[depth % sizeof(frame)] = (char)depth;
    if (zero) // the compiler must not see that there is no way out
        return 0;
    return recurse(depth + 1) + (unsigned)frame[0];
}

static void crash_stack(void)
{
    log_info("%u", recurse(1));
}

static void crash_divide(void)
{
    log_info("%d", 1 / zero);
}

static SPINLOCK(RANK_TEST_SPIN_OUTER) outer_lock = LOCK_INIT("crash outer");
static SPINLOCK(RANK_TEST_SPIN_INNER) inner_lock = LOCK_INIT("crash inner");

// Out of line: where the compiler sees both it refuses.
static __noinline void take_outer(void)
{
    WITH (&outer_lock)
        arch_cpu_relax();
}

static void crash_double_lock(void)
{
    WITH (&outer_lock)
        take_outer();
}

static void crash_lock_order(void)
{
    WITH (&inner_lock)
        take_outer();
}

// Ends only when the debugger changes the variable: something to find with Ctrl-C.
static volatile bool hang_on = true;

static void crash_hang(void)
{
    log_info("crash hang: spinning with interrupts off");
    irq_state_t state = arch_irq_save();
    while (hang_on)
        arch_cpu_relax();
    arch_irq_restore(state);
    hang_on = true;
}

static void crash_use_after_free(void)
{
    volatile uint64_t *object = kmalloc(64);
    if (!object)
        return;
    kfree((void *)object);
    object[1] = 0x5a5a;
    // Without the address sanitizer the write is found when the object is handed out again.
    for (unsigned i = 0; i < 4096; i++)
        kfree(kmalloc(64));
}

// The per-CPU pointer and the current thread lead nowhere, and somebody uses them.
static void crash_pointers(void)
{
    uintptr_t nowhere = ALIGN_DOWN(wild_address, 64);
    arch_irq_disable();
    arch_cpu_pointers_load((struct cpu *)nowhere, (struct thread *)nowhere);
    this_cpu()->irq_count++;
}

// What a capsule must not hold, and with the same means some bait that it must: `crash secrets
// SEED` for a test that knows the seed, and so the values. Each is two numbers of a sequence
// (splitmix64).
#define SECRETS 64
#define BAIT    4
static uint64_t secret_seed;

struct secret {
    volatile uint64_t half[2];
};

static __noinline void plant(struct secret *at, unsigned number)
{
    for (unsigned i = 0; i < ARRAY_SIZE(at->half); i++) {
        uint64_t mix = secret_seed + (2 * number + i + 1) * UINT64_C(0x9e3779b97f4a7c15);
        mix = (mix ^ mix >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        mix = (mix ^ mix >> 27) * UINT64_C(0x94d049bb133111eb);
        at->half[i] = mix ^ mix >> 31;
    }
}

static struct secret static_secrets[SECRETS / 2] __secret;
static struct secret static_bait[BAIT / 2];

static void crash_timer(struct timer *timer)
{
    (void)timer;
    crash_null();
}

static void crash_interrupt(void)
{
    static struct timer timer;
    timer_init(&timer, crash_timer);
    irq_state_t state = arch_irq_save();
    timer_start(&timer, clock_ns());
    arch_irq_restore(state);
    for (;;)
        arch_cpu_relax();
}

static void crash_secrets(void)
{
    struct secret on_stack[SECRETS / 4] = {0}, bait_on_stack[BAIT / 2] = {0};
    struct secret *volatile on_heap[SECRETS / 4];
    struct secret *volatile pointers[] = {static_secrets, static_bait};
    secret_mark(on_stack, sizeof(on_stack));
    unsigned number = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(static_secrets); i++)
        plant(&static_secrets[i], number++);
    for (unsigned i = 0; i < ARRAY_SIZE(on_stack); i++)
        plant(&on_stack[i], number++);
    for (unsigned i = 0; i < ARRAY_SIZE(on_heap); i++)
        if ((on_heap[i] = secret_alloc(sizeof(*on_heap[i]))))
            plant(on_heap[i], number++);
    // Last, so that what is left over in registers is bait.
    for (unsigned i = 0; i < ARRAY_SIZE(static_bait); i++)
        plant(&static_bait[i], number++);
    for (unsigned i = 0; i < ARRAY_SIZE(bait_on_stack); i++)
        plant(&bait_on_stack[i], number++);
    panic("%u secrets and bait planted at %p", number, (void *)pointers[1]);
}

static const struct crash crashes[] = {
    {"null", "write through a null pointer", crash_null},
    {"jump", "call a wild address", crash_jump},
    {"assert", "fail an assertion", crash_assert},
    {"stack", "recurse until the stack overflows", crash_stack},
    {"divide", "divide by zero", crash_divide},
    {"doublelock", "take a spin lock twice", crash_double_lock},
    {"lockorder", "take two locks in the wrong order", crash_lock_order},
    {"hang", "spin with interrupts off until hang_on is cleared by a debugger", crash_hang},
    {"uaf", "write to freed memory", crash_use_after_free},
    {"interrupt", "write through a null pointer in an interrupt handler", crash_interrupt},
    {"pointers", "destroy the per-CPU pointer and the current thread", crash_pointers},
    {"secrets", "panic with 64 secrets about, which follow from a number: crash secrets N",
     crash_secrets},
};

static void crash_thread(void *argument)
{
    const struct crash *crash = argument;
    crash->run();
    log_warn("crash %s: survived", crash->kind);
}

static int crash_run(struct command_call *call)
{
    secret_seed = 0;
    for (const char *at = call->argc == 3 ? call->argv[2] : ""; *at >= '0' && *at <= '9'; at++)
        secret_seed = secret_seed * 10 + (uint64_t)(*at - '0');
    for (size_t i = 0; i < ARRAY_SIZE(crashes) && call->argc >= 2; i++) {
        if (strcmp(call->argv[1], crashes[i].kind) != 0)
            continue;
        struct thread *thread;
        int status =
            thread_create("crash", PRIORITY_NORMAL, 0, crash_thread, (void *)&crashes[i], &thread);
        if (status < 0)
            return status;
        thread_detach(thread);
        return 0;
    }
    kd_text_string(call->out, "crash KIND, where KIND is one of\n");
    for (size_t i = 0; i < ARRAY_SIZE(crashes); i++)
        kd_text_printf(call->out, "  %-12s %s\n", crashes[i].kind, crashes[i].summary);
    return -EINVAL;
}

COMMAND_RUNNING_ONLY(crash, "crash", "crash KIND", "break the kernel on purpose", crash_run,
                     "Without KIND: the list of kinds.");
