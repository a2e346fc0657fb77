// SPDX-License-Identifier: MIT
// The one table of registers a machine has. Its rows drive target.xml, the g, G, p and P packets,
// the console's `regs` command and the register dump of a panic: nothing lists registers twice.
// Rows stand in the order of their gdb numbers; the row's index in the table is its number in the
// protocol. The first `general_count` rows make up the g packet; the rest is read one by one with
// p, so rare registers cost nothing at a stop (GDB manual, E.3 "Packets", G.2 "Target Description
// Format", G.5 "Standard Target Features").
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gdb_register_group {
    GDB_GROUP_GENERAL,
    GDB_GROUP_FLOAT,
    GDB_GROUP_VECTOR,
    GDB_GROUP_SYSTEM,
};

// Where a register's value lies when it is not in the saved frame: `location` is then a key that
// only the machine's own reader understands (GDB_REGISTER_SPECIAL | key).
#define GDB_REGISTER_SPECIAL UINT32_C(0x80000000)
// The kernel keeps no value of it (floating point in a kernel that has none): always unavailable.
#define GDB_REGISTER_ABSENT UINT32_C(0xffffffff)

struct gdb_register {
    const char *name;    // gdb's own spelling; never NULL
    const char *feature; // e.g. "org.gnu.gdb.riscv.cpu"; rows of one feature stand together
    const char *type;    // gdb type, e.g. "int", "code_ptr", "i387_ext"; NULL: from the size
    uint16_t bits;       // size; a multiple of 8
    int16_t dwarf;       // DWARF number, -1 where it has none
    uint32_t location;   // byte offset in the saved frame, or one of the two above
    uint8_t group;       // enum gdb_register_group
    bool read_only;      // P and G leave it alone; a P of it alone is an error
};

// A machine as gdb sees it. Constant; the arrays live as long as it does.
struct gdb_machine {
    const char *architecture;        // gdb's name, e.g. "i386:x86-64", "aarch64", "riscv:rv64"
    const char *osabi;               // "none": without it a multi-arch gdb may assume GNU/Linux
    const char *extra_types;         // XML of <flags>, <struct>, <vector> types by feature, or NULL
    const char *extra_types_feature; // the feature extra_types stands in
    const struct gdb_register *registers;
    uint16_t register_count;
    uint16_t general_count;      // rows in the g packet
    uint16_t pc, sp, fp;         // row indices, expedited in stop replies
    uint16_t link;               // the same for the return address register; 0: there is none
    uint8_t breakpoint_kinds[4]; // the kinds (= lengths) Z0 accepts, 0 ends
    uint8_t pointer_bytes;
};
