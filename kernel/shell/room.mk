# SPDX-License-Identifier: MIT
kernel.sources += kernel/shell/shell.c kernel/shell/line.c kernel/shell/power.c kernel/shell/crash.c \
    kernel/shell/shell_test.c
