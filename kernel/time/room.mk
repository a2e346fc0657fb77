# SPDX-License-Identifier: MIT
kernel.sources += \
    kernel/time/clock.c \
    kernel/time/timer.c
plain.sources += kernel/time/clock.c
