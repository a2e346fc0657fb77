// SPDX-License-Identifier: MIT
// What boot.c tells power.c.
#pragma once

#include "kernel/firmware/fdt.h"

// Looks up how to leave with a status. Boot CPU, once.
void power_find(const struct fdt *fdt);
