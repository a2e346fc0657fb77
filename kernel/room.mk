# SPDX-License-Identifier: MIT
# The operating system. It knows the debugger by its public headers; nothing of gdbstub.
kernel.includes := kernel kdebug
kernel.sources  += kernel/trap.c kernel/panic.c
kernel.sources  += kernel/sched/ticker.c
plain.sources   += kernel/trap.c kernel/panic.c
