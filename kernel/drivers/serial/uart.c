// SPDX-License-Identifier: MIT
// The UARTs of the machine as debug ports and as console input. The polled face works from the
// first lines of C on; the interrupt-driven one only receives. An interrupt's bytes go past the
// debugger (when it listens on the line) to the console.
#include "kernel/drivers/serial/uart.h"

#include <errno.h>
#include <string.h>

#include "kdebug/kdebug.h"
#include "kdebug/machine.h"
#include "kernel/cpu/cpu.h"
#include "kernel/drivers/serial/uart_drivers.h"
#include "kernel/irq/irq.h"
#include "kernel/log/console.h"
#include "kernel/log/log.h"
#include "kernel/mm/mapping.h"
#include "kernel/time/time.h"

#define RECEIVE_BATCH 64
// Twice this long a lone dollar sign waits for the rest of a packet. A packet's bytes follow one
// another faster, even from an emulator on a busy host.
#define HELD_NS (250 * NSEC_PER_MSEC)

static const struct uart_driver *const drivers[] = {
    [UART_16550_PORT] = &uart_driver_16550,
    [UART_16550_MMIO] = &uart_driver_16550,
    [UART_PL011] = &uart_driver_pl011,
};

static struct uart uarts[BOOT_UARTS_MAX];
static unsigned uart_count;

// -- the polled face --------------------------------------------------------------------------

static void port_claim(struct debug_port *port)
{
    struct uart *uart = port->device;
    if (!uart->claimed)
        uart->saved_enables = uart->driver->interrupts_get(uart);
    uart->claimed = true;
    uart->driver->interrupts_set(uart, 0);
}

static void port_release(struct debug_port *port)
{
    struct uart *uart = port->device;
    uart->claimed = false;
    uart->driver->interrupts_set(uart, uart->saved_enables);
}

static size_t port_read(struct debug_port *port, uint8_t *to, size_t size)
{
    struct uart *uart = port->device;
    unsigned errors = 0; // who polls has checksums
    return uart->driver->read(uart, to, size, &errors);
}

static void port_write(struct debug_port *port, const uint8_t *from, size_t length)
{
    struct uart *uart = port->device;
    uart->driver->write(uart, from, length);
}

// -- discovery --------------------------------------------------------------------------------

struct uart *uart_add(const struct boot_uart *where, volatile void *registers)
{
    const struct uart_driver *driver = drivers[where->kind];
    if (!driver || uart_count == ARRAY_SIZE(uarts))
        return NULL;
    struct uart *uart = &uarts[uart_count];
    uart->driver = driver;
    uart->where = *where;
    uart->registers = registers;
    kd_snprintf(uart->name, sizeof(uart->name), "uart%u", uart_count);
    uart->port = (struct debug_port){
        .name = uart->name,
        .claim = port_claim,
        .release = port_release,
        .read = port_read,
        .write = port_write,
        .device = uart,
    };
    driver->setup(uart);
    uart_count++;
    return uart;
}

// The UARTs that need no mapping, and the console through its fixmap slot, in boot_info's order.
// A second memory-mapped one waits for uart_map_all().
struct uart *uart_early(unsigned index)
{
    while (uart_count <= index && uart_count < boot_info.uart_count) {
        const struct boot_uart *where = &boot_info.uart[uart_count];
        volatile void *registers = NULL;
        if (where->kind != UART_16550_PORT) {
            if (uart_count > 0)
                return NULL;
            registers =
                fixmap_map(FIXMAP_EARLY_UART, where->base, PAGE_READ | PAGE_WRITE | PAGE_DEVICE);
        }
        if (!uart_add(where, registers))
            return NULL;
    }
    return uart_get(index);
}

struct uart *uart_get(unsigned index)
{
    return index < uart_count ? &uarts[index] : NULL;
}

void uart_map_all(void)
{
    for (unsigned i = 0; i < uart_count; i++) {
        if (uarts[i].where.kind == UART_16550_PORT)
            continue;
        volatile void *registers = device_map(uarts[i].where.base, PAGE_SIZE);
        if (registers)
            uarts[i].registers = registers;
    }
    for (unsigned i = uart_count; i < boot_info.uart_count; i++) {
        const struct boot_uart *where = &boot_info.uart[i];
        volatile void *registers =
            where->kind == UART_16550_PORT ? NULL : device_map(where->base, PAGE_SIZE);
        if (registers || where->kind == UART_16550_PORT)
            uart_add(where, registers);
    }
}

// -- the interrupt-driven face ----------------------------------------------------------------

// Room for what the debugger held back while it looked like a packet, in front of the new bytes.
// One buffer will do: only one UART is shared with the debugger, and `receiving` keeps a second
// CPU out.
static uint8_t shared_bytes[RECEIVE_BATCH + KD_HELD_BYTES];

