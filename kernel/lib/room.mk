# SPDX-License-Identifier: MIT
# What every kernel file may use: strings, lists, tables, the kernel's own symbols.
kernel.sources += kernel/lib/string.c kernel/lib/ksyms.c kernel/lib/builtins.c kernel/lib/string_test.c
plain.sources += kernel/lib/string.c kernel/lib/ksyms.c kernel/lib/builtins.c

unit.tests += kernel_string
unit.kernel_string.sources := tests/unit/kernel_string_test.c
