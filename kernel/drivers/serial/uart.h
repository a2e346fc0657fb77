// SPDX-License-Identifier: MIT
// Serial ports. Each UART has two faces that share no state but the device's registers: a
// struct debug_port that polls, for early output, panics and the debugger, and an interrupt-driven
// receiver for the console. Discovery (boot_info, PCI) is apart from the register work.
#pragma once

#include "kdebug/port.h"
#include "kernel/arch/boot.h"
#include "kernel/lib/base.h"
#include <kd_machine/frame.h>

struct uart;

// One kind of UART: what differs between devices, in terms of registers. All of them may run in
// NMI context and in the debugger; waits are bounded.
struct uart_driver {
    const char *name;
    void (*setup)(struct uart *uart);              // 8n1, FIFOs on, all interrupts off
    unsigned (*interrupts_get)(struct uart *uart); // the enables, and
    void (*interrupts_set)(struct uart *uart, unsigned enables);
    unsigned receive_interrupts; // what interrupts_set takes for reception
    size_t (*read)(struct uart *uart, uint8_t *to, size_t size, unsigned *line_errors);
    void (*write)(struct uart *uart, const uint8_t *from, size_t length);
    void (*acknowledge)(struct uart *uart);     // what was pending; before the data is read
    bool (*receive_pending)(struct uart *uart); // there is something to read
};

enum { UART_ERROR_BREAK = 1, UART_ERROR_LINE = 2 };

struct uart {
    const struct uart_driver *driver;
    struct boot_uart where;
    volatile uint8_t *registers; // MMIO kinds
    char name[8];
    struct debug_port port;
    unsigned saved_enables; // while claimed by the debugger
    bool claimed;
    bool shared;    // the debugger listens on it: bytes pass kd_receive()
    bool receiving; // a CPU is in uart_receive()
    bool console;   // what is left goes to the console
};

// Early: registers through the fixmap, polling only. Of boot_info.uart[index]; NULL if there is no
// such UART. One early UART exists at a time beside those brought up by uart_init().
struct uart *uart_early(unsigned index);
// Adds a UART found later (PCI). Returns it, or NULL when there are too many.
struct uart *uart_add(const struct boot_uart *where, volatile void *registers);
// uart0, uart1 ... in order of discovery; NULL behind the last.
struct uart *uart_get(unsigned index);
// Maps MMIO registers for good once device_map() works.
void uart_map_all(void);
// Requests the interrupts and starts reception. Thread context, with interrupt controllers up.
void uart_start_all(void);
// Takes what the UART has received and hands it on. The body of the interrupt handler; also a poll.
void uart_receive(struct uart *uart, struct kd_frame *frame);
