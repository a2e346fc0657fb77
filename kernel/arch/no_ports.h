// SPDX-License-Identifier: MIT
// Port input and output on machines that have none: a port reads as an absent device.
#pragma once

#include <stdint.h>

static inline uint8_t port_read8(uint16_t port)
{
    (void)port;
    return 0xff;
}

static inline void port_write8(uint16_t port, uint8_t value)
{
    (void)port;
    (void)value;
}
