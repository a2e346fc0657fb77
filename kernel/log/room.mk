# SPDX-License-Identifier: MIT
kernel.sources += kernel/log/log.c kernel/log/console.c kernel/log/log_test.c
plain.sources  += kernel/log/log.c kernel/log/console.c
