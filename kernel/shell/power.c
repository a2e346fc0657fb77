// SPDX-License-Identifier: MIT
// The commands that end it all in an orderly way. Allowed in the debugger too.
#include "kernel/arch/cpu.h"
#include "kernel/shell/command.h"

static int reboot_run(struct command_call *call)
{
    kd_text_string(call->out, "rebooting\n");
    kd_text_flush(call->out);
    arch_reboot();
    kd_text_string(call->out, "this machine offers no way to reboot\n");
    return 0;
}

static int poweroff_run(struct command_call *call)
{
    kd_text_string(call->out, "powering off\n");
    kd_text_flush(call->out);
    arch_poweroff(false);
    kd_text_string(call->out, "this machine offers no way to switch itself off\n");
    return 0;
}

COMMAND(reboot, "reboot", "reboot", "restart the machine", reboot_run, NULL);
COMMAND(poweroff, "poweroff", "poweroff", "switch the machine off", poweroff_run, NULL);
