# SPDX-License-Identifier: MIT
kernel.sources += \
    kernel/irq/irq.c \
    kernel/irq/irq_command.c \
    kernel/irq/irq_test.c
