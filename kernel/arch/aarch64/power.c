// SPDX-License-Identifier: MIT
// The ways out of the machine, by the firmware. Also called by the debugger after a panic: no
// locks, nothing is waited for.
#include "kernel/arch/aarch64/psci.h"
#include "kernel/arch/cpu.h"

__debugger_text void arch_reboot(void)
{
    psci_call(PSCI_SYSTEM_RESET, 0, 0, 0);
}

// PSCI has no exit status to give.
__debugger_text void arch_poweroff(bool failure __unused)
{
    psci_call(PSCI_SYSTEM_OFF, 0, 0, 0);
}
