// SPDX-License-Identifier: MIT
// What the kernel offers its debugger, and the parameters that switch it on.
#pragma once

// Tells the debugger about the kernel. Boot CPU, as soon as exceptions and the clock work.
void kdebug_ops_init(void);
// Gives it the ports there are by now; with kdebug=wait stops as soon as its own is there.
void kdebug_ports_update(void);
