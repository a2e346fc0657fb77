// SPDX-License-Identifier: MIT
// The tables of breakpoints and watchpoints. Software breakpoints are in memory only while the
// kernel runs: planted at each resume through the kernel's alias mapping, lifted at each stop.
// Called by the master only, except for the lookups, which traps on other CPUs make too.
//
// Invariant: an entry with `planted` holds in `saved` what memory holds without the breakpoint.
#include "kdebug/core.h"

#include <errno.h>
#include <string.h>

#define SOFTWARE_MAX  64
#define HARDWARE_MAX  16
#define TEMPORARY_MAX 4
#define LENGTH_MAX    4

struct software_breakpoint {
    uint64_t address;
    bool used, planted;
    uint8_t length;
    uint8_t saved[LENGTH_MAX];
};

static struct software_breakpoint software[SOFTWARE_MAX], temporary[TEMPORARY_MAX];
static struct kd_hw_slot breakpoints[HARDWARE_MAX], watchpoints[HARDWARE_MAX];

const char *kd_untouchable(uint64_t address)
{
    const struct kd_range *range = kd.kernel->untouchable;
    for (; range != NULL && range->end != 0; range++)
        if (address >= range->start && address < range->end)
            return range->reason;
    return NULL;
}

// -- planting ---------------------------------------------------------------------------------

static void plant(struct software_breakpoint *breakpoint)
{
    size_t length = breakpoint->length;
    const void *at = (const void *)(uintptr_t)breakpoint->address;
    if (breakpoint->planted || kd_mem_copy(breakpoint->saved, at, length) != length)
        return; // unmapped since it was set: nothing can be executed there either
    if (kd.kernel->text_write(breakpoint->address, kd_machine.breakpoint_insn[length - 1],
                              length) == 0) {
        breakpoint->planted = true;
        kd_icache_sync(breakpoint->address, length);
    }
}

static void lift(struct software_breakpoint *breakpoint)
{
    if (breakpoint->planted) {
        kd.kernel->text_write(breakpoint->address, breakpoint->saved, breakpoint->length);
        kd_icache_sync(breakpoint->address, breakpoint->length);
        breakpoint->planted = false;
    }
}

void kd_breakpoints_plant(void)
{
    for (unsigned i = 0; i < SOFTWARE_MAX; i++)
        if (software[i].used)
            plant(&software[i]);
}

void kd_breakpoints_lift(void)
{
    for (unsigned i = 0; i < SOFTWARE_MAX; i++)
        lift(&software[i]);
}

// The shortest breakpoint the machine has: a temporary one may stand before an instruction of
// any length.
static uint8_t shortest(void)
{
    uint8_t length = 1;
    while ((kd_machine.breakpoint_lengths >> (length - 1) & 1) == 0)
        length++;
    return length;
}

void kd_temporary_plant(const uintptr_t *addresses, unsigned count)
{
    for (unsigned i = 0; i < count && i < TEMPORARY_MAX; i++) {
        temporary[i] = (struct software_breakpoint){
            .address = addresses[i], .used = true, .length = shortest()};
        plant(&temporary[i]);
    }
}

bool kd_temporary_lift(uintptr_t pc)
{
    bool found = false;
    // In reverse: two at one address must restore what was there first.
    for (unsigned i = TEMPORARY_MAX; i-- > 0;) {
        found = found || (temporary[i].planted && temporary[i].address == pc);
        lift(&temporary[i]);
        temporary[i].used = false;
    }
    return found;
}

// -- lookups ----------------------------------------------------------------------------------

static struct software_breakpoint *find(uint64_t address)
{
    for (unsigned i = 0; i < SOFTWARE_MAX; i++)
        if (software[i].used && software[i].address == address)
            return &software[i];
    return NULL;
}

bool kd_breakpoint_at(uint64_t address)
{
    return find(address) != NULL;
}

bool kd_any_breakpoint_at(uint64_t address)
{
    for (unsigned i = 0; i < HARDWARE_MAX; i++)
        if (breakpoints[i].enabled && breakpoints[i].address == address)
            return true;
    return kd_breakpoint_at(address);
}

unsigned kd_breakpoint_insn_at(uint64_t address)
{
    for (unsigned length = LENGTH_MAX; length > 0; length--) {
        uint8_t bytes[LENGTH_MAX];
        if ((kd_machine.breakpoint_lengths >> (length - 1) & 1) != 0 &&
            kd_mem_copy(bytes, (const void *)(uintptr_t)address, length) == length &&
            memcmp(bytes, kd_machine.breakpoint_insn[length - 1], length) == 0)
            return length;
    }
    return 0;
}

enum gdb_stop_kind kd_watch_kind(unsigned slot)
{
    switch (watchpoints[slot % HARDWARE_MAX].type) {
    case GDB_WATCH_READ:
        return GDB_STOP_WATCH_READ;
    case GDB_WATCH_ACCESS:
        return GDB_STOP_WATCH_ACCESS;
    default:
        return GDB_STOP_WATCH_WRITE;
    }
}

void kd_watch_load(bool with_breakpoints)
{
    kd_hw_load(breakpoints, with_breakpoints ? HARDWARE_MAX : 0, watchpoints, HARDWARE_MAX);
}

// -- setting and clearing ---------------------------------------------------------------------

