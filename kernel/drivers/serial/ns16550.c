// SPDX-License-Identifier: MIT
// The 16550 family: PC ports, memory-mapped and PCI ones. Registers as in the National
// Semiconductor PC16550D data sheet, section 8. Polled and bounded throughout; no state here.
#include "kernel/drivers/serial/uart_drivers.h"

#include <machine/io.h>

enum ns_register {
    NS_DATA = 0,             // RBR, THR; divisor low while LCR.DLAB
    NS_INTERRUPT_ENABLE = 1, // divisor high while LCR.DLAB
    NS_FIFO_CONTROL = 2,     // write; reads the interrupt identification
    NS_LINE_CONTROL = 3,
    NS_MODEM_CONTROL = 4,
    NS_LINE_STATUS = 5,
    NS_MODEM_STATUS = 6,
};

enum {
    IER_RECEIVED = 1,
    IER_LINE_STATUS = 4,
    FCR_ENABLE = 0x01,
    FCR_TRIGGER_14 = 0xc0,
    LCR_8N1 = 0x03,
    LCR_DIVISOR = 0x80,
    MCR_DTR_RTS_OUT2 = 0x0b, // OUT2 gates the interrupt line on PCs
    LSR_DATA_READY = 0x01,
    LSR_OVERRUN = 0x02,
    LSR_PARITY = 0x04,
    LSR_FRAMING = 0x08,
    LSR_BREAK = 0x10,
    LSR_TRANSMIT_EMPTY = 0x20,
};

#define FIFO_BYTES     16
#define BAUD           115200
#define WAIT_POLLS_MAX 1000000 // a FIFO drains in 1.4 ms; a dead device costs this once a byte

static uint8_t ns_read(const struct uart *uart, enum ns_register reg)
{
    if (uart->where.kind == UART_16550_PORT)
        return port_read8((uint16_t)(uart->where.base + reg));
    return uart->registers[(size_t)reg << uart->where.register_shift];
}

static void ns_write(struct uart *uart, enum ns_register reg, uint8_t value)
{
    if (uart->where.kind == UART_16550_PORT)
        port_write8((uint16_t)(uart->where.base + reg), value);
    else
        uart->registers[(size_t)reg << uart->where.register_shift] = value;
}

static void ns16550_setup(struct uart *uart)
{
    ns_write(uart, NS_INTERRUPT_ENABLE, 0);
    if (uart->where.clock_hz) {
        unsigned divisor = MAX((uart->where.clock_hz + 8 * BAUD) / (16 * BAUD), 1u);
        ns_write(uart, NS_LINE_CONTROL, LCR_DIVISOR | LCR_8N1);
        ns_write(uart, NS_DATA, (uint8_t)divisor);
        ns_write(uart, NS_INTERRUPT_ENABLE, (uint8_t)(divisor >> 8));
    }
    ns_write(uart, NS_LINE_CONTROL, LCR_8N1);
    // The trigger only delays interrupts; a receive time-out delivers what lies below it.
    ns_write(uart, NS_FIFO_CONTROL, FCR_ENABLE | FCR_TRIGGER_14);
    ns_write(uart, NS_MODEM_CONTROL, MCR_DTR_RTS_OUT2);
}

static unsigned ns16550_interrupts_get(struct uart *uart)
{
    return ns_read(uart, NS_INTERRUPT_ENABLE);
}

static void ns16550_interrupts_set(struct uart *uart, unsigned enables)
{
    ns_write(uart, NS_INTERRUPT_ENABLE, (uint8_t)enables);
}

static size_t ns16550_read(struct uart *uart, uint8_t *to, size_t size, unsigned *line_errors)
{
    size_t count = 0;
    while (count < size) {
        uint8_t status = ns_read(uart, NS_LINE_STATUS);
        if (status == 0xff || !(status & LSR_DATA_READY)) // 0xff: no device answers
            break;
        uint8_t byte = ns_read(uart, NS_DATA);
        if (status & LSR_BREAK) {
            *line_errors |= UART_ERROR_BREAK; // a break reads as one zero byte that nobody sent
            continue;
        }
        if (status & (LSR_OVERRUN | LSR_PARITY | LSR_FRAMING))
            *line_errors |= UART_ERROR_LINE;
        to[count++] = byte;
    }
    return count;
}

static void ns16550_write(struct uart *uart, const uint8_t *from, size_t length)
{
    while (length > 0) {
        for (unsigned polls = 0; !(ns_read(uart, NS_LINE_STATUS) & LSR_TRANSMIT_EMPTY); polls++)
            if (polls == WAIT_POLLS_MAX)
                return;
        for (unsigned room = FIFO_BYTES; room > 0 && length > 0; room--, length--)
            ns_write(uart, NS_DATA, *from++);
    }
}

// Edge-triggered lines fall only when nothing is pending any more; reading clears each cause but
// received data, which the caller reads.
static void ns16550_acknowledge(struct uart *uart)
{
    ns_read(uart, NS_FIFO_CONTROL);
    ns_read(uart, NS_MODEM_STATUS);
}

static bool ns16550_receive_pending(struct uart *uart)
{
    uint8_t status = ns_read(uart, NS_LINE_STATUS);
    return status != 0xff && (status & LSR_DATA_READY);
}

const struct uart_driver uart_driver_16550 = {
    .name = "16550",
    .setup = ns16550_setup,
    .interrupts_get = ns16550_interrupts_get,
    .interrupts_set = ns16550_interrupts_set,
    .receive_interrupts = IER_RECEIVED | IER_LINE_STATUS,
    .read = ns16550_read,
    .write = ns16550_write,
    .acknowledge = ns16550_acknowledge,
    .receive_pending = ns16550_receive_pending,
};
