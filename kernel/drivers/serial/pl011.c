// SPDX-License-Identifier: MIT
// ARM PrimeCell UART PL011 (ARM DDI 0183, chapter 3). Polled and bounded; no state here.
#include "kernel/drivers/serial/uart_drivers.h"

enum pl011_register {
    PL_DATA = 0x00, // reads carry the byte's own error bits 8..11
    PL_FLAGS = 0x18,
    PL_DIVISOR = 0x24,
    PL_DIVISOR_FRACTION = 0x28,
    PL_LINE_CONTROL = 0x2c,
    PL_CONTROL = 0x30,
    PL_INTERRUPT_MASK = 0x38,
    PL_INTERRUPT_CLEAR = 0x44,
};

enum {
    DATA_FRAMING = 1 << 8,
    DATA_PARITY = 1 << 9,
    DATA_BREAK = 1 << 10,
    DATA_OVERRUN = 1 << 11,
    FLAGS_RECEIVE_EMPTY = 1 << 4,
    FLAGS_TRANSMIT_FULL = 1 << 5,
    FLAGS_TRANSMIT_EMPTY = 1 << 7,
    LINE_FIFO = 1 << 4,
    LINE_8_BITS = 3 << 5,
    CONTROL_ENABLE = 1 << 0,
    CONTROL_TRANSMIT = 1 << 8,
    CONTROL_RECEIVE = 1 << 9,
    INTERRUPT_RECEIVE = 1 << 4,
    INTERRUPT_TIMEOUT = 1 << 6,
    INTERRUPT_ERRORS = 0xf << 7,
    INTERRUPT_ALL = 0x7ff,
};

#define BAUD           115200
#define FIFO_BYTES     16      // the shortest there has been; r1p5 has 32
#define WAIT_POLLS_MAX 1000000 // a full FIFO has room after 87 us; a dead device costs this once

static volatile uint32_t *pl011_at(const struct uart *uart, enum pl011_register reg)
{
    return (volatile uint32_t *)(uart->registers + reg);
}

static void pl011_setup(struct uart *uart)
{
    *pl011_at(uart, PL_CONTROL) = 0;
    *pl011_at(uart, PL_INTERRUPT_MASK) = 0;
    *pl011_at(uart, PL_INTERRUPT_CLEAR) = INTERRUPT_ALL;
    if (uart->where.clock_hz) {
        // The divisor has 6 fractional bits: 64 * clock / (16 * baud), rounded.
        uint32_t divisor = (uint32_t)((4ull * uart->where.clock_hz + BAUD / 2) / BAUD);
        *pl011_at(uart, PL_DIVISOR) = divisor >> 6;
        *pl011_at(uart, PL_DIVISOR_FRACTION) = divisor & 63;
    }
    *pl011_at(uart, PL_LINE_CONTROL) = LINE_8_BITS | LINE_FIFO;
    *pl011_at(uart, PL_CONTROL) = CONTROL_ENABLE | CONTROL_TRANSMIT | CONTROL_RECEIVE;
}

static unsigned pl011_interrupts_get(struct uart *uart)
{
    return *pl011_at(uart, PL_INTERRUPT_MASK);
}

static void pl011_interrupts_set(struct uart *uart, unsigned enables)
{
    *pl011_at(uart, PL_INTERRUPT_MASK) = enables;
}

static size_t pl011_read(struct uart *uart, uint8_t *to, size_t size, unsigned *line_errors)
{
    size_t count = 0;
    while (count < size && !(*pl011_at(uart, PL_FLAGS) & FLAGS_RECEIVE_EMPTY)) {
        uint32_t data = *pl011_at(uart, PL_DATA);
        if (data & DATA_BREAK) {
            *line_errors |= UART_ERROR_BREAK; // a break reads as one zero byte that nobody sent
            continue;
        }
        if (data & (DATA_FRAMING | DATA_PARITY | DATA_OVERRUN))
            *line_errors |= UART_ERROR_LINE;
        to[count++] = (uint8_t)data;
    }
    return count;
}

// How many bytes can be sent without asking again; 0: the FIFO did not move for WAIT_POLLS_MAX
// looks.
static size_t transmit_room(struct uart *uart)
{
    for (unsigned polls = 0; polls < WAIT_POLLS_MAX; polls++) {
        uint32_t flags = *pl011_at(uart, PL_FLAGS);
        if (flags & FLAGS_TRANSMIT_EMPTY)
            return FIFO_BYTES;
        if (!(flags & FLAGS_TRANSMIT_FULL))
            return 1;
    }
    return 0;
}

static void pl011_write(struct uart *uart, const uint8_t *from, size_t length)
{
    while (length > 0) {
        size_t room = transmit_room(uart);
        if (room == 0)
            return;
        for (; room > 0 && length > 0; room--, length--)
            *pl011_at(uart, PL_DATA) = *from++;
    }
}

static void pl011_acknowledge(struct uart *uart)
{
    *pl011_at(uart, PL_INTERRUPT_CLEAR) = INTERRUPT_ALL;
}

static bool pl011_receive_pending(struct uart *uart)
{
    return !(*pl011_at(uart, PL_FLAGS) & FLAGS_RECEIVE_EMPTY);
}

const struct uart_driver uart_driver_pl011 = {
    .name = "PL011",
    .setup = pl011_setup,
    .interrupts_get = pl011_interrupts_get,
    .interrupts_set = pl011_interrupts_set,
    .receive_interrupts = INTERRUPT_RECEIVE | INTERRUPT_TIMEOUT | INTERRUPT_ERRORS,
    .read = pl011_read,
    .write = pl011_write,
    .acknowledge = pl011_acknowledge,
    .receive_pending = pl011_receive_pending,
};
