# SPDX-License-Identifier: MIT
# The fathom command, on the host.
fathom.includes := fathom base symbolizer

host.sources += $(addprefix fathom/,main.c addr2line.c address_sort.c address_text.c address_word.c decode.c postmortem.c gdb.c index.c machine.c \
    options.c relay.c run.c splitter.c terminal.c verdict.c)

unit.tests += fathom_splitter fathom_verdict fathom_options fathom_address_sort
unit.fathom_splitter.sources := tests/unit/fathom_splitter_test.c fathom/splitter.c
unit.fathom_address_sort.sources := tests/unit/fathom_address_sort_test.c fathom/address_sort.c
unit.fathom_verdict.sources  := tests/unit/fathom_verdict_test.c fathom/verdict.c
unit.fathom_options.sources  := tests/unit/fathom_options_test.c fathom/options.c base/error.c
