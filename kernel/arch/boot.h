// SPDX-License-Identifier: MIT
// What the machine tells about itself at boot, in one form for all: memory, CPUs, interrupt
// controllers, consoles, PCI. Filled in once by arch_boot_info() from ACPI or a device tree,
// without allocation; constant afterwards.
#pragma once

#include "kernel/lib/base.h"

struct cpu;

struct memory_range {
    paddr_t start;
    uint64_t bytes;
};

#define BOOT_RANGES_MAX  32
#define COMMAND_LINE_MAX 1024
#define BOOT_UARTS_MAX   4
#define BOOT_ECAM_MAX    4

enum uart_kind { UART_NONE, UART_16550_PORT, UART_16550_MMIO, UART_PL011 };

struct boot_uart {
    enum uart_kind kind;
    uint64_t base;          // port number or physical address
    uint8_t register_shift; // 16550 MMIO: log2 of the distance between registers
    uint32_t clock_hz;      // 0: leave the divisor as the firmware set it
    int irq;                // in this machine's numbering (kernel/irq/irq.h), -1 unknown
    bool irq_level;         // level-triggered
};

struct boot_ecam {
    paddr_t base;
    uint16_t segment;
    uint8_t bus_first, bus_last;
    // Windows for BARs that the firmware left unassigned (0 bytes: none), CPU addresses; and the
    // bus address that window_32 starts at where it differs.
    struct memory_range window_32, window_64;
    uint64_t window_io_base; // CPU address of port 0 where ports are memory-mapped, 0 otherwise
    uint64_t window_io_bytes;
};

struct boot_info {
    char command_line[COMMAND_LINE_MAX];
    struct memory_range ram[BOOT_RANGES_MAX]; // usable RAM
    unsigned ram_count;
    struct memory_range reserved[BOOT_RANGES_MAX]; // parts of it in use: firmware, tree, initrd;
    unsigned reserved_count;                       // the kernel image is not listed
    unsigned cpu_count;                            // at most CPU_MAX; more are left alone
    unsigned cpu_found;                            // how many the machine has
    uint64_t cpu_hw_id[CPU_MAX];           // APIC id, MPIDR affinity, hart id; [0] is the boot CPU
    struct boot_uart uart[BOOT_UARTS_MAX]; // [0] is the console
    unsigned uart_count;
    struct boot_ecam ecam[BOOT_ECAM_MAX];
    unsigned ecam_count;
    uint64_t seed;           // random bits from the boot loader, 0: none
    const void *device_tree; // in the direct map, or NULL
    const char *machine;     // what the machine calls itself: "riscv-virtio,qemu", "BOCHS ..."
};
extern struct boot_info boot_info;

// Fills in boot_info from what the start code handed over. `handoff` is the physical address of
// the hvm_start_info or device tree. Malformed tables end in a message that names the table and a
// smaller machine, never in a fault. Runs before anything else works but exceptions and logging.
void arch_boot_info(uint64_t boot_hw_id, paddr_t handoff);

// The earliest console: writes one character by polling, from the first instruction of C on
// (kernel messages before the serial drivers). It uses boot_info.uart[0] when that is known.
void arch_early_putc(char c);

// The interrupt that pin 1..4 (INTA..INTD) of a device on a root bus raises, in this machine's
// numbering; -1: unknown. Level-triggered.
int arch_pci_irq(unsigned bus, unsigned slot, unsigned pin);

// First C function after the machine's start code, on the boot CPU's static stack, boot mappings,
// interrupts off.
_Noreturn void kernel_main(uint64_t boot_hw_id, paddr_t handoff);
// The same for the other CPUs, on cpu->boot_stack, with arch_cpu_early_init() done.
_Noreturn void kernel_secondary_main(struct cpu *cpu);
