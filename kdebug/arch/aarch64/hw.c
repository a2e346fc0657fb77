// SPDX-License-Identifier: MIT
// The breakpoint and watchpoint registers of AArch64 (Arm ARM D2.8 to D2.10): six and four on most
// machines, per CPU. All of it is silent while PSTATE.D is set.
#include "gdbstub/gdbstub.h"
#include "kdebug/arch/aarch64/debug_registers.h"

enum {
    SLOTS_MAX = 16,
    MDSCR_SS = 1 << 0,
    MDSCR_KDE = 1 << 13,
    MDSCR_MDE = 1 << 15,
    CONTROL_ENABLE = 1 << 0,
    CONTROL_EL1 = 1 << 1,
};

static unsigned breakpoint_slots, watchpoint_slots;
// What the slots were loaded for. Every CPU writes the same values.
static struct {
    uint64_t address;
    uint8_t index, length;
} breakpoints_loaded[SLOTS_MAX], watchpoints_loaded[SLOTS_MAX];

#define EACH_SLOT(DO)                                                                              \
    DO(0)                                                                                          \
    DO(1)                                                                                          \
    DO(2)                                                                                          \
    DO(3)                                                                                          \
    DO(4)                                                                                          \
    DO(5)                                                                                          \
    DO(6)                                                                                          \
    DO(7)                                                                                          \
    DO(8)                                                                                          \
    DO(9)                                                                                          \
    DO(10)                                                                                         \
    DO(11)                                                                                         \
    DO(12)                                                                                         \
    DO(13)                                                                                         \
    DO(14)                                                                                         \
    DO(15)

static void slot_write(bool watch, unsigned slot, uint64_t address, uint64_t control)
{
#define WRITE_SLOT(n)                                                                              \
    case n:                                                                                        \
        if (watch) {                                                                               \
            __asm__ volatile("msr dbgwvr" #n "_el1, %0" ::"r"(address));                           \
            __asm__ volatile("msr dbgwcr" #n "_el1, %0" ::"r"(control));                           \
        } else {                                                                                   \
            __asm__ volatile("msr dbgbvr" #n "_el1, %0" ::"r"(address));                           \
            __asm__ volatile("msr dbgbcr" #n "_el1, %0" ::"r"(control));                           \
        }                                                                                          \
        break;
    switch (slot) {
        EACH_SLOT(WRITE_SLOT)
    default:
        break;
    }
}

void kd_hw_init(void)
{
    uint64_t features;
    __asm__ volatile("mrs %0, id_aa64dfr0_el1" : "=r"(features));
    breakpoint_slots = (features >> 12 & 15) + 1;
    watchpoint_slots = (features >> 20 & 15) + 1;
    // The OS lock is set at reset and blocks all debug exceptions (D2.4, H6.5).
    __asm__ volatile("msr oslar_el1, xzr");
    __asm__ volatile("msr osdlr_el1, xzr");
    kd_hw_load(NULL, 0, NULL, 0);
    __asm__ volatile("msr mdscr_el1, %0; isb" ::"r"((uint64_t)(MDSCR_MDE | MDSCR_KDE)));
    __asm__ volatile("msr daifclr, #8" ::: "memory");
}

unsigned kd_hw_breakpoints(void)
{
    return breakpoint_slots;
}

unsigned kd_hw_watchpoints(void)
{
    return watchpoint_slots;
}

bool kd_hw_shared(void)
{
    return false;
}

bool kd_hw_possible(const struct kd_hw_slot *slot)
{
    if (slot->type == GDB_BREAK_HARDWARE)
        return slot->address % 4 == 0;
    // Any bytes of one doubleword can be selected.
    return slot->length >= 1 && slot->address % 8 + slot->length <= 8;
}

static uint64_t watch_control(const struct kd_hw_slot *slot)
{
    uint64_t bytes = ((UINT64_C(1) << slot->length) - 1) << slot->address % 8;
    uint64_t access = slot->type == GDB_WATCH_READ ? 1 : slot->type == GDB_WATCH_WRITE ? 2 : 3;
    return bytes << 5 | access << 3 | CONTROL_EL1 | CONTROL_ENABLE;
}

void kd_hw_load(const struct kd_hw_slot *breakpoints, unsigned breakpoint_count,
                const struct kd_hw_slot *watchpoints, unsigned watchpoint_count)
{
    unsigned next = 0;
    for (unsigned i = 0; i < breakpoint_count && next < breakpoint_slots; i++) {
        if (breakpoints[i].enabled) {
            breakpoints_loaded[next].address = breakpoints[i].address;
            breakpoints_loaded[next].index = (uint8_t)i;
            slot_write(false, next++, breakpoints[i].address,
                       0xf << 5 | CONTROL_EL1 | CONTROL_ENABLE);
        }
    }
    for (; next < breakpoint_slots; next++) {
        breakpoints_loaded[next].address = 0;
        slot_write(false, next, 0, 0);
    }
    next = 0;
    for (unsigned i = 0; i < watchpoint_count && next < watchpoint_slots; i++) {
        if (watchpoints[i].enabled) {
            watchpoints_loaded[next].address = watchpoints[i].address;
            watchpoints_loaded[next].index = (uint8_t)i;
            watchpoints_loaded[next].length = watchpoints[i].length;
            slot_write(true, next++, watchpoints[i].address & ~UINT64_C(7),
                       watch_control(&watchpoints[i]));
        }
    }
    for (; next < watchpoint_slots; next++) {
        watchpoints_loaded[next].length = 0;
        slot_write(true, next, 0, 0);
    }
    __asm__ volatile("isb");
}

bool kd_hardware_break_at(uint64_t pc, unsigned *slot)
{
    for (unsigned i = 0; i < breakpoint_slots; i++) {
        if (breakpoints_loaded[i].address == pc) {
            *slot = breakpoints_loaded[i].index;
            return true;
        }
    }
    return false;
}

bool kd_watchpoint_near(uint64_t fault_address, unsigned *slot, uint64_t *address)
{
    // The reported address is where the access begins, which may be below what is watched: the
    // widest access is a pair of 128-bit registers or a cache line zeroed (D2.10.5).
    uint64_t nearest = UINT64_MAX;
    for (unsigned i = 0; i < watchpoint_slots; i++) {
        uint64_t start = watchpoints_loaded[i].address;
        uint64_t length = watchpoints_loaded[i].length;
        if (length == 0 || fault_address >= start + length)
            continue;
        uint64_t distance = fault_address >= start ? 0 : start - fault_address;
        if (distance < nearest && distance < 64) {
            nearest = distance;
            *slot = watchpoints_loaded[i].index;
            *address = start;
        }
    }
    return nearest != UINT64_MAX;
}

void kd_hardware_step(bool on)
{
    uint64_t mdscr;
    if (on) {
        // Until the exception return the step must not see the debugger's own instructions.
        __asm__ volatile("msr daifset, #8" ::: "memory");
    }
    __asm__ volatile("mrs %0, mdscr_el1" : "=r"(mdscr));
    mdscr = on ? mdscr | MDSCR_SS : mdscr & ~(uint64_t)MDSCR_SS;
    __asm__ volatile("msr mdscr_el1, %0; isb" ::"r"(mdscr) : "memory");
}
