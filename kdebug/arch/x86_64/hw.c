// SPDX-License-Identifier: MIT
// The debug registers of x86-64 (Intel SDM volume 3, 17.2): four slots that execution breakpoints
// and watchpoints share. They are per CPU; every CPU loads the same contents when it leaves a stop.
#include "gdbstub/gdbstub.h"
#include "kdebug/arch/x86_64/debug_registers.h"

enum {
    SLOTS = 4,
    DR6_STEP = 1 << 14,
    DR6_IDLE = 0xffff0ff0,
    DR7_FIXED = 1 << 10,
};

// What each debug register was loaded for. Every CPU writes the same values.
static struct {
    uint64_t address;
    uint8_t index; // in the array it came from
    bool watch, used;
} owner[SLOTS];

static void address_write(unsigned slot, uint64_t address)
{
    switch (slot) {
    case 0:
        __asm__ volatile("mov %0, %%dr0" ::"r"(address));
        break;
    case 1:
        __asm__ volatile("mov %0, %%dr1" ::"r"(address));
        break;
    case 2:
        __asm__ volatile("mov %0, %%dr2" ::"r"(address));
        break;
    default:
        __asm__ volatile("mov %0, %%dr3" ::"r"(address));
        break;
    }
}

static void control_write(uint64_t dr7)
{
    __asm__ volatile("mov %0, %%dr7" ::"r"(dr7));
}

void kd_hw_init(void)
{
    control_write(DR7_FIXED);
    __asm__ volatile("mov %0, %%dr6" ::"r"((uint64_t)DR6_IDLE));
}

unsigned kd_hw_breakpoints(void)
{
    return SLOTS;
}

unsigned kd_hw_watchpoints(void)
{
    return SLOTS;
}

bool kd_hw_shared(void)
{
    return true;
}

bool kd_hw_possible(const struct kd_hw_slot *slot)
{
    if (slot->type == GDB_BREAK_HARDWARE)
        return true;
    bool length = slot->length == 1 || slot->length == 2 || slot->length == 4 || slot->length == 8;
    // The hardware watches writes, or reads and writes, never reads alone.
    return length && slot->address % slot->length == 0 && slot->type != GDB_WATCH_READ;
}

// The R/W and LEN fields of one slot in DR7.
static uint64_t control_of(const struct kd_hw_slot *slot)
{
    static const uint8_t length_code[9] = {[1] = 0, [2] = 1, [4] = 3, [8] = 2};
    if (slot->type == GDB_BREAK_HARDWARE)
        return 0;
    return (slot->type == GDB_WATCH_WRITE ? 1U : 3U) | (uint64_t)length_code[slot->length] << 2;
}

static unsigned load(const struct kd_hw_slot *slots, unsigned count, bool watch, unsigned next,
                     uint64_t *dr7)
{
    for (unsigned i = 0; i < count && next < SLOTS; i++) {
        if (!slots[i].enabled)
            continue;
        address_write(next, slots[i].address);
        owner[next].address = slots[i].address;
        owner[next].index = (uint8_t)i;
        owner[next].watch = watch;
        owner[next].used = true;
        *dr7 |= UINT64_C(2) << (2 * next) | control_of(&slots[i]) << (16 + 4 * next);
        next++;
    }
    return next;
}

void kd_hw_load(const struct kd_hw_slot *breakpoints, unsigned breakpoint_count,
                const struct kd_hw_slot *watchpoints, unsigned watchpoint_count)
{
    control_write(DR7_FIXED);
    uint64_t dr7 = DR7_FIXED;
    unsigned next = load(breakpoints, breakpoint_count, false, 0, &dr7);
    next = load(watchpoints, watchpoint_count, true, next, &dr7);
    if (next > 0)
        control_write(dr7);
}

enum kd_trap_kind kd_debug_status(unsigned *slot, uint64_t *address)
{
    uint64_t dr6, dr7;
    __asm__ volatile("mov %%dr6, %0" : "=r"(dr6));
    __asm__ volatile("mov %%dr7, %0" : "=r"(dr7));
    __asm__ volatile("mov %0, %%dr6" ::"r"((uint64_t)DR6_IDLE));
    for (unsigned i = 0; i < SLOTS; i++) {
        // A bit of DR6 may be set for a slot that is not enabled (17.2.3).
        if ((dr6 >> i & 1) != 0 && (dr7 >> (2 * i) & 3) != 0 && owner[i].used) {
            *slot = owner[i].index;
            *address = owner[i].address;
            return owner[i].watch ? KD_TRAP_WATCH : KD_TRAP_HWBREAK;
        }
    }
    return (dr6 & DR6_STEP) != 0 ? KD_TRAP_STEP : KD_TRAP_OTHER;
}
