# SPDX-License-Identifier: MIT
# Unit tests: cmocka programs on the host, under the address and undefined behaviour sanitizers.
# A room adds one from its own room.mk (or here) with two lines, and more only where needed:
#
#   unit.tests += NAME
#   unit.NAME.sources := tests/unit/NAME_test.c room/file.c ...   all C files, from the root
#   unit.NAME.cflags  := -DSOMETHING -Iroom/include               optional
#   unit.NAME.libs    := -llz4                                    optional
#
# `make test-unit` builds and runs them all, `make test-unit-NAME` one. Each is built whole by one
# call of the compiler: they are small, and so need no rules of their own. UNIT_ARGS is passed to
# the programs.
unit.cc     = $(HOST_CC) -std=gnu17 -g -O1 -fno-omit-frame-pointer -I. -D_GNU_SOURCE \
    -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror \
    -ffile-prefix-map=$(CURDIR)=. -fsanitize=address,undefined -fno-sanitize-recover=all
unit.dir    = $(BUILD)/host/unit

unit.tests += gdbstub_line gdbstub_packets gdbstub_parts
unit.gdbstub_line.sources    := tests/unit/gdbstub_line_test.c tests/unit/gdbstub_fake.c \
    $(gdbstub.sources)
unit.gdbstub_packets.sources := tests/unit/gdbstub_packets_test.c tests/unit/gdbstub_fake.c \
    $(gdbstub.sources)
unit.gdbstub_parts.sources   := tests/unit/gdbstub_parts_test.c $(gdbstub.sources)

# The fake machine behind a socket and the program it runs, for tests/system/test_gdbstub_host.py.
unit.server.sources := tests/unit/gdbstub_server.c tests/unit/gdbstub_fake.c $(gdbstub.sources)

.PRECIOUS: $(BUILD)/host/unit/%_test
.SECONDEXPANSION:
$(BUILD)/host/unit/%_test: $$(unit.$$*.sources) tests/unit/room.mk
	$(call say,UNIT,$@)
	@mkdir -p $(@D)
	$(Q)$(unit.cc) $(unit.$*.cflags) -MMD -MP -MF $@.d -MT $@ $(unit.$*.sources) -o $@ \
	    -lcmocka $(unit.$*.libs)

$(BUILD)/host/unit/gdbstub_server: $$(unit.server.sources) tests/unit/room.mk
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(unit.cc) -MMD -MP -MF $@.d -MT $@ $(unit.server.sources) -o $@

# Nothing but the instructions the fake machine knows: no branch targets, no padding, frames kept.
$(BUILD)/host/unit/gdbstub_toy.elf: tests/unit/gdbstub_toy.c tests/unit/room.mk
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(cross.x86_64)gcc -std=gnu17 -g -O2 -ffreestanding -fno-omit-frame-pointer \
	    -fno-optimize-sibling-calls -fcf-protection=none -fno-toplevel-reorder -fno-pic \
	    -falign-functions=1 -falign-loops=1 -nostdlib -static -no-pie \
	    -Wl,-Ttext=0x100000,-Tdata=0x104000,-Tbss=0x106000,--build-id=none $< -o $@

$(BUILD)/host/unit/gdbstub_toy.bin: $(BUILD)/host/unit/gdbstub_toy.elf
	$(Q)$(cross.x86_64)objcopy -O binary -j .text $< $@

# -MMD names one file when several sources are compiled at once; what counts is listed above.
-include $(wildcard $(BUILD)/host/unit/*.d)

.PHONY: test-unit gdbstub-host
test-unit: $$(addprefix test-unit-,$$(unit.tests)) ## unit tests of the host and of portable target code

test-unit-%: $(BUILD)/host/unit/%_test
	@echo "== $*"
	$(Q)$< $(UNIT_ARGS)

gdbstub-host: $(addprefix $(BUILD)/host/unit/,gdbstub_server gdbstub_toy.elf gdbstub_toy.bin)
