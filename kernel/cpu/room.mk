# SPDX-License-Identifier: MIT
kernel.sources += \
    kernel/cpu/cpu.c \
    kernel/cpu/repair.c \
    kernel/cpu/smp.c \
    kernel/cpu/smp_test.c
plain.sources += kernel/cpu/cpu.c kernel/cpu/repair.c
