# SPDX-License-Identifier: MIT
# The kernel on RISC-V 64: machines with SBI firmware, a device tree and a PLIC.
kernel.sources.riscv64 += $(addprefix kernel/arch/riscv64/, start.S start_tables.c entry.S \
    switch.S context.c trap.c cpu.c mmu.c sbi.c plic.c time.c smp.c boot.c power.c atomics.c)
plain.sources += $(addprefix kernel/arch/riscv64/, start_tables.c context.c trap.c cpu.c sbi.c \
    plic.c smp.c boot.c power.c atomics.c)
