# SPDX-License-Identifier: MIT
# Tables that firmware leaves in memory: readers that trust none of them.
fdt.sources := kernel/firmware/fdt.c kernel/firmware/fdt_bus.c kernel/firmware/fdt_boot.c
kernel.sources.aarch64 += $(fdt.sources)
kernel.sources.riscv64 += $(fdt.sources)
kernel.sources.x86_64 += kernel/firmware/acpi.c
# They read the tree through the direct map before the address sanitizer's shadow of that exists.
plain.sources += kernel/firmware/fdt.c kernel/firmware/fdt_bus.c

unit.tests += fdt
unit.fdt.sources := tests/unit/fdt_test.c $(fdt.sources)
unit.fdt.cflags   = -include tests/unit/fdt_host.h -DFDT_BOARD='"$(BUILD)/host/unit/fdt_board.dtb"'
$(BUILD)/host/unit/fdt_test: $(BUILD)/host/unit/fdt_board.dtb
$(BUILD)/host/unit/fdt_board.dtb: tests/unit/fdt_board.dts
	$(call say,DTC,$@)
	@mkdir -p $(@D)
	$(Q)dtc -q -I dts -O dtb -o $@ $<

fuzz.targets += fdt
fuzz.fdt.sources := tests/fuzz/fdt_fuzz.c $(fdt.sources)
fuzz.fdt.cflags  := -include tests/unit/fdt_host.h

unit.tests += acpi
unit.acpi.sources := tests/unit/acpi_test.c kernel/firmware/acpi.c
unit.acpi.cflags  := -Itests/unit/acpi_fake
