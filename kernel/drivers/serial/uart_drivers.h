// SPDX-License-Identifier: MIT
// The kinds of UART there are drivers for.
#pragma once

#include "kernel/drivers/serial/uart.h"

extern const struct uart_driver uart_driver_16550; // both kinds, by uart.where.kind
extern const struct uart_driver uart_driver_pl011;
