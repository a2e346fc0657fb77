# SPDX-License-Identifier: MIT
kernel.sources += kernel/log/log.c kernel/log/console.c
plain.sources  += kernel/log/log.c kernel/log/console.c
