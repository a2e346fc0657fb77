# SPDX-License-Identifier: MIT
kernel.sources += kernel/boot/main.c kernel/boot/param.c kernel/boot/kdebug_ops.c kernel/boot/keep.c \
    kernel/boot/boot_id.c
# main.c runs before there is a stack canary, kdebug_ops.c inside the debugger, the others before the
# sanitizer's shadow.
plain.sources  += kernel/boot/main.c kernel/boot/kdebug_ops.c kernel/boot/keep.c \
    kernel/boot/boot_id.c
