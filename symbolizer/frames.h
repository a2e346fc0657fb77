// SPDX-License-Identifier: MIT
// The call frame information of one address. The entry and what it shares with others (FDE and CIE;
// DWARF 5, section 6.4.1) are looked for here, in .debug_frame and then .eh_frame, and only those
// two are given to libdwarf, as a section of their own: it would take apart all of a kernel's, and
// refuse all for one whose augmentation it does not know. Called by unwind.c.
#pragma once

#include <libdwarf/dwarf.h>
#include <libdwarf/libdwarf.h>
#include <stdbool.h>
#include <stdint.h>

#include "symbolizer/elf.h"

struct sym_frame_rules {
    Dwarf_Regtable3 table; // its rules are `rules`
    Dwarf_Regtable_Entry3 *rules;
    unsigned return_column;
    bool signal; // of an exception's entry
    // What blocks of expressions in the rules lie in.
    Dwarf_Debug dbg_;
    struct sym_frame_section *section_;
};

// The rules of `count` registers at an address as linked. False: there are none. True: to be ended
// by sym_frame_rules_end().
bool sym_frame_rules_find(struct sym_elf *elf, uint64_t pc, unsigned count,
                          struct sym_frame_rules *out);
void sym_frame_rules_end(struct sym_frame_rules *rules);
