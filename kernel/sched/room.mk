# SPDX-License-Identifier: MIT
kernel.sources += \
    kernel/sched/run_queue.c \
    kernel/sched/sched.c \
    kernel/sched/thread.c \
    kernel/sched/kd_threads.c \
    kernel/sched/ps_command.c \
    kernel/sched/spawn_command.c \
    kernel/sched/sched_test.c
plain.sources += kernel/sched/kd_threads.c
