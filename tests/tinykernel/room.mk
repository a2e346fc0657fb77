# SPDX-License-Identifier: MIT
# The tiny kernel of tests/system/test_tinykernel.py: kdebug and gdbstub without kernel/.
tiny.elf     := $(BUILD)/tests/tinykernel.elf
tiny.sources  = tests/tinykernel/start.S tests/tinykernel/tiny.c tests/tinykernel/strings.c \
    $(gdbstub.sources) $(kdebug.sources) $(kdebug.sources.riscv64)
# Only freestanding headers; string.h and errno.h declare what tiny.c defines.
tiny.cflags   = -std=gnu17 -ffreestanding -nostdinc -O2 -g -fno-omit-frame-pointer -fno-pic \
    -fno-tree-loop-distribute-patterns -march=rv64imac_zicsr_zifencei -mabi=lp64 -mcmodel=medany \
    -mno-relax -DKD_CPU_MAX=1 $(warnings) -isystem $(shell riscv64-linux-gnu-gcc -print-file-name=include \
    2>/dev/null) -isystem kernel/lib/include -isystem $(BUILD)/lz4 -I. -Ikdebug/arch/riscv64

$(tiny.elf): $(wildcard tests/tinykernel/* gdbstub/*.[ch] kdebug/*.[ch] kdebug/arch/riscv64/*) $(BUILD)/lz4/lz4.c
	$(call say,TINY,$@)
	@rm -rf $(@D)/tinykernel
	@mkdir -p $(@D)/tinykernel
	$(Q)for source in $(tiny.sources); do riscv64-linux-gnu-gcc $(tiny.cflags) -c $$source \
	    -o $(@D)/tinykernel/$$(basename $${source%.*})-$$(echo $$source | cksum | cut -c1-6).o \
	    || exit 1; done
	$(Q)mv $(@D)/tinykernel/tiny-*.o $(@D)/tinykernel/tiny.o
	$(Q)mv $(@D)/tinykernel/start-*.o $(@D)/tinykernel/start.o
	$(Q)riscv64-linux-gnu-ld -nostdlib -static --no-relax --no-warn-rwx-segments \
	    -T tests/tinykernel/link.lds $(@D)/tinykernel/*.o -o $@

tinykernel: $(tiny.elf) ## the smallest kernel with the debugger in it (RISC-V)
.PHONY: tinykernel
