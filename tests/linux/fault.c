// SPDX-License-Identifier: MIT
// A Linux module that goes wrong in the way that its parameter names: what capture.py loads into
// the kernels whose logs it collects. Its functions have frames of their own, but for those that
// are there to be inlined.
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/nmi.h>
#include <linux/perf_event.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#ifdef CONFIG_X86
#include <asm/nmi.h>
#endif

struct parcel {
    struct parcel *next;
    unsigned long weight;
    unsigned char label[24];
};

static char *how = "";
module_param(how, charp, 0);
MODULE_PARM_DESC(how, "the first word of a row of ways[]");

// What the compiler must not know.
static struct parcel *nothing;
static unsigned long zero;
static bool never;

static inline unsigned long parcel_weight(const struct parcel *parcel)
{
    return READ_ONCE(parcel->weight);
}

static noinline unsigned long parcel_weigh(const struct parcel *parcel, unsigned int count)
{
    unsigned long sum = 0;
    while (count--)
        sum += parcel_weight(parcel + count);
    return sum;
}

static noinline int go_null(void)
{
    return parcel_weigh(READ_ONCE(nothing), 1) == 1;
}

static noinline int go_jump(void)
{
    int (*nowhere)(void) = (int (*)(void))(READ_ONCE(zero) + 0x1000);
    return nowhere() + 1;
}

static noinline int go_divide(void)
{
    return 100 / READ_ONCE(zero) == 1;
}

// An address that no x86-64 processor takes; a page fault on the others.
static noinline int go_wild(void)
{
    return parcel_weigh((struct parcel *)(READ_ONCE(zero) + 0x6b6b6b6b6b6b6b6b), 1) == 1;
}

static noinline int go_bug(void)
{
    BUG_ON(!READ_ONCE(never));
    return 0;
}

static noinline int go_past(void)
{
    struct parcel *parcel = kzalloc(sizeof(*parcel), GFP_KERNEL);
    if (!parcel)
        return -ENOMEM;
    int result = parcel_weigh(parcel, 2) == 1;
    kfree(parcel);
    return result;
}

static noinline struct parcel *parcel_lost(void)
{
    struct parcel *parcel = kzalloc(sizeof(*parcel), GFP_KERNEL);
    kfree(parcel);
    return parcel;
}

static noinline int go_freed(void)
{
    return parcel_weigh(parcel_lost(), 1) == 1;
}

static DEFINE_MUTEX(outer);
static DEFINE_MUTEX(inner);
static DEFINE_SPINLOCK(spin);

static noinline void take(struct mutex *first, struct mutex *second)
{
    mutex_lock(first);
    mutex_lock(second);
    mutex_unlock(second);
    mutex_unlock(first);
}

static noinline int go_order(void)
{
    take(&outer, &inner);
    take(&inner, &outer);
    return 0;
}

static noinline int go_sleep(void)
{
    spin_lock(&spin);
    mutex_lock(&outer);
    mutex_unlock(&outer);
    spin_unlock(&spin);
    return 0;
}

static noinline int go_schedule(void)
{
    spin_lock(&spin);
    msleep(1);
    spin_unlock(&spin);
    return 0;
}

static noinline void spin_for_ever(void)
{
    while (!READ_ONCE(never))
        cpu_relax();
}

static noinline int go_spin(void)
{
    preempt_disable();
    spin_for_ever();
    preempt_enable();
    return 0;
}

static void expire(struct timer_list *timer)
{
    parcel_weigh(READ_ONCE(nothing), 1);
}
static DEFINE_TIMER(fuse, expire);

static noinline int go_timer(void)
{
    mod_timer(&fuse, jiffies + 1);
    msleep(1000);
    return 0;
}

#ifdef CONFIG_X86
// Without counters that interrupt there is nobody to ask whether a processor still takes its
// timer's interrupts. An NMI from outside does it instead: the question and the answer are the
// kernel's own.
static ulong overflow; // the address of watchdog_overflow_callback
module_param(overflow, ulong, 0);

static int ask(unsigned int type, struct pt_regs *regs)
{
    static struct perf_event event;
    perf_overflow_handler_t callback = (perf_overflow_handler_t)overflow;
    callback(&event, NULL, regs);
    return NMI_HANDLED;
}

static noinline int go_hard(void)
{
    register_nmi_handler(NMI_LOCAL, ask, 0, "fault");
    local_irq_disable();
    pr_info("fault: NMIs, please\n");
    spin_for_ever();
    return 0;
}
#endif

static const struct {
    const char *how;
    int (*go)(void);
} ways[] = {
    {"null", go_null},   {"jump", go_jump},         {"divide", go_divide}, {"wild", go_wild},
    {"bug", go_bug},     {"past", go_past},         {"freed", go_freed},   {"order", go_order},
    {"sleep", go_sleep}, {"schedule", go_schedule}, {"spin", go_spin},     {"timer", go_timer},
#ifdef CONFIG_X86
    {"hard", go_hard},
#endif
};

static int __init fault_init(void)
{
    unsigned int i;
    for (i = 0; i < ARRAY_SIZE(ways); i++)
        if (!strcmp(how, ways[i].how))
            return ways[i].go();
    return -EINVAL;
}
module_init(fault_init);

MODULE_DESCRIPTION("goes wrong");
MODULE_LICENSE("Dual MIT/GPL");
