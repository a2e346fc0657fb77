# SPDX-License-Identifier: MIT
kernel.sources += \
    kernel/time/clock.c \
    kernel/time/timer.c \
    kernel/time/time_test.c
plain.sources += kernel/time/clock.c
