# SPDX-License-Identifier: MIT
# The one entry point. `make help` lists what can be made.
#
# Sources and rules live in the rooms: each directory with code has a room.mk that lists its
# sources and the rooms it may include (make lint checks the list against the includes). The
# variables a room.mk may add to:
#
#   kernel.sources          C and assembly of the kernel for every machine
#   kernel.sources.ARCH     the same for one machine (x86_64, aarch64, riscv64)
#   plain.sources           those of them to be compiled without sanitizers and stack protector:
#                           the debugger, exception entry, UART and panic paths. All of gdbstub
#                           and kdebug are, without being listed here.
#   debugger.sources        plain ones that are the debugger's own altogether (the UART drivers):
#                           no breakpoint may be put in them
#   gdbstub.sources, kdebug.sources, kdebug.sources.ARCH
#   ROOM.includes           the rooms ROOM's files may include headers of
#   host.sources            sources of the fathom command
#
# ARCH=... limits everything to one machine; CONFIG=kasan builds kernels with the address sanitizer
# into build/ARCH-kasan; BUILD=... moves the build directory; V=1 shows the commands.

MAKEFLAGS += --no-builtin-rules
SHELL     := /bin/bash
.DELETE_ON_ERROR:
.SUFFIXES:

BUILD      ?= build
ARCHES_ALL := x86_64 aarch64 riscv64
ARCHES     := $(if $(ARCH),$(ARCH),$(ARCHES_ALL))
CONFIG     ?=
ifneq ($(filter-out $(ARCHES_ALL),$(ARCHES)),)
$(error ARCH must be one of $(ARCHES_ALL))
endif
ifneq ($(filter-out kasan,$(CONFIG)),)
$(error CONFIG must be empty or kasan)
endif

VERSION := 0.1.0
HOST_CC ?= gcc
CLANG   ?= clang-14
PYTHON  ?= /usr/bin/python3
Q       := $(if $(V),,@)
say      = $(if $(V),,@printf '  %-8s %s\n' $(1) $(2))

.DEFAULT_GOAL := all
.PHONY: all kernel help clean
all: kernel

include $(sort $(wildcard */room.mk kernel/*/room.mk kernel/*/*/room.mk kdebug/arch/*/room.mk tests/*/room.mk))
include make/kernel.mk
include make/targets.mk

help: ## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | sort -u | column -t -s '|'

clean: ## remove everything built
	rm -rf $(BUILD) compile_commands.json