static int software_set(uint64_t address, unsigned length, struct gdb_error *error)
{
    if (find(address) != NULL)
        return 0;
    if (length == 0 || length > LENGTH_MAX ||
        (kd_machine.breakpoint_lengths >> (length - 1) & 1) == 0) {
        kd_error(error, "this machine has no breakpoint of %u bytes", length);
        return -EINVAL;
    }
    for (uint64_t at = address; at < address + length; at++) {
        const char *reason = kd_untouchable(at);
        if (reason != NULL) {
            kd_error(error, "no breakpoint at 0x%llx: %s", (unsigned long long)address, reason);
            return -EACCES;
        }
        size_t one = 1;
        enum kd_memory memory = kd.kernel->memory_probe(at, &one);
        if (memory == KD_MEMORY_NONE || memory == KD_MEMORY_DEVICE) {
            kd_error(error, "no breakpoint at 0x%llx: %s", (unsigned long long)address,
                     memory == KD_MEMORY_NONE ? "no memory there" : "device memory");
            return -EFAULT;
        }
    }
    for (unsigned i = 0; i < SOFTWARE_MAX; i++) {
        if (!software[i].used) {
            software[i] = (struct software_breakpoint){
                .address = address, .length = (uint8_t)length, .used = true};
            return 0;
        }
    }
    kd_error(error, "all %u breakpoints are in use", SOFTWARE_MAX);
    return -ENOSPC;
}

static unsigned in_use(const struct kd_hw_slot *slots)
{
    unsigned count = 0;
    for (unsigned i = 0; i < HARDWARE_MAX; i++)
        count += slots[i].enabled;
    return count;
}

static struct kd_hw_slot *hardware_find(struct kd_hw_slot *slots, const struct kd_hw_slot *like)
{
    for (unsigned i = 0; i < HARDWARE_MAX; i++)
        if (slots[i].enabled && slots[i].address == like->address && slots[i].type == like->type &&
            slots[i].length == like->length)
            return &slots[i];
    return NULL;
}

static int hardware_set(const struct kd_hw_slot *wish, struct gdb_error *error)
{
    bool is_break = wish->type == GDB_BREAK_HARDWARE;
    struct kd_hw_slot *slots = is_break ? breakpoints : watchpoints;
    unsigned total = is_break ? kd_hw_breakpoints() : kd_hw_watchpoints();
    if (total == 0 || (wish->type == GDB_WATCH_READ && !kd_machine.watch_read_only))
        return -ENOTSUP;
    if (hardware_find(slots, wish) != NULL)
        return 0;
    if (!kd_hw_possible(wish)) {
        kd_error(error, "the hardware cannot watch %u bytes at 0x%llx", wish->length,
                 (unsigned long long)wish->address);
        return -EINVAL;
    }
    unsigned used = kd_hw_shared() ? in_use(breakpoints) + in_use(watchpoints) : in_use(slots);
    for (unsigned i = 0; used < total && i < HARDWARE_MAX; i++) {
        if (!slots[i].enabled) {
            slots[i] = *wish;
            return 0;
        }
    }
    kd_error(error, "all %u hardware %s are in use", total,
             is_break ? "breakpoints" : "watchpoints");
    return -ENOSPC;
}

static struct kd_hw_slot slot_of(enum gdb_breakpoint_type type, uint64_t address, unsigned length)
{
    bool is_break = type == GDB_BREAK_HARDWARE;
    // Too long a length becomes an impossible one rather than a short one.
    uint8_t bytes = length < UINT8_MAX ? (uint8_t)length : UINT8_MAX;
    return (struct kd_hw_slot){
        .address = address, .length = is_break ? 1 : bytes, .type = (uint8_t)type, .enabled = true};
}

int kd_breakpoint_set(enum gdb_breakpoint_type type, uint64_t address, unsigned length,
                      struct gdb_error *error)
{
    if (type == GDB_BREAK_SOFTWARE)
        return software_set(address, length, error);
    const char *reason = type == GDB_BREAK_HARDWARE ? kd_untouchable(address) : NULL;
    if (reason != NULL) {
        kd_error(error, "no breakpoint at 0x%llx: %s", (unsigned long long)address, reason);
        return -EACCES;
    }
    struct kd_hw_slot wish = slot_of(type, address, length);
    return hardware_set(&wish, error);
}

int kd_breakpoint_clear(enum gdb_breakpoint_type type, uint64_t address, unsigned length,
                        struct gdb_error *error)
{
    (void)error;
    if (type == GDB_BREAK_SOFTWARE) {
        struct software_breakpoint *breakpoint = find(address);
        if (breakpoint != NULL) {
            lift(breakpoint);
            breakpoint->used = false;
        }
        return 0;
    }
    if (kd_hw_breakpoints() + kd_hw_watchpoints() == 0)
        return -ENOTSUP;
    struct kd_hw_slot like = slot_of(type, address, length);
    struct kd_hw_slot *slot =
        hardware_find(type == GDB_BREAK_HARDWARE ? breakpoints : watchpoints, &like);
    if (slot != NULL)
        slot->enabled = false;
    return 0;
}

void kd_breakpoints_drop(void)
{
    kd_breakpoints_lift();
    for (unsigned i = 0; i < SOFTWARE_MAX; i++)
        software[i].used = false;
    for (unsigned i = 0; i < HARDWARE_MAX; i++)
        breakpoints[i].enabled = watchpoints[i].enabled = false;
}
