// SPDX-License-Identifier: MIT
// The register table of RISC-V 64 and what else the core must know about it as data. The table
// drives target.xml, the packets, the console and the panic dump; the readers at the end serve the
// rows that are not in the frame. DWARF numbers: RISC-V DWARF specification, "DWARF register
// numbers"; CSRs are 4096 and their number.
#include <errno.h>

#include "kdebug/machine.h"

#define CPU "org.gnu.gdb.riscv.cpu"
#define FPU "org.gnu.gdb.riscv.fpu"
#define CSR "org.gnu.gdb.riscv.csr"

#define X(n, name_, type_)                                                                         \
    {                                                                                              \
        .name = (name_), .feature = CPU, .type = (type_), .bits = 64, .dwarf = (n),                \
        .location = offsetof(struct kd_frame, x[n]), .group = GDB_GROUP_GENERAL                    \
    }
#define F(n, name_)                                                                                \
    {                                                                                              \
        .name = (name_), .feature = FPU, .type = "ieee_double", .bits = 64, .dwarf = 32 + (n),     \
        .location = GDB_REGISTER_ABSENT, .group = GDB_GROUP_FLOAT                                  \
    }
#define FCSR(name_)                                                                                \
    {                                                                                              \
        .name = (name_), .feature = FPU, .type = "int", .bits = 32, .dwarf = -1,                   \
        .location = GDB_REGISTER_ABSENT, .group = GDB_GROUP_FLOAT                                  \
    }
#define FRAME_CSR(name_, field, number, read_only_)                                                \
    {                                                                                              \
        .name = (name_), .feature = CSR, .type = NULL, .bits = 64, .dwarf = 4096 + (number),       \
        .location = offsetof(struct kd_frame, field), .group = GDB_GROUP_SYSTEM,                   \
        .read_only = (read_only_)                                                                  \
    }

// The CSRs that are not in the frame, once: the table's rows and the reader's cases come from it.
#define SYSTEM_REGISTERS(ROW)                                                                      \
    ROW(0x104, sie)                                                                                \
    ROW(0x105, stvec)                                                                              \
    ROW(0x106, scounteren)                                                                         \
    ROW(0x140, sscratch)                                                                           \
    ROW(0x144, sip)                                                                                \
    ROW(0x180, satp)                                                                               \
    ROW(0xc00, cycle)                                                                              \
    ROW(0xc01, time)                                                                               \
    ROW(0xc02, instret)
#define SYSTEM_ROW(number, name_)                                                                  \
    {.name = #name_,                                                                               \
     .feature = CSR,                                                                               \
     .type = NULL,                                                                                 \
     .bits = 64,                                                                                   \
     .dwarf = 4096 + (number),                                                                     \
     .location = GDB_REGISTER_SPECIAL | (number),                                                  \
     .group = GDB_GROUP_SYSTEM,                                                                    \
     .read_only = true},

static const struct gdb_register registers[] = {
    // gdb never writes a zero register that is anything else
    X(0, "zero", NULL),
    X(1, "ra", "code_ptr"),
    X(2, "sp", "data_ptr"),
    X(3, "gp", "data_ptr"),
    X(4, "tp", "data_ptr"),
    X(5, "t0", NULL),
    X(6, "t1", NULL),
    X(7, "t2", NULL),
    X(8, "fp", "data_ptr"),
    X(9, "s1", NULL),
    X(10, "a0", NULL),
    X(11, "a1", NULL),
    X(12, "a2", NULL),
    X(13, "a3", NULL),
    X(14, "a4", NULL),
    X(15, "a5", NULL),
    X(16, "a6", NULL),
    X(17, "a7", NULL),
    X(18, "s2", NULL),
    X(19, "s3", NULL),
    X(20, "s4", NULL),
    X(21, "s5", NULL),
    X(22, "s6", NULL),
    X(23, "s7", NULL),
    X(24, "s8", NULL),
    X(25, "s9", NULL),
    X(26, "s10", NULL),
    X(27, "s11", NULL),
    X(28, "t3", NULL),
    X(29, "t4", NULL),
    X(30, "t5", NULL),
    X(31, "t6", NULL),
    {.name = "pc",
     .feature = CPU,
     .type = "code_ptr",
     .bits = 64,
     .dwarf = -1,
     .location = offsetof(struct kd_frame, pc),
     .group = GDB_GROUP_GENERAL},
#define GENERAL_COUNT 33
    F(0, "ft0"),
    F(1, "ft1"),
    F(2, "ft2"),
    F(3, "ft3"),
    F(4, "ft4"),
    F(5, "ft5"),
    F(6, "ft6"),
    F(7, "ft7"),
    F(8, "fs0"),
    F(9, "fs1"),
    F(10, "fa0"),
    F(11, "fa1"),
    F(12, "fa2"),
    F(13, "fa3"),
    F(14, "fa4"),
    F(15, "fa5"),
    F(16, "fa6"),
    F(17, "fa7"),
    F(18, "fs2"),
    F(19, "fs3"),
    F(20, "fs4"),
    F(21, "fs5"),
    F(22, "fs6"),
    F(23, "fs7"),
    F(24, "fs8"),
    F(25, "fs9"),
    F(26, "fs10"),
    F(27, "fs11"),
    F(28, "ft8"),
    F(29, "ft9"),
    F(30, "ft10"),
    F(31, "ft11"),
    FCSR("fflags"),
    FCSR("frm"),
    FCSR("fcsr"),
    FRAME_CSR("sstatus", sstatus, 0x100, false),
    FRAME_CSR("scause", scause, 0x142, true),
    FRAME_CSR("stval", stval, 0x143, true),
    SYSTEM_REGISTERS(SYSTEM_ROW)};

static const struct gdb_machine machine = {
    .architecture = "riscv:rv64",
    .osabi = "none",
    .registers = registers,
    .register_count = sizeof(registers) / sizeof(registers[0]),
    .general_count = GENERAL_COUNT,
    .pc = 32,
    .sp = 2,
    .fp = 8,
    .link = 1,
    .breakpoint_kinds = {2, 4},
    .pointer_bytes = 8,
};

const struct kd_machine_caps kd_machine = {
    .gdb = &machine,
    .breakpoint_insn = {[1] = {0x02, 0x90}, [3] = {0x73, 0x00, 0x10, 0x00}}, // c.ebreak, ebreak
    .breakpoint_lengths = 1 << 1 | 1 << 3,
    .hardware_step = false,
    .watch_read_only = true,
    .frame_record_offset = -16,
};

#define SYSTEM_CASE(number, name)                                                                  \
    case number:                                                                                   \
        __asm__ volatile("csrr %0, " #name : "=r"(*value));                                        \
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
