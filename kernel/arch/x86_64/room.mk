# SPDX-License-Identifier: MIT
# The kernel on x86-64: q35 and other ACPI machines.
kernel.sources.x86_64 += $(addprefix kernel/arch/x86_64/, start.S entry.S switch.S trap.c cpu.c \
    context.c apic.c ioapic.c time.c smp.c boot.c early_console.c power.c pci_irq.c)
plain.sources += $(addprefix kernel/arch/x86_64/, trap.c cpu.c context.c apic.c ioapic.c smp.c \
    early_console.c power.c)
