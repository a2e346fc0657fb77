# SPDX-License-Identifier: MIT
# Targets that concern the whole project: dependencies, the host's programs, tests, lint, demo,
# installation.

.PHONY: deps run gdb demo test test-system bench lint format install host man \
    compile_commands

# -- dependencies ---------------------------------------------------------------------------------
# An included makefile is made before anything else, so every target finds its tools: a stamp, a
# test of one file's age when all is there.
ifneq ($(filter-out clean help deps,$(or $(MAKECMDGOALS),all)),)
-include $(BUILD)/deps.mk
endif

$(BUILD)/deps.mk: scripts/deps.sh
	@mkdir -p $(@D)
	@scripts/deps.sh
	@echo '# what scripts/deps.sh lists is installed' > $@

deps: $(BUILD)/lz4/lz4.c ## install what is missing, with apt
	@scripts/deps.sh
	@mkdir -p $(BUILD) && echo '# what scripts/deps.sh lists is installed' > $(BUILD)/deps.mk

# -- the host's programs --------------------------------------------------------------------------
host.warnings := $(warnings)
host.cflags   := -std=gnu17 -D_GNU_SOURCE -O2 -g -I. -ffile-prefix-map=$(CURDIR)=. \
    -DFATHOM_VERSION='"$(VERSION)"' $(host.warnings)
host.objects  := $(patsubst %.c,$(BUILD)/host/%.o,$(host.sources))

$(BUILD)/host/%.o: %.c make/targets.mk
	$(call say,HOSTCC,$@)
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) $(host.cflags) -MMD -MP -c $< -o $@

$(BUILD)/fathom: $(host.objects)
	$(call say,HOSTLD,$@)
	$(Q)$(HOST_CC) $^ -o $@ $(host.libs)
-include $(host.objects:.o=.d)

host: $(BUILD)/fathom ## the fathom command
all: host kernel ## everything that runs: the fathom command and the kernels

