# SPDX-License-Identifier: MIT
# How a kernel is built: one set of rules, expanded once a machine.

cross.x86_64  := $(if $(filter x86_64,$(shell uname -m)),,x86_64-linux-gnu-)
cross.aarch64 := $(if $(filter aarch64,$(shell uname -m)),,aarch64-linux-gnu-)
cross.riscv64 := $(if $(filter riscv64,$(shell uname -m)),,riscv64-linux-gnu-)

warnings := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror

# The kernel that is debugged is the kernel that runs: optimised, with DWARF and with a frame pointer
# in every function, leaves and early exits too, or a backtrace would miss a caller.
kernel.cflags := -std=gnu17 -ffreestanding -nostdinc -O2 -g -gdwarf-5 -fno-omit-frame-pointer \
    -fno-optimize-sibling-calls -fno-shrink-wrap -fno-pic -fno-common -fno-strict-aliasing \
    -fno-delete-null-pointer-checks -fno-asynchronous-unwind-tables -fno-unwind-tables -ftrivial-auto-var-init=zero \
    -ffile-prefix-map=$(CURDIR)=. -DKD_CPU_MAX=8 -DFATHOM_VERSION=\"$(VERSION)\" $(warnings)

# offsets: struct cpu.stack_canary is 16, struct thread.stack_canary is 0 (checked where declared)
cflags.x86_64 := -m64 -mno-omit-leaf-frame-pointer -mno-red-zone -mgeneral-regs-only -mcmodel=kernel
guard.x86_64  := -mstack-protector-guard=tls -mstack-protector-guard-reg=gs \
    -mstack-protector-guard-offset=16
cflags.aarch64 := -mgeneral-regs-only -mno-omit-leaf-frame-pointer -mno-outline-atomics -march=armv8-a -mcmodel=small
guard.aarch64  := -mstack-protector-guard=sysreg -mstack-protector-guard-reg=sp_el0 \
    -mstack-protector-guard-offset=0
cflags.riscv64 := -march=rv64imac_zicsr_zifencei -mabi=lp64 -mcmodel=medany -mno-relax -msmall-data-limit=0
guard.riscv64  := -mstack-protector-guard=tls -mstack-protector-guard-reg=tp \
    -mstack-protector-guard-offset=0

# Shadow offsets stand in machine/layout.h too, for the runtime; the build checks that they agree.
kasan.offset.x86_64  := 0xdffffc0000000000
kasan.offset.aarch64 := 0xdffffc0000000000
kasan.offset.riscv64 := 0xdfffffff00000000

# Not bool and enum: gcc 12 rebuilds the load it checks without its volatile, so that a loop on a
# volatile bool (READ_ONCE too) never looks again.
hardening := -fsanitize=undefined -fno-sanitize=bool,enum -fsanitize-undefined-trap-on-error \
    -fstack-protector-strong
plain     := -fno-stack-protector

# What is the debugger's altogether lies in .text.debugger, where no breakpoint may be put.
debugger.all  = $(gdbstub.sources) $(kdebug.sources) $(kdebug.sources.$(1)) $(debugger.sources)
plain.all     = $(call debugger.all,$(1)) $(plain.sources)
debugger-text := $(foreach s,.text .text.unlikely .text.hot,--rename-section $(s)=.text.debugger)

# lz4.c, which packs the panic capsule, is fetched as source.
lz4.dir := $(BUILD)/lz4
$(lz4.dir)/lz4.c: scripts/fetch_lz4.sh
	$(call say,FETCH,$@)
	$(Q)scripts/fetch_lz4.sh $(@D)

# $(call kernel-rules,ARCH)
define kernel-rules
out.$(1)     := $$(BUILD)/$(1)$$(if $$(CONFIG),-$$(CONFIG))
cc.$(1)      := $$(cross.$(1))gcc
include.$(1) := -isystem $$(shell $$(cross.$(1))gcc -print-file-name=include 2>/dev/null) \
    -isystem kernel/lib/include -isystem $$(lz4.dir) -I. -Ikernel/arch/$(1) -Ikdebug/arch/$(1) -I$$(out.$(1))/gen
sources.$(1) := $$(kernel.sources) $$(kernel.sources.$(1)) $$(gdbstub.sources) \
    $$(kdebug.sources) $$(kdebug.sources.$(1))
