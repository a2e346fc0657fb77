# SPDX-License-Identifier: MIT
kernel.sources += \
    kernel/cpu/cpu.c \
    kernel/cpu/smp.c
