// SPDX-License-Identifier: MIT
// The first console: one character at a time into a 16550, polled, without state. Used until the
// serial driver has a port, and again if a panic comes before that.
#include "kernel/arch/boot.h"
#include "kernel/mm/mapping.h"
#include <machine/io.h>

#define COM1            0x3f8
#define UART_DATA       0
#define UART_LINE       5
#define LINE_HAS_ROOM   0x20
#define SEND_WAIT_READS 100000 // a UART that is not there does not hang the kernel

__debugger_text static volatile uint8_t *mmio_register(const struct boot_uart *uart, unsigned reg)
{
    uint8_t *page = fixmap_map(FIXMAP_EARLY_UART, uart->base, PAGE_READ | PAGE_WRITE | PAGE_DEVICE);
    return page + ((size_t)reg << uart->register_shift);
}

__debugger_text void arch_early_putc(char c)
{
    const struct boot_uart *uart = &boot_info.uart[0];
    bool mmio = boot_info.uart_count > 0 && uart->kind == UART_16550_MMIO;
    uint16_t port =
        boot_info.uart_count > 0 && uart->kind == UART_16550_PORT ? (uint16_t)uart->base : COM1;
    for (unsigned i = 0; i < SEND_WAIT_READS; i++) {
        uint8_t line = mmio ? *mmio_register(uart, UART_LINE) : port_read8(port + UART_LINE);
        if (line & LINE_HAS_ROOM)
            break;
    }
    if (mmio)
        *mmio_register(uart, UART_DATA) = (uint8_t)c;
    else
        port_write8(port + UART_DATA, (uint8_t)c);
}
