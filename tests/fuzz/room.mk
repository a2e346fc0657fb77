# SPDX-License-Identifier: MIT
# Fuzzing with libFuzzer under the address and undefined behaviour sanitizers. A target NAME is
# tests/fuzz/NAME_fuzz.c with its seeds in tests/fuzz/corpus/NAME/; what it links is listed here.
# `make fuzz` runs each for FUZZ_SECONDS and keeps what it finds under $(BUILD)/host/fuzz/;
# `make fuzz-smoke` replays the seeds and then tries for ten seconds or fuzz.NAME.smoke, as a test.
# That one begins with the same random number each time; `make fuzz` is there to look further.
FUZZ_SECONDS ?= 60

fuzz.targets += gdbstub
fuzz.gdbstub.sources := tests/fuzz/gdbstub_fuzz.c tests/unit/gdbstub_fake.c $(gdbstub.sources)

fuzz.targets += sym_capsule
fuzz.sym_capsule.sources := tests/fuzz/sym_capsule_fuzz.c tests/unit/capsule_writer.c \
    $(symbolizer.capsule) $(symbolizer.serve) $(symbolizer.elf) base/error.c $(gdbstub.sources)
fuzz.sym_capsule.libs := -llz4 -lzstd -lz

fuzz.targets += sym_debug
fuzz.sym_debug.sources := tests/fuzz/sym_debug_fuzz.c symbolizer/lazy.c symbolizer/symbols.c \
    $(symbolizer.elf) $(symbolizer.dwarf) base/error.c
fuzz.sym_debug.libs := -lzstd -lz
fuzz.sym_debug.smoke := 60

fuzz.targets += sym_locals
fuzz.sym_locals.sources := tests/fuzz/sym_locals_fuzz.c $(symbolizer.locals) \
    $(symbolizer.capsule) $(symbolizer.module) $(symbolizer.index) $(symbolizer.symbols) \
    $(symbolizer.find) $(symbolizer.dwarf) $(symbolizer.elf) base/error.c
fuzz.sym_locals.libs    := -ldwarf -llz4 -lzstd -lz -liberty
fuzz.sym_locals.smoke   := 60

fuzz.cc = $(CLANG) -std=gnu17 -g -O1 -I. -D_GNU_SOURCE -fno-omit-frame-pointer -Wall -Wextra \
    -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
fuzz.dir = $(BUILD)/host/fuzz

.PRECIOUS: $(BUILD)/host/fuzz/%_fuzz
.SECONDEXPANSION:
$(BUILD)/host/fuzz/%_fuzz: $$(fuzz.$$*.sources) $$(wildcard $$*/*.h) tests/fuzz/room.mk
	$(call say,FUZZ,$@)
	@mkdir -p $(@D)
	$(Q)$(fuzz.cc) $(fuzz.$*.cflags) $(fuzz.$*.sources) -o $@ \
	    $(fuzz.$*.libs)

.PHONY: fuzz fuzz-smoke
fuzz: $$(addprefix fuzz-run-,$$(fuzz.targets)) ## fuzz every target for FUZZ_SECONDS (60)
fuzz-smoke: $$(addprefix fuzz-smoke-,$$(fuzz.targets)) ## replay the fuzzing seeds, then try for 10 seconds

fuzz-run-%: $(BUILD)/host/fuzz/%_fuzz
	@mkdir -p $(fuzz.dir)/corpus/$*
	$(Q)$< -max_total_time=$(FUZZ_SECONDS) -max_len=40000 -print_final_stats=1 \
	    -artifact_prefix=$(fuzz.dir)/$*- $(fuzz.dir)/corpus/$* tests/fuzz/corpus/$*

fuzz-smoke-%: $(BUILD)/host/fuzz/%_fuzz
	$(Q)rm -rf $(fuzz.dir)/smoke/$* && mkdir -p $(fuzz.dir)/smoke/$*
	$(Q)$< -runs=0 tests/fuzz/corpus/$* 2>$(fuzz.dir)/$*-smoke.log || { cat $(fuzz.dir)/$*-smoke.log; exit 1; }
	$(Q)$< -seed=1 -max_total_time=$(or $(fuzz.$*.smoke),10) -max_len=4096 -artifact_prefix=$(fuzz.dir)/$*- \
	    $(fuzz.dir)/smoke/$* tests/fuzz/corpus/$* 2>$(fuzz.dir)/$*-smoke.log \
	    || { cat $(fuzz.dir)/$*-smoke.log; exit 1; }
	@tail -1 $(fuzz.dir)/$*-smoke.log
