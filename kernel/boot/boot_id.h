// SPDX-License-Identifier: MIT
// A number that tells this boot of the machine from every other: for logs, which may hold several.
// Not a secret and not for keys.
#pragma once

#include <stdint.h>

#define BOOT_ID_BYTES 16

// Once, when boot_info is there.
void boot_id_init(void);
extern uint8_t boot_id[BOOT_ID_BYTES];
