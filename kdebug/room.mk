# SPDX-License-Identifier: MIT
# The debugger inside the kernel. The machine-dependent files have the same names on each machine.
kdebug.includes := kdebug kdebug/format gdbstub
kdebug/format.includes :=

kdebug.sources := $(addprefix kdebug/, text.c core.c trap.c step.c atomic.c breakpoint.c memory.c \
    thread.c gdb.c backtrace.c regs.c panic.c canary.c capsule.c capsule_registers.c \
    capsule_threads.c capsule_memory.c capsule_lines.c pack.c kept.c)
$(foreach a,x86_64 aarch64 riscv64,$(eval kdebug.sources.$(a) := \
    $(addprefix kdebug/arch/$(a)/,entry.S registers.c trap.c step.c hw.c)))

unit.tests += kdebug_text
unit.kdebug_text.sources := tests/unit/kdebug_text_test.c kdebug/text.c
# It formats NULL on purpose.
unit.kdebug_text.cflags  := -Wno-format-overflow

# The decoders of two machines run anywhere.
unit.tests += kdebug_step_riscv64 kdebug_step_aarch64
unit.kdebug_step_riscv64.sources := tests/unit/kdebug_step_riscv64_test.c \
    kdebug/arch/riscv64/step.c kdebug/atomic.c
unit.kdebug_step_riscv64.cflags  := -Ikdebug/arch/riscv64
unit.kdebug_step_aarch64.sources := tests/unit/kdebug_step_aarch64_test.c \
    kdebug/arch/aarch64/step.c kdebug/atomic.c
unit.kdebug_step_aarch64.cflags  := -Ikdebug/arch/aarch64

# The capsule's writer, against other implementations of what it is made of.
unit.tests += kdebug_capsule
unit.kdebug_capsule.sources := tests/unit/kdebug_capsule_test.c kdebug/capsule_lines.c kdebug/pack.c \
    kdebug/kept.c kdebug/text.c
unit.kdebug_capsule.cflags  := -Ikdebug/arch/x86_64 -isystem $(BUILD)/lz4
unit.kdebug_capsule.libs    := -llz4 -lz
$(BUILD)/host/unit/kdebug_capsule_test: $(BUILD)/lz4/lz4.c
