// SPDX-License-Identifier: MIT
// The register table of AArch64 and what else the core must know about it as data. The table drives
// target.xml, the packets, the console and the panic dump; the readers at the end serve the rows
// that are not in the frame. DWARF numbers: DWARF for the Arm 64-bit Architecture, section 4.1.
#include <errno.h>

#include "kdebug/machine.h"

#define CORE   "org.gnu.gdb.aarch64.core"
#define FPU    "org.gnu.gdb.aarch64.fpu"
#define SYSTEM "org.fathom.aarch64.system"

#define FRAME(name_, feature_, field, type_, bits_, dwarf_, group_, read_only_)                    \
    {                                                                                              \
        .name = (name_), .feature = (feature_), .type = (type_), .bits = (bits_),                  \
        .dwarf = (dwarf_), .location = offsetof(struct kd_frame, field), .group = (group_),        \
        .read_only = (read_only_)                                                                  \
    }
#define X(n) FRAME("x" #n, CORE, x[n], NULL, 64, n, GDB_GROUP_GENERAL, false)
#define ABSENT(name_, type_, bits_, dwarf_, group_)                                                \
    {                                                                                              \
        .name = (name_), .feature = FPU, .type = (type_), .bits = (bits_), .dwarf = (dwarf_),      \
        .location = GDB_REGISTER_ABSENT, .group = (group_)                                         \
    }
#define V(n) ABSENT("v" #n, "uint128", 128, 64 + (n), GDB_GROUP_VECTOR)
#define SPECIAL(name_, key)                                                                        \
    {                                                                                              \
        .name = (name_), .feature = SYSTEM, .type = NULL, .bits = 64, .dwarf = -1,                 \
        .location = GDB_REGISTER_SPECIAL | (key), .group = GDB_GROUP_SYSTEM, .read_only = true     \
    }

// The system registers, once: the table's rows and the reader's cases come from this list.
#define SYSTEM_REGISTERS(ROW)                                                                      \
    ROW(0, currentel)                                                                              \
    ROW(1, sctlr_el1)                                                                              \
    ROW(2, ttbr0_el1)                                                                              \
    ROW(3, ttbr1_el1)                                                                              \
    ROW(4, tcr_el1)                                                                                \
    ROW(5, mair_el1)                                                                               \
    ROW(6, vbar_el1)                                                                               \
    ROW(7, mdscr_el1)                                                                              \
    ROW(8, mpidr_el1)                                                                              \
    ROW(9, midr_el1)                                                                               \
    ROW(10, cpacr_el1)                                                                             \
    ROW(11, contextidr_el1)                                                                        \
    ROW(12, tpidr_el1)                                                                             \
    ROW(13, tpidr_el0)                                                                             \
    ROW(14, sp_el0)                                                                                \
    ROW(15, cntvct_el0)                                                                            \
    ROW(16, cntfrq_el0)                                                                            \
    ROW(17, cntv_ctl_el0)                                                                          \
    ROW(18, cntv_cval_el0)
#define SYSTEM_ROW(key, name) SPECIAL(#name, key),

