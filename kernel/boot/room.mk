# SPDX-License-Identifier: MIT
kernel.sources += kernel/boot/main.c kernel/boot/param.c kernel/boot/kdebug_ops.c
# main.c runs before there is a stack canary, kdebug_ops.c inside the debugger.
plain.sources  += kernel/boot/main.c kernel/boot/kdebug_ops.c
