// SPDX-License-Identifier: MIT
// The firmware's power services (Arm DEN 0022, PSCI). Called by the start of other CPUs and the
// ways out; any context.
#pragma once

#include "kernel/lib/base.h"

#define PSCI_SYSTEM_OFF   0x84000008
#define PSCI_SYSTEM_RESET 0x84000009
#define PSCI_CPU_ON       0xc4000003

enum psci_conduit { PSCI_NONE, PSCI_HVC, PSCI_SMC };

// Set from the device tree by arch_boot_info().
extern enum psci_conduit psci_conduit;

// The firmware's answer, 0 or a negative PSCI error; PSCI_NOT_SUPPORTED without firmware.
#define PSCI_NOT_SUPPORTED (-1)
#define PSCI_ALREADY_ON    (-4)
int psci_call(uint32_t function, uint64_t a, uint64_t b, uint64_t c);
