# SPDX-License-Identifier: MIT
# ELF, DWARF, the index, panic texts and their capsules, on the host.
symbolizer.includes := symbolizer base gdbstub kdebug/format

symbolizer.elf := symbolizer/elf.c symbolizer/elf_contents.c
host.sources += $(symbolizer.elf)
host.libs    += -lzstd -lz

# Symbol tables, and what reads an index.
symbolizer.symbols := $(addprefix symbolizer/,symbols.c demangle.c)
symbolizer.index   := $(addprefix symbolizer/,index_read.c index_pack.c index_buffer.c file_write.c)
host.sources += $(symbolizer.symbols) $(symbolizer.index)
host.libs    += -liberty -llz4
