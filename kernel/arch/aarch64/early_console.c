// SPDX-License-Identifier: MIT
// The first words on a PL011, by polling, through a fixmap page, before there are drivers. Any
// context on the boot CPU; no locks.
#include "kernel/arch/boot.h"
#include "kernel/mm/mapping.h"

// Where QEMU's virt machine has its UART: used only while no device tree has said otherwise, so
// that a missing tree can be complained about.
#define EARLY_UART_BASE 0x09000000

#define PL011_DATA       0x00
#define PL011_FLAGS      0x18
#define PL011_FLAGS_FULL 0x20
#define POLLS_MAX        1000000 // a dead UART loses characters rather than hangs

__debugger_text static volatile uint8_t *early_uart(void)
{
    static volatile uint8_t *registers;
    static paddr_t mapped;
    paddr_t base = EARLY_UART_BASE;
    if (boot_info.uart_count > 0)
        base = boot_info.uart[0].kind == UART_PL011 ? boot_info.uart[0].base : 0;
    if (base == 0)
        return NULL;
    if (mapped != base) {
        registers = fixmap_map(FIXMAP_EARLY_UART, base, PAGE_READ | PAGE_WRITE | PAGE_DEVICE);
        mapped = base;
    }
    return registers;
}

__debugger_text void arch_early_putc(char c)
{
    volatile uint8_t *registers = early_uart();
    if (!registers)
        return;
    for (unsigned i = 0; i < POLLS_MAX; i++)
        if (!(*(volatile uint32_t *)(registers + PL011_FLAGS) & PL011_FLAGS_FULL))
            break;
    *(volatile uint32_t *)(registers + PL011_DATA) = (uint8_t)c;
}
