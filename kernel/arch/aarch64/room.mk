# SPDX-License-Identifier: MIT
# The kernel on AArch64: QEMU's virt and other machines with a device tree, a GIC and PSCI.
kernel.sources.aarch64 += $(addprefix kernel/arch/aarch64/, start.S entry.S switch.S trap.c cpu.c \
    mmu.c context.c gic.c gic_v2.c gic_v2m.c gic_v3.c gic_its.c time.c psci.c smp.c power.c boot.c early_console.c)
plain.sources += $(addprefix kernel/arch/aarch64/, trap.c cpu.c mmu.c context.c gic.c gic_v2.c \
    gic_v3.c psci.c smp.c power.c early_console.c)
