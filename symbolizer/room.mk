# SPDX-License-Identifier: MIT
# ELF, DWARF, the index, panic texts and their capsules, on the host.
symbolizer.includes := symbolizer base gdbstub kdebug/format

symbolizer.elf := symbolizer/elf.c symbolizer/elf_contents.c
host.sources += $(symbolizer.elf)
host.libs    += -lzstd -lz
