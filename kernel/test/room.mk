# SPDX-License-Identifier: MIT
kernel.sources += kernel/test/ktest.c