static const struct gdb_register registers[] = {
    X(0),
    X(1),
    X(2),
    X(3),
    X(4),
    X(5),
    X(6),
    X(7),
    X(8),
    X(9),
    X(10),
    X(11),
    X(12),
    X(13),
    X(14),
    X(15),
    X(16),
    X(17),
    X(18),
    X(19),
    X(20),
    X(21),
    X(22),
    X(23),
    X(24),
    X(25),
    X(26),
    X(27),
    X(28),
    FRAME("x29", CORE, x[29], "data_ptr", 64, 29, GDB_GROUP_GENERAL, false),
    X(30),
    FRAME("sp", CORE, sp, "data_ptr", 64, 31, GDB_GROUP_GENERAL, false),
    FRAME("pc", CORE, pc, "code_ptr", 64, 32, GDB_GROUP_GENERAL, false),
    FRAME("cpsr", CORE, pstate, "cpsr_flags", 32, -1, GDB_GROUP_GENERAL, false),
#define GENERAL_COUNT 34
    V(0),
    V(1),
    V(2),
    V(3),
    V(4),
    V(5),
    V(6),
    V(7),
    V(8),
    V(9),
    V(10),
    V(11),
    V(12),
    V(13),
    V(14),
    V(15),
    V(16),
    V(17),
    V(18),
    V(19),
    V(20),
    V(21),
    V(22),
    V(23),
    V(24),
    V(25),
    V(26),
    V(27),
    V(28),
    V(29),
    V(30),
    V(31),
    ABSENT("fpsr", "int", 32, -1, GDB_GROUP_FLOAT),
    ABSENT("fpcr", "int", 32, -1, GDB_GROUP_FLOAT),
    FRAME("pmr", SYSTEM, pmr, NULL, 64, -1, GDB_GROUP_SYSTEM, false),
    FRAME("esr_el1", SYSTEM, esr, NULL, 64, -1, GDB_GROUP_SYSTEM, true),
    FRAME("far_el1", SYSTEM, far, NULL, 64, -1, GDB_GROUP_SYSTEM, true),
    SYSTEM_REGISTERS(SYSTEM_ROW)};

// Arm ARM C5.2.19, SPSR_EL1.
static const char cpsr_type[] = "<flags id=\"cpsr_flags\" size=\"4\">"
                                "<field name=\"SP\" start=\"0\" end=\"0\"/>"
                                "<field name=\"EL\" start=\"2\" end=\"3\"/>"
                                "<field name=\"nRW\" start=\"4\" end=\"4\"/>"
                                "<field name=\"F\" start=\"6\" end=\"6\"/>"
                                "<field name=\"I\" start=\"7\" end=\"7\"/>"
                                "<field name=\"A\" start=\"8\" end=\"8\"/>"
                                "<field name=\"D\" start=\"9\" end=\"9\"/>"
                                "<field name=\"IL\" start=\"20\" end=\"20\"/>"
                                "<field name=\"SS\" start=\"21\" end=\"21\"/>"
                                "<field name=\"PAN\" start=\"22\" end=\"22\"/>"
                                "<field name=\"V\" start=\"28\" end=\"28\"/>"
                                "<field name=\"C\" start=\"29\" end=\"29\"/>"
                                "<field name=\"Z\" start=\"30\" end=\"30\"/>"
                                "<field name=\"N\" start=\"31\" end=\"31\"/>"
                                "</flags>";

static const struct gdb_machine machine = {
    .architecture = "aarch64",
    .osabi = "none",
    .extra_types = cpsr_type,
    .extra_types_feature = CORE,
    .registers = registers,
    .register_count = sizeof(registers) / sizeof(registers[0]),
    .general_count = GENERAL_COUNT,
    .pc = 32,
    .sp = 31,
    .fp = 29,
    .link = 30,
    .breakpoint_kinds = {4},
    .pointer_bytes = 8,
};

const struct kd_machine_caps kd_machine = {
    .gdb = &machine,
    .breakpoint_insn = {[3] = {0x00, 0x00, 0x20, 0xd4}}, // brk #0
    .breakpoint_lengths = 1 << 3,
    .hardware_step = true,
    .watch_read_only = true,
    .frame_record_offset = 0,
};

#define SYSTEM_CASE(key, name)                                                                     \
    case key:                                                                                      \
        __asm__ volatile("mrs %0, " #name : "=r"(*value));                                         \
        return 0;

int kd_special_read(uint32_t key, uint64_t *value)
{
    switch (key & ~GDB_REGISTER_SPECIAL) {
        SYSTEM_REGISTERS(SYSTEM_CASE)
    default:
        return -ENODATA;
    }
}

int kd_special_write(uint32_t key, uint64_t value)
{
    (void)key;
    (void)value;
    return -EACCES;
}