# Manual pages: the SYNOPSIS and OPTIONS of a subcommand come from its table of options.
man.pages := $(patsubst fathom/man/%.scd,$(BUILD)/man/%,$(wildcard fathom/man/*.scd))
$(BUILD)/man/%: fathom/man/%.scd $(BUILD)/fathom
	$(call say,MAN,$@)
	@mkdir -p $(@D)
	$(Q)$(BUILD)/fathom --manual $(patsubst fathom-%.1,%,$*) > $@.options || true
	$(Q)sed -e '/^@options@$$/{r $@.options' -e 'd}' $< | scdoc > $@ && rm $@.options
man: $(man.pages) ## manual pages

PREFIX ?= /usr/local
install: all man ## install below $(DESTDIR)$(PREFIX)
	install -D -m 755 $(BUILD)/fathom $(DESTDIR)$(PREFIX)/bin/fathom
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/fathom/gdb
	install -m 644 $(man.pages) $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 kdebug/gdb/fathom.gdb $(DESTDIR)$(PREFIX)/share/fathom/gdb
	install -D -m 644 fathom/completion/fathom.bash \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions/fathom
	$(foreach a,$(ARCHES),install -D -m 644 $(out.$(a))/kernel.elf \
	    $(DESTDIR)$(PREFIX)/share/fathom/$(a)/kernel.elf;)

# -- running --------------------------------------------------------------------------------------
# These take one machine: ARCH, else the host's own kind.
one.arch := $(or $(ARCH),$(filter $(shell uname -m),$(ARCHES_ALL)),x86_64)

run: host $(out.$(one.arch))/kernel.elf ## start the OS in QEMU, gdb on port 1234 (RUN=options)
	@$(BUILD)/fathom run --arch $(one.arch) --kernel $(out.$(one.arch))/kernel.elf $(RUN)

gdb: host $(out.$(one.arch))/kernel.elf ## start gdb on a machine that `make run` has started
	@$(BUILD)/fathom gdb --arch $(one.arch) --kernel $(out.$(one.arch))/kernel.elf $(GDB)

demo: all ## watch gdb step through the running kernel on every machine, or on ARCH
	@$(PYTHON) scripts/demo.py --build $(BUILD) $(ARCHES)

# BENCH=symbolizer measures that instead of the debugger, on a kernel of Debian's that it fetches.
bench: $(if $(filter symbolizer,$(BENCH)),host,all) ## measure figures beside the peers' (BENCH=symbolizer: of addresses)
ifeq ($(BENCH),symbolizer)
	@$(PYTHON) tests/bench/symbolizer.py --build $(BUILD)
else
	@$(PYTHON) tests/bench/bench.py --build $(BUILD) $(ARCHES)
endif

# -- tests ----------------------------------------------------------------------------------------
# PYTEST=... adds options: PYTEST='-k attach'
test-system: all ## QEMU and gdb, on every machine or on ARCH
	$(Q)BUILD=$(BUILD) FATHOM_BUILD=$(BUILD) FATHOM_ARCHES="$(ARCHES)" $(PYTHON) -m pytest -q -p no:cacheprovider \
	    tests/system $(PYTEST)

# Kernels with the address sanitizer, which the system tests run the self-tests of.
kasan: ## kernels with the address sanitizer
	$(Q)$(MAKE) --no-print-directory CONFIG=kasan kernel
.PHONY: kasan

test: test-unit kasan ## all tests
	$(Q)$(MAKE) --no-print-directory -j2 fuzz-smoke
	$(Q)$(MAKE) --no-print-directory test-system

# -- lint -----------------------------------------------------------------------------------------
c.files  = $(shell git ls-files '*.c' '*.h')
py.files = $(shell git ls-files '*.py')

# One line a source and machine: machine, source, flags. The variables are the build's own.
define command-lines
$(foreach a,$(ARCHES),$(foreach s,$(filter %.c,$(sources.$(a))),$(file >>$(BUILD)/$@.lines,$(a) $(s) $(all-cflags.$(a)))))
$(foreach s,$(host.sources),$(file >>$(BUILD)/$@.lines,host $(s) $(host.cflags)))
$(foreach t,$(unit.tests),$(file >>$(BUILD)/$@.lines,host $(firstword $(unit.$(t).sources)) $(filter-out $(HOST_CC),$(unit.cc)) $(unit.$(t).cflags)))
endef
compile_commands.json: FORCE
	@: $(file >$(BUILD)/$@.lines)$(command-lines)
	$(Q)$(PYTHON) scripts/compile_commands.py $(BUILD)/$@.lines > $@
	@rm -f $(BUILD)/$@.lines
compile_commands: compile_commands.json ## compile_commands.json for clangd, all machines
FORCE:

# The debugger, exception entry, UART and panic paths of a sanitized kernel are not sanitized.
plain.objects = $(foreach a,$(ARCHES),$(patsubst %,$(BUILD)/$(a)-kasan/obj/%.o,$(basename $(filter $(sources.$(a)),$(call plain.all,$(a))))))

lint: kasan $(foreach a,$(ARCHES),$(out.$(a))/gen/offsets.h) compile_commands.json ## layout, static analysis, the rooms' arrows, licences
	$(call say,FORMAT,"$(words $(c.files)) files")
	$(Q)clang-format-14 --dry-run -Werror $(c.files)
	$(call say,ROOMS,"includes against room.mk")
	$(Q)$(PYTHON) scripts/check_rooms.py $(foreach r,gdbstub kdebug/format kdebug kernel base symbolizer fathom,"$(r)=$($(r).includes)")
	$(call say,PLAIN,"no sanitizer in the debugger's path")
	$(Q)$(PYTHON) scripts/check_plain.py $(plain.objects)
	$(call say,HOUSE,"licences and paths and promises")
	$(Q)$(PYTHON) scripts/check_house.py
	$(Q)$(PYTHON) scripts/check_twins.py
	$(Q)$(PYTHON) scripts/params.py --check
	$(call say,PYTHON,"$(words $(py.files)) files")
	$(Q)$(PYTHON) -m compileall -q $(py.files)
	$(call say,MANDOC,fathom/man)
	$(Q)$(MAKE) --no-print-directory man
	$(Q)mandoc -T lint -W error $(man.pages)
	$(call say,TIDY,"clang-tidy-14")
	$(Q)$(PYTHON) scripts/tidy.py compile_commands.json

format: ## lay out the C files as .clang-format says
	clang-format-14 -i $(c.files)
	$(PYTHON) scripts/params.py --write
