# SPDX-License-Identifier: MIT
"""What the system tests, the demo and the benchmark share: a machine, a gdb, a counting proxy."""
