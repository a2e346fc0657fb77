// SPDX-License-Identifier: MIT
// Calls to the firmware: PSCI over the SMC calling convention (Arm DEN 0028). Used by smp.c and
// power.c; any context.
#include "kernel/arch/aarch64/psci.h"

enum psci_conduit psci_conduit;

__debugger_text int psci_call(uint32_t function, uint64_t a, uint64_t b, uint64_t c)
{
    register uint64_t x0 __asm__("x0") = function;
    register uint64_t x1 __asm__("x1") = a;
    register uint64_t x2 __asm__("x2") = b;
    register uint64_t x3 __asm__("x3") = c;
    // Of the caller's registers the convention lets x4 to x17 be lost in its older versions.
#define PSCI_CLOBBERS                                                                              \
    "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17",    \
        "memory"
    if (psci_conduit == PSCI_HVC)
        __asm__ volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::PSCI_CLOBBERS);
    else if (psci_conduit == PSCI_SMC)
        __asm__ volatile("smc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::PSCI_CLOBBERS);
    else
        return PSCI_NOT_SUPPORTED;
    return (int)x0;
}
