// SPDX-License-Identifier: MIT
// What each CPU has of its own on this machine, reached through cpu->machine: descriptor tables,
// the stacks that exceptions switch to, and the debugger's signals. The first words are read by
// the exception entry in assembly. For the files of kernel/arch/x86_64 only.
#pragma once

// Descriptor table: the order of the user segments is what sysret wants (SDM volume 2, SYSRET).
#define GDT_KERNEL_CODE 0x08
#define GDT_KERNEL_DATA 0x10
#define GDT_USER_DATA   0x18
#define GDT_USER_CODE   0x20
#define GDT_TSS         0x28 /* two slots */
#define GDT_SLOTS       7

#define MSR_APIC_BASE 0x1b
#define MSR_EFER      0xc0000080
#define MSR_GS_BASE   0xc0000101

// Offsets of struct cpu_machine, and the size of a slice of the exception stack.
#define MACHINE_EXCEPTION_LOW   0
#define MACHINE_EXCEPTION_HIGH  8
#define MACHINE_EXCEPTION_DEPTH 16
#define MACHINE_WAKE            20
#define EXCEPTION_SLICE_SHIFT   12
#define EXCEPTION_SLICES        4

#define VECTOR_DEBUG        1
#define VECTOR_NMI          2
#define VECTOR_BREAKPOINT   3
#define VECTOR_DOUBLE_FAULT 8
#define VECTOR_PROTECTION   13
#define VECTOR_PAGE_FAULT   14
#define VECTOR_MACHINE      18
#define VECTOR_EXCEPTIONS   32 /* below: exceptions, from here on: interrupts */
// The two legacy controllers are mapped out of the way; they are masked, but may still raise their
// spurious interrupts 7 and 15.
#define VECTOR_LEGACY     0x20
#define VECTOR_IRQ_FIRST  0x30
#define VECTOR_IRQ_LAST   0xef
#define VECTOR_RESCHEDULE 0xf0
#define VECTOR_CALL       0xf1
#define VECTOR_TIMER      0xf2
#define VECTOR_CONSOLE    0xf3
#define VECTOR_SPURIOUS   0xff /* the low four bits must be ones on old parts */

#ifndef __ASSEMBLER__

#include "kernel/cpu/cpu.h"
#include "kernel/lib/base.h"
#include <kd_machine/frame.h>

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
    uint8_t landing[3][256] __attribute__((aligned(16)));
    uint8_t exception_stack[EXCEPTION_SLICES << EXCEPTION_SLICE_SHIFT] __attribute__((aligned(16)));
    uint8_t double_fault_stack[8192] __attribute__((aligned(16)));
};
_Static_assert(offsetof(struct cpu_machine, exception_low) == MACHINE_EXCEPTION_LOW &&
                   offsetof(struct cpu_machine, exception_high) == MACHINE_EXCEPTION_HIGH &&
                   offsetof(struct cpu_machine, exception_depth) == MACHINE_EXCEPTION_DEPTH &&
                   offsetof(struct cpu_machine, wake) == MACHINE_WAKE,
               "the entry code relies on them");

static inline struct cpu_machine *cpu_machine(struct cpu *cpu)
{
    return cpu->machine;
}

static inline uint64_t msr_read(uint32_t msr)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static inline void msr_write(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid r;
    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

// entry.S
extern const char vector_stubs[]; // 256 entries of 16 bytes
void trap_entry(struct kd_frame *frame);
extern const uintptr_t idle_halt;                        // the hlt in arch_cpu_idle()
extern const uintptr_t park_window, park_halt, park_end; // in arch_stop_park()

// apic.c. Registers are named by their xAPIC offsets; in x2APIC mode the same number, shifted,
// names an MSR.
#define LAPIC_ID            0x20
#define LAPIC_TASK_PRIORITY 0x80
#define LAPIC_EOI           0xb0
#define LAPIC_SPURIOUS      0xf0
#define LAPIC_ESR           0x280
#define LAPIC_ICR           0x300
#define LAPIC_ICR_HIGH      0x310
#define LAPIC_LVT_TIMER     0x320
#define LAPIC_LVT_LINT0     0x350
#define LAPIC_LVT_LINT1     0x360
#define LAPIC_LVT_ERROR     0x370
#define LAPIC_TIMER_INITIAL 0x380
#define LAPIC_TIMER_CURRENT 0x390
#define LAPIC_TIMER_DIVIDE  0x3e0
#define LAPIC_MASKED        0x10000
#define ICR_FIXED           0x4000
#define ICR_NMI             0x4400
#define ICR_INIT            0x4500
#define ICR_STARTUP         0x4600

bool lapic_ready(void); // mapped and enabled on the boot CPU
uint32_t lapic_read(unsigned reg);
void lapic_write(unsigned reg, uint32_t value);
void lapic_eoi(void);
void lapic_command(uint64_t apic_id, uint32_t command); // an IPI; any context
void lapic_cpu_init(void);
void lapic_init(void);

// ioapic.c
void ioapic_init(void);
int ioapic_vector_irq(unsigned vector); // -1: nobody's
void ioapic_dispatch_debug(struct kd_frame *frame);

// time.c
void timer_vector(void);

// smp.c
void smp_init_others(void); // INIT to every other CPU: the first half of starting them

// cpu.c
extern struct cpu_machine cpu_machines[CPU_MAX];

// start.S
extern char boot_stack_guard[], boot_stack_low[], boot_stack_high[];
extern char trampoline_start[], trampoline_end[];
extern uint32_t secondary_root; // CR3 of CPUs that are being started
_Noreturn void secondary_start(struct cpu *cpu);
extern paddr_t trampoline_page; // boot.c found it, below 1 MiB

#endif