static void receive_all(struct uart *uart, struct kd_frame *frame)
{
    uint8_t own_bytes[RECEIVE_BATCH];
    uint8_t *bytes = uart->shared ? shared_bytes : own_bytes;
    unsigned errors = 0;
    size_t count;
    while ((count = uart->driver->read(uart, bytes, RECEIVE_BATCH, &errors)) > 0 || errors) {
        if (uart->shared && (errors & UART_ERROR_BREAK))
            kd_receive_break(frame);
        errors = 0;
        if (uart->shared)
            count = kd_receive(frame, bytes, count, sizeof(shared_bytes));
        if (uart->console)
            console_receive(bytes, count);
    }
}

// A debug-class interrupt may be offered to several CPUs (an x86 NMI does not say whose it is). The
// second one leaves: the first reads until nothing is left, and looks again after it has let go.
void uart_receive(struct uart *uart, struct kd_frame *frame)
{
    do {
        if (__atomic_test_and_set(&uart->receiving, __ATOMIC_ACQUIRE))
            return;
        uart->driver->acknowledge(uart);
        receive_all(uart, frame);
        __atomic_clear(&uart->receiving, __ATOMIC_RELEASE);
    } while (uart->driver->receive_pending(uart));
}

// What the debugger held back because it looked like the beginning of a packet goes to the console
// when nothing has followed. The debug line's own interrupt is kept away from this CPU: where it
// is a level, one that finds `receiving` taken comes again at once, for ever.
static struct timer held_timer;

static void held_release(struct timer *timer)
{
    uintptr_t interrupts = kd_interrupts_off();
    for (unsigned i = 0; i < uart_count; i++) {
        struct uart *uart = &uarts[i];
        if (!uart->shared || __atomic_test_and_set(&uart->receiving, __ATOMIC_ACQUIRE))
            continue;
        size_t count = kd_receive_timeout(shared_bytes, sizeof(shared_bytes));
        if (uart->console)
            console_receive(shared_bytes, count);
        __atomic_clear(&uart->receiving, __ATOMIC_RELEASE);
        // And where it is an edge, the one that another CPU took meanwhile must be made up for.
        if (uart->driver->receive_pending(uart))
            uart_receive(uart, irq_frame());
    }
    kd_interrupts_restore(interrupts);
    timer_start(timer, clock_ns() + HELD_NS);
}

// Where the debug line has an ordinary interrupt, the CPU that it goes to may spin with interrupts
// off. So each CPU looks at the line now and then, and one of them finds the Ctrl-C.
static struct timer watch_timers[CPU_MAX];

static void watch(struct timer *timer)
{
    for (unsigned i = 0; i < uart_count; i++)
        if (uarts[i].shared && uarts[i].driver->receive_pending(&uarts[i]))
            uart_receive(&uarts[i], irq_frame());
    timer_start(timer, clock_ns() + HELD_NS);
}

static void watch_start(void *unused)
{
    (void)unused;
    struct timer *timer = &watch_timers[this_cpu()->index];
    timer_init(timer, watch);
    timer_start(timer, clock_ns() + HELD_NS);
}

static void uart_interrupt(struct kd_frame *frame, void *argument)
{
    uart_receive(argument, frame);
}

static void uart_start(struct uart *uart)
{
    if (uart->where.irq < 0) {
        log_warn("%s: no interrupt known: nothing typed arrives", uart->name);
        return;
    }
    enum irq_trigger trigger = uart->where.irq_level ? IRQ_LEVEL_HIGH : IRQ_EDGE_RISING;
    enum irq_class class = uart->shared ? IRQ_DEBUG : IRQ_ORDINARY;
    int status = irq_request(uart->where.irq, trigger, class, uart_interrupt, uart, uart->name);
    if (status == -ENOTSUP)
        status = irq_request(uart->where.irq, trigger, class = IRQ_ORDINARY, uart_interrupt, uart,
                             uart->name);
    if (status < 0) {
        log_error("%s: interrupt %d: error %d", uart->name, uart->where.irq, -status);
        return;
    }
    // An ordinary interrupt goes to whichever CPU has its interrupts on, where the controller can
    // do that, so that one that spins with them off cannot make the line deaf.
    if (uart->shared && class == IRQ_ORDINARY) {
        irq_route(uart->where.irq, cpu_online_mask());
        smp_call(cpu_online_mask(), watch_start, NULL, true);
    }
    unsigned enables = uart->driver->receive_interrupts;
    uart->saved_enables = enables;
    uart->driver->interrupts_set(uart, enables);
    log_info("%s: %s at 0x%llx, irq %d%s", uart->name, uart->driver->name,
             (unsigned long long)uart->where.base, uart->where.irq,
             class == IRQ_DEBUG ? " (not maskable)" : "");
}

void uart_start_all(void)
{
    bool shared = false;
    for (unsigned i = 0; i < uart_count; i++) {
        uart_start(&uarts[i]);
        shared |= uarts[i].shared;
    }
    if (!shared)
        return;
    timer_init(&held_timer, held_release);
    timer_start(&held_timer, clock_ns() + HELD_NS);
}
