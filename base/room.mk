# SPDX-License-Identifier: MIT
# What every room on the host may use: errors as values.
base.includes :=

host.sources += base/error.c
