// SPDX-License-Identifier: MIT
// Making a CPU usable: descriptor tables, exception stacks, per-CPU pointer and control registers.
// Runs before the stack protector's canary is valid, so it is compiled without it.
#include "kernel/arch/cpu.h"
#include "kernel/arch/mmu.h"
#include "kernel/arch/x86_64/entry.h"
#include "kernel/sched/walk.h"
#include <machine/msr.h>
#include <machine/percpu.h>
#include <machine/vectors.h>

#define CR0_WRITE_PROTECT    (UINT64_C(1) << 16)
#define CR0_TASK_SWITCHED    (UINT64_C(1) << 3)
#define CR4_DEBUG_EXTENSIONS (UINT64_C(1) << 3)
#define CR4_MACHINE_CHECK    (UINT64_C(1) << 6)
#define CR4_UMIP             (UINT64_C(1) << 11)
#define CR4_SMEP             (UINT64_C(1) << 20)
#define CR4_SMAP             (UINT64_C(1) << 21)

struct gate {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};
_Static_assert(sizeof(struct gate) == 16, "SDM volume 3, figure 6-8");
#define GATE_INTERRUPT 0x8e // present, ring 0; switches interrupts off

struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __packed;

static struct gate idt[256] __attribute__((aligned(16)));
struct cpu_machine cpu_machines[CPU_MAX];
const char *const arch_stop_weakness = NULL;

static void idt_fill(void)
{
    for (unsigned vector = 0; vector < ARRAY_SIZE(idt); vector++) {
        uintptr_t stub = (uintptr_t)vector_stubs + 16 * vector;
        idt[vector] = (struct gate){
            .offset_low = stub & 0xffff,
            .offset_middle = stub >> 16 & 0xffff,
            .offset_high = stub >> 32,
            .selector = GDT_KERNEL_CODE,
            .type = GATE_INTERRUPT,
        };
    }
    idt[VECTOR_NMI].ist = IST_NMI;
    idt[VECTOR_DEBUG].ist = IST_DEBUG;
    idt[VECTOR_MACHINE].ist = IST_MACHINE;
    idt[VECTOR_DOUBLE_FAULT].ist = IST_DOUBLE_FAULT;
}

static void machine_fill(struct cpu_machine *machine)
{
    machine->exception_low = (uintptr_t)machine->exception_stack;
    machine->exception_high = machine->exception_low + sizeof(machine->exception_stack);
    for (unsigned i = 0; i < ARRAY_SIZE(machine->landing); i++) {
        machine->landing[i].machine = machine;
        machine->tss.ist[i] = (uintptr_t)&machine->landing[i].machine;
    }
    machine->tss.ist[IST_DOUBLE_FAULT - 1] =
        (uintptr_t)machine->double_fault_stack + sizeof(machine->double_fault_stack);
    machine->tss.io_map = sizeof(machine->tss); // none: user mode has no ports
    uintptr_t tss = (uintptr_t)&machine->tss;
    machine->gdt[GDT_KERNEL_CODE / 8] = 0x00af9b000000ffff;
    machine->gdt[GDT_KERNEL_DATA / 8] = 0x00cf93000000ffff;
    machine->gdt[GDT_USER_DATA / 8] = 0x00cff3000000ffff;
    machine->gdt[GDT_USER_CODE / 8] = 0x00affb000000ffff;
    machine->gdt[GDT_TSS / 8] = (sizeof(struct tss) - 1) | (tss & 0xffffff) << 16 |
                                UINT64_C(0x89) << 40 | (tss >> 24 & 0xff) << 56;
    machine->gdt[GDT_TSS / 8 + 1] = tss >> 32;
}
_Static_assert(IST_NMI == 1 && IST_DEBUG == 2 && IST_MACHINE == 3, "in the order of landing[]");

static void tables_load(struct cpu_machine *machine)
{
    struct table_pointer gdtr = {sizeof(machine->gdt) - 1, (uintptr_t)machine->gdt};
    struct table_pointer idtr = {sizeof(idt) - 1, (uintptr_t)idt};
    __asm__ volatile("lgdt %0" ::"m"(gdtr));
    // A far return reloads cs; the data segments mean nothing in long mode, but ss is pushed.
    __asm__ volatile("pushq %0\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\tmovl %1, %%ss" ::"i"(GDT_KERNEL_CODE),
                     "r"(GDT_KERNEL_DATA)
                     : "rax", "memory");
    __asm__ volatile("ltr %w0" ::"r"(GDT_TSS));
    __asm__ volatile("lidt %0" ::"m"(idtr));
}

static void control_registers(void)
{
    uint64_t cr0, cr4;
    __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    cr0 |= CR0_WRITE_PROTECT;
    cr0 |= CR0_TASK_SWITCHED; // the kernel has no floating point: using it is an error
    cr4 |= CR4_PGE | CR4_MACHINE_CHECK | CR4_DEBUG_EXTENSIONS;
    if (cpuid(0, 0).eax >= 7) {
        struct cpuid features = cpuid(7, 0);
        cr4 |= features.ebx & (1u << 7) ? CR4_SMEP : 0;
        cr4 |= features.ebx & (1u << 20) ? CR4_SMAP : 0;
        cr4 |= features.ecx & (1u << 2) ? CR4_UMIP : 0;
    }
    __asm__ volatile("mov %0, %%cr0" ::"r"(cr0));
    __asm__ volatile("mov %0, %%cr4" ::"r"(cr4));
}

// The descriptor table lies in this CPU's struct cpu_machine; before it is loaded there is one CPU.
__debugger_text unsigned arch_cpu_index(void)
{
    struct table_pointer gdtr;
    __asm__ volatile("sgdt %0" : "=m"(gdtr));
    uintptr_t index = (gdtr.base - (uintptr_t)cpu_machines) / sizeof(cpu_machines[0]);
    return index < CPU_MAX ? (unsigned)index : 0;
}

__debugger_text bool arch_cpu_pointers_valid(const struct cpu *cpu)
{
    return msr_read(MSR_GS_BASE) == (uintptr_t)cpu && thread_is_on(cpu->current, cpu);
}

__debugger_text void arch_cpu_pointers_load(struct cpu *cpu, struct thread *current)
{
    (void)current; // it is read through the same pointer
    msr_write(MSR_GS_BASE, (uintptr_t)cpu);
}

void arch_cpu_early_init(struct cpu *cpu, struct thread *current)
{
    unsigned index = (unsigned)(cpu - cpus);
    struct cpu_machine *machine = &cpu_machines[index];
    if (index == 0)
        idt_fill();
    cpu->self = cpu;
    cpu->machine = machine;
    cpu->current = current;
    cpu->stack_canary = current->stack_canary;
    machine_fill(machine);
    tables_load(machine);
    // Loading a null selector into gs cleared its base on some CPUs: only now is it final.
    arch_cpu_pointers_load(cpu, current);
    control_registers();
}

__debugger_text void arch_cpu_halt(void)
{
    for (;;)
        __asm__ volatile("cli\n\thlt" ::: "memory");
}

__debugger_text paddr_t arch_kernel_paddr(void)
{
    return KERNEL_LOAD_ADDRESS;
}
