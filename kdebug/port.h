// SPDX-License-Identifier: MIT
// The byte port the debugger talks through: polled, without interrupts, without locks, and with no
// state in common with the interrupt-driven driver of the same device. It must work in any context
// and after any crash, so an implementation touches the device's registers and its own constants
// only, and every wait in it is bounded.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct debug_port {
    const char *name; // "uart0"
    // Puts the device into a known state (no interrupts needed, FIFOs on). Called at each entry,
    // since the driver may have been interrupted half-way. Keeps bytes already received.
    void (*claim)(struct debug_port *port);
    // Gives the device back to the driver (its interrupt enables as they were).
    void (*release)(struct debug_port *port);
    // Up to `size` received bytes without waiting; returns how many.
    size_t (*read)(struct debug_port *port, uint8_t *to, size_t size);
    // All bytes, waiting for room (bounded: a dead device loses them rather than hangs).
    void (*write)(struct debug_port *port, const uint8_t *from, size_t length);
    void *device; // the driver's own
};
