# SPDX-License-Identifier: MIT
kernel.sources += \
    kernel/sync/held.c \
    kernel/sync/spinlock.c \
    kernel/sync/wait.c \
    kernel/sync/mutex.c \
    kernel/sync/rwlock.c \
    kernel/sync/condition.c \
    kernel/sync/patience.c \
    kernel/sync/locks_command.c \
    kernel/sync/lock_test.c
