# SPDX-License-Identifier: MIT
# ELF, DWARF, the index, panic texts and their capsules, on the host.
symbolizer.includes := symbolizer base gdbstub kdebug/format

symbolizer.elf := $(addprefix symbolizer/,elf.c elf_addresses.c elf_contents.c)
symbolizer.dwarf := $(addprefix symbolizer/dwarf,.c _file.c _form.c _abbrev.c _entry.c _lists.c \
    _scopes.c _line.c _split.c _types.c _at.c)
host.sources += $(symbolizer.elf) $(symbolizer.dwarf)
host.libs    += -lzstd -lz

# Symbol tables, and what reads an index.
symbolizer.symbols := $(addprefix symbolizer/,symbols.c demangle.c)
symbolizer.find    := symbolizer/find_debug.c
symbolizer.index   := $(addprefix symbolizer/,index_read.c index_lookup.c index_symbols.c index_pack.c \
    index_buffer.c index_build.c index_segments.c index_write.c index_cache.c unit_reader.c file_write.c)
host.sources += $(symbolizer.symbols) $(symbolizer.index) $(symbolizer.find)
host.libs    += -liberty -llz4

# The two ways to answer, behind symbolizer.h.
symbolizer.module := symbolizer/module.c symbolizer/lazy.c
host.sources += $(symbolizer.module)

unit.tests += symbolizer_index
unit.symbolizer_index.sources := tests/unit/symbolizer_index_test.c $(symbolizer.elf) \
    $(symbolizer.symbols) $(symbolizer.index) base/error.c
unit.symbolizer_index.cflags  := -Wl,--build-id
unit.symbolizer_index.libs    := -lzstd -lz -llz4 -liberty

unit.tests += symbolizer_symbols
unit.symbolizer_symbols.sources := tests/unit/symbolizer_symbols_test.c $(symbolizer.elf) \
    $(symbolizer.symbols) base/error.c
unit.symbolizer_symbols.libs    := -lzstd -lz -liberty

fuzz.targets += symbolizer_index
fuzz.symbolizer_index.sources := tests/fuzz/symbolizer_index_fuzz.c $(symbolizer.elf) \
    $(symbolizer.symbols) $(addprefix symbolizer/index_,read.c lookup.c symbols.c pack.c buffer.c) \
    symbolizer/file_write.c base/error.c
fuzz.symbolizer_index.libs    := $(unit.symbolizer_index.libs)

# Panic capsules, and gdb's view of them.
symbolizer.capsule := $(addprefix symbolizer/,capsule.c capsule_blocks.c capsule_records.c \
    capsule_join.c dead.c)
symbolizer.serve   := $(addprefix symbolizer/,session.c serve.c)
symbolizer.core    := symbolizer/core.c
symbolizer.locals  := $(addprefix symbolizer/,debug.c die.c expression.c evaluate.c location.c \
    entry_value.c frames.c unwind.c types.c type_print.c locals.c locals_print.c)
host.sources += $(symbolizer.capsule) $(symbolizer.serve) $(symbolizer.core) $(symbolizer.locals) \
    $(gdbstub.sources)
host.libs    += -ldwarf

unit.tests += sym_lists
unit.sym_lists.sources := tests/unit/sym_lists_test.c $(symbolizer.dwarf) $(symbolizer.elf) \
    base/error.c
unit.sym_lists.libs    := -lzstd -lz

unit.tests += sym_evaluate
unit.sym_evaluate.sources := tests/unit/sym_evaluate_test.c $(symbolizer.locals) \
    $(symbolizer.capsule) $(symbolizer.module) $(symbolizer.index) $(symbolizer.symbols) \
    $(symbolizer.find) $(symbolizer.dwarf) $(symbolizer.elf) base/error.c
unit.sym_evaluate.libs    := -ldwarf -llz4 -lzstd -lz -liberty

unit.tests += sym_capsule
unit.sym_capsule.sources := tests/unit/sym_capsule_test.c tests/unit/capsule_writer.c \
    $(symbolizer.capsule) $(symbolizer.serve) $(symbolizer.elf) base/error.c $(gdbstub.sources)
unit.sym_capsule.libs := -llz4 -lzstd -lz

# Panic texts: reading, looking up, writing.
symbolizer.report := $(addprefix symbolizer/report/,arena.c capstone.c cursor.c disassembly.c format.c \
    format_fathom.c format_freebsd.c format_linux.c format_redox.c format_zircon.c groups.c images.c \
    line.c linux_beginnings.c linux_place.c linux_skips.c linux_who.c reader.c riscv_disassembly.c \
    riscv_encodings.c source.c title.c write_html.c write_json.c write_text.c writers.c)
host.sources += $(symbolizer.report)
host.libs    += -ljansson -lnettle

unit.tests += report_line report_formats report_linux report_places
unit.report_line.sources    := tests/unit/report_line_test.c \
    $(addprefix symbolizer/report/,arena.c cursor.c line.c)
unit.report_formats.sources := tests/unit/report_formats_test.c tests/unit/report_logs.c \
    tests/unit/sym_fake.c $(symbolizer.report) base/error.c
unit.report_linux.sources   := tests/unit/report_linux_test.c tests/unit/report_logs.c \
    tests/unit/sym_fake.c $(symbolizer.report) base/error.c
unit.report_places.sources  := tests/unit/report_places_test.c tests/unit/sym_fake.c \
    $(symbolizer.report) base/error.c
unit.report_formats.libs    := -ljansson -lnettle
unit.report_linux.libs      := $(unit.report_formats.libs)
unit.report_places.libs     := $(unit.report_formats.libs)
unit.report_formats.cflags  := -DFATHOM_VERSION='"test"'
unit.report_linux.cflags    := $(unit.report_formats.cflags)
unit.report_places.cflags   := $(unit.report_formats.cflags)

fuzz.targets += report
fuzz.report.sources := tests/fuzz/report_fuzz.c tests/unit/sym_fake.c $(symbolizer.report) \
    base/error.c
fuzz.report.libs    := $(unit.report_formats.libs)
fuzz.report.cflags  := $(unit.report_formats.cflags)
fuzz.report.smoke   := 60
