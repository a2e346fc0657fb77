// SPDX-License-Identifier: MIT
// What each CPU has of its own on this machine, reached through cpu->machine: descriptor tables,
// the stacks that exceptions switch to, and the debugger's signals. The first words are read by
// the exception entry in assembly.
#pragma once

// Descriptor table: the order of the user segments is what sysret wants (SDM volume 2, SYSRET).
#define GDT_KERNEL_CODE 0x08
#define GDT_KERNEL_DATA 0x10
#define GDT_USER_DATA   0x18
#define GDT_USER_CODE   0x20
#define GDT_TSS         0x28 /* two slots */
#define GDT_SLOTS       7

// Offsets of struct cpu_machine, and the size of a slice of the exception stack.
#define MACHINE_EXCEPTION_LOW   0
#define MACHINE_EXCEPTION_HIGH  8
#define MACHINE_EXCEPTION_DEPTH 16
#define MACHINE_WAKE            20
#define EXCEPTION_SLICE_SHIFT   12
#define EXCEPTION_SLICES        4

#ifndef __ASSEMBLER__

#include "kernel/cpu/cpu.h"
#include "kernel/lib/base.h"

#define IST_NMI          1
#define IST_DEBUG        2
#define IST_MACHINE      3
#define IST_DOUBLE_FAULT 4

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map;
} __packed;

// What the entry code finds above the frame tells it where it is: gs may have been destroyed.
struct landing {
    uint8_t stack[240];
    struct cpu_machine *machine;
} __attribute__((aligned(16)));

// NMI, #DB and #MC arrive on a landing stack each, just large enough for one struct kd_frame; the
// entry code copies it to the exception stack, where it may nest (entry.S has the theory). A
// double fault has a stack of its own, for nothing can be said about any other then.
struct cpu_machine {
    uintptr_t exception_low, exception_high;
    uint32_t exception_depth;
    uint32_t wake;         // arch_stop_wake() has been called since the CPU last woke
    uint32_t stop_pending; // an NMI is under way that means kd_cpu_stop()
    uint32_t nmi_again;    // an NMI came while one was being handled
    uint64_t timer_deadline;
    uint64_t gdt[GDT_SLOTS];
    struct tss tss;
    struct landing landing[3];
    uint8_t exception_stack[EXCEPTION_SLICES << EXCEPTION_SLICE_SHIFT] __attribute__((aligned(16)));
    uint8_t double_fault_stack[8192] __attribute__((aligned(16)));
};
_Static_assert(offsetof(struct cpu_machine, exception_low) == MACHINE_EXCEPTION_LOW &&
                   offsetof(struct cpu_machine, exception_high) == MACHINE_EXCEPTION_HIGH &&
                   offsetof(struct cpu_machine, exception_depth) == MACHINE_EXCEPTION_DEPTH &&
                   offsetof(struct cpu_machine, wake) == MACHINE_WAKE,
               "the entry code relies on them");

extern struct cpu_machine cpu_machines[CPU_MAX]; // by struct cpu.index

static inline struct cpu_machine *cpu_machine(struct cpu *cpu)
{
    return cpu->machine;
}

#endif