objects.$(1) := $$(patsubst %,$$(out.$(1))/obj/%.o,$$(basename $$(sources.$(1))))
kasan.$(1)   := $$(if $$(filter kasan,$$(CONFIG)),-fsanitize=kernel-address \
    -fasan-shadow-offset=$$(kasan.offset.$(1)) --param asan-instrumentation-with-call-threshold=0 \
    --param asan-stack=1 --param asan-globals=1)
all-cflags.$(1) := $$(kernel.cflags) $$(cflags.$(1)) $$(include.$(1)) \
    $$(if $$(filter kasan,$$(CONFIG)),-DCONFIG_KASAN=1)

$$(out.$(1))/obj/%.o: %.c $$(out.$(1))/gen/offsets.h make/kernel.mk
	$$(call say,CC,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(cc.$(1)) $$(all-cflags.$(1)) \
	    $$(if $$(filter $$<,$$(call plain.all,$(1))),$$(plain),$$(hardening) $$(guard.$(1)) $$(kasan.$(1))) \
	    -MMD -MP -c $$< -o $$@
	$$(if $$(filter $$<,$$(call debugger.all,$(1))),$$(Q)$$(cross.$(1))objcopy $$(debugger-text) $$@)

$$(out.$(1))/obj/%.o: %.S $$(out.$(1))/gen/offsets.h make/kernel.mk
	$$(call say,AS,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(cc.$(1)) $$(all-cflags.$(1)) -D__ASSEMBLER__=1 -MMD -MP -c $$< -o $$@

# Structure offsets for assembly: the compiler writes them into assembly text, sed makes a header.
$$(out.$(1))/gen/offsets.h: kernel/arch/offsets.c make/kernel.mk $$(wildcard kernel/arch/$(1)/machine/*.h)
	$$(call say,OFFSETS,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(cc.$(1)) $$(all-cflags.$(1)) $$(plain) -MMD -MP -MF $$(@D)/offsets.d -MT $$@ -S $$< -o $$(@D)/offsets.s
	$$(Q)(echo '#pragma once'; sed -n 's/.*->\([A-Z_0-9]*\) [$$$$#]*\([0-9]*\).*/#define \1 \2/p' $$(@D)/offsets.s) > $$@

$$(out.$(1))/gen/kernel.lds: kernel/kernel.lds.S kernel/arch/$(1)/machine/layout.h
	@mkdir -p $$(@D)
	$$(Q)$$(cc.$(1)) -E -P -x assembler-with-cpp -D__ASSEMBLER__=1 $$(include.$(1)) $$< -o $$@

link.$(1) = $$(cross.$(1))ld -nostdlib -static --build-id=sha1 --no-relax -z max-page-size=4096 \
    -z noexecstack --no-warn-rwx-segments --orphan-handling=warn $$(LDFLAGS_EXTRA) -T $$(out.$(1))/gen/kernel.lds

# Linked twice: the second time with the table of the first one's symbols. The table lies behind
# the text, so no function moves.
$$(out.$(1))/kernel.elf: $$(objects.$(1)) $$(out.$(1))/gen/kernel.lds scripts/ksyms.py
	$$(call say,LINK,$$@)
	$$(Q)echo '.section .rodata' | $$(cc.$(1)) $$(cflags.$(1)) -c -x assembler - -o $$(out.$(1))/gen/ksyms0.o
	$$(Q)$$(link.$(1)) $$(objects.$(1)) $$(out.$(1))/gen/ksyms0.o -o $$(out.$(1))/gen/kernel0.elf
	$$(Q)$$(cross.$(1))nm -nS $$(out.$(1))/gen/kernel0.elf | $$(PYTHON) scripts/ksyms.py > $$(out.$(1))/gen/ksyms.S
	$$(Q)$$(cc.$(1)) $$(cflags.$(1)) -fno-pic -c $$(out.$(1))/gen/ksyms.S -o $$(out.$(1))/gen/ksyms.o
	$$(Q)$$(link.$(1)) -Map $$(out.$(1))/gen/kernel.map $$(objects.$(1)) $$(out.$(1))/gen/ksyms.o -o $$@

$$(out.$(1))/obj/kdebug/pack.o: $$(lz4.dir)/lz4.c
kernel: $$(out.$(1))/kernel.elf
-include $$(objects.$(1):.o=.d) $$(out.$(1))/gen/offsets.d
endef
$(foreach a,$(ARCHES),$(eval $(call kernel-rules,$(a))))
