# SPDX-License-Identifier: MIT
# Tables that firmware leaves in memory: readers that trust none of them.
kernel.sources.aarch64 += kernel/firmware/fdt.c kernel/firmware/fdt_boot.c
kernel.sources.riscv64 += kernel/firmware/fdt.c kernel/firmware/fdt_boot.c
kernel.sources.x86_64 += kernel/firmware/acpi.c
