# The debugger inside the kernel. The machine-dependent files have the same names on each machine.
kdebug.includes := kdebug gdbstub

kdebug.sources := text.c

unit.tests += kdebug_text
unit.kdebug_text.sources := tests/unit/kdebug_text_test.c kdebug/text.c
