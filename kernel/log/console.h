// SPDX-License-Identifier: MIT
// The console: where the log and the shell print, and where lines are typed. Output goes through a
// polled port while the kernel is young or in trouble and through the interrupt-driven driver
// once there is one; when gdb shares the line, it goes to gdb as O packets.
#pragma once

#include "kdebug/port.h"
#include "kernel/lib/base.h"
#include <kd_machine/frame.h>

// Until a port is set, output goes to arch_early_putc().
void console_port_set(struct debug_port *port);
// gdb shares the console's line: output is offered to kd_console_write() first.
void console_shared_set(bool shared);

// Text as it is; each \n becomes \r\n on the line. Any context but NMI; dropped while the debugger
// runs (it has the line).
void console_write(const char *text, size_t length);

// Received bytes, from the UART's interrupt (also in NMI context) or a poll; wakes the reader. A
// byte that does not fit is dropped and, by the reader, told.
void console_receive(const uint8_t *bytes, size_t length);
// Waits for one byte. Thread context; one reader.
uint8_t console_read(void);
// The reader sleeps until there is input; this makes it look after input that came in NMI context,
// where nobody can be woken. Called from ordinary interrupt context.
void console_kick(void);
