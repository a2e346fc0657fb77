// SPDX-License-Identifier: MIT
// The register table of x86-64 and what else the core must know about it as data. The table drives
// target.xml, the packets, the console and the panic dump; the readers at the end serve the rows
// that are not in the frame. DWARF numbers: System V ABI for AMD64, figure 3.36.
#include <errno.h>

#include "kdebug/machine.h"

#define CORE    "org.gnu.gdb.i386.core"
#define SSE     "org.gnu.gdb.i386.sse"
#define SEGMENT "org.gnu.gdb.i386.segments"
#define SYSTEM  "org.fathom.x86-64.system"

enum special {
    SPECIAL_DS,
    SPECIAL_ES,
    SPECIAL_FS,
    SPECIAL_GS,
    SPECIAL_FS_BASE,
    SPECIAL_GS_BASE,
    SPECIAL_KERNEL_GS_BASE,
    SPECIAL_CR0,
    SPECIAL_CR2,
    SPECIAL_CR3,
    SPECIAL_CR4,
    SPECIAL_CR8,
    SPECIAL_EFER,
    SPECIAL_DR6,
    SPECIAL_DR7,
};

#define GENERAL(name_, field, type_, bits_, dwarf_)                                                \
    {                                                                                              \
        .name = (name_), .feature = CORE, .type = (type_), .bits = (bits_), .dwarf = (dwarf_),     \
        .location = offsetof(struct kd_frame, field), .group = GDB_GROUP_GENERAL                   \
    }
#define ABSENT(name_, feature_, type_, bits_, dwarf_, group_)                                      \
    {                                                                                              \
        .name = (name_), .feature = (feature_), .type = (type_), .bits = (bits_),                  \
        .dwarf = (dwarf_), .location = GDB_REGISTER_ABSENT, .group = (group_)                      \
    }
#define SPECIAL(name_, feature_, bits_, dwarf_, key, group_, read_only_)                           \
    {                                                                                              \
        .name = (name_), .feature = (feature_), .type = NULL, .bits = (bits_), .dwarf = (dwarf_),  \
        .location = GDB_REGISTER_SPECIAL | (key), .group = (group_), .read_only = (read_only_)     \
    }
#define X87(n)            ABSENT("st" #n, CORE, "i387_ext", 80, 33 + (n), GDB_GROUP_FLOAT)
#define X87_CONTROL(name) ABSENT(name, CORE, "int", 32, -1, GDB_GROUP_FLOAT)
#define XMM(n)            ABSENT("xmm" #n, SSE, "uint128", 128, 17 + (n), GDB_GROUP_VECTOR)

static const struct gdb_register registers[] = {
    GENERAL("rax", rax, NULL, 64, 0),
    GENERAL("rbx", rbx, NULL, 64, 3),
    GENERAL("rcx", rcx, NULL, 64, 2),
    GENERAL("rdx", rdx, NULL, 64, 1),
    GENERAL("rsi", rsi, NULL, 64, 4),
    GENERAL("rdi", rdi, NULL, 64, 5),
    GENERAL("rbp", rbp, "data_ptr", 64, 6),
    GENERAL("rsp", rsp, "data_ptr", 64, 7),
    GENERAL("r8", r8, NULL, 64, 8),
    GENERAL("r9", r9, NULL, 64, 9),
    GENERAL("r10", r10, NULL, 64, 10),
    GENERAL("r11", r11, NULL, 64, 11),
    GENERAL("r12", r12, NULL, 64, 12),
    GENERAL("r13", r13, NULL, 64, 13),
    GENERAL("r14", r14, NULL, 64, 14),
    GENERAL("r15", r15, NULL, 64, 15),
    GENERAL("rip", rip, "code_ptr", 64, 16),
    GENERAL("eflags", rflags, "i386_eflags", 32, 49),
    GENERAL("cs", cs, "int", 32, 51),
    GENERAL("ss", ss, "int", 32, 52),
#define GENERAL_COUNT 20
    SPECIAL("ds", CORE, 32, 53, SPECIAL_DS, GDB_GROUP_SYSTEM, true),
    SPECIAL("es", CORE, 32, 50, SPECIAL_ES, GDB_GROUP_SYSTEM, true),
    SPECIAL("fs", CORE, 32, 54, SPECIAL_FS, GDB_GROUP_SYSTEM, true),
    SPECIAL("gs", CORE, 32, 55, SPECIAL_GS, GDB_GROUP_SYSTEM, true),
    X87(0),
    X87(1),
    X87(2),
    X87(3),
    X87(4),
    X87(5),
    X87(6),
    X87(7),
    X87_CONTROL("fctrl"),
    X87_CONTROL("fstat"),
    X87_CONTROL("ftag"),
    X87_CONTROL("fiseg"),
    X87_CONTROL("fioff"),
    X87_CONTROL("foseg"),
    X87_CONTROL("fooff"),
    X87_CONTROL("fop"),
    XMM(0),
    XMM(1),
    XMM(2),
    XMM(3),
    XMM(4),
    XMM(5),
    XMM(6),
    XMM(7),
    XMM(8),
    XMM(9),
    XMM(10),
    XMM(11),
    XMM(12),
    XMM(13),
    XMM(14),
    XMM(15),
    ABSENT("mxcsr", SSE, "int", 32, -1, GDB_GROUP_VECTOR),
    SPECIAL("fs_base", SEGMENT, 64, 58, SPECIAL_FS_BASE, GDB_GROUP_SYSTEM, true),
    SPECIAL("gs_base", SEGMENT, 64, 59, SPECIAL_GS_BASE, GDB_GROUP_SYSTEM, true),
    SPECIAL("k_gs_base", SYSTEM, 64, -1, SPECIAL_KERNEL_GS_BASE, GDB_GROUP_SYSTEM, true),
    SPECIAL("cr0", SYSTEM, 64, -1, SPECIAL_CR0, GDB_GROUP_SYSTEM, true),
    SPECIAL("cr2", SYSTEM, 64, -1, SPECIAL_CR2, GDB_GROUP_SYSTEM, false),
    SPECIAL("cr3", SYSTEM, 64, -1, SPECIAL_CR3, GDB_GROUP_SYSTEM, true),
    SPECIAL("cr4", SYSTEM, 64, -1, SPECIAL_CR4, GDB_GROUP_SYSTEM, true),
    SPECIAL("cr8", SYSTEM, 64, -1, SPECIAL_CR8, GDB_GROUP_SYSTEM, false),
    SPECIAL("efer", SYSTEM, 64, -1, SPECIAL_EFER, GDB_GROUP_SYSTEM, true),
    SPECIAL("dr6", SYSTEM, 64, -1, SPECIAL_DR6, GDB_GROUP_SYSTEM, true),
    SPECIAL("dr7", SYSTEM, 64, -1, SPECIAL_DR7, GDB_GROUP_SYSTEM, true),
};

// Intel SDM volume 1, 3.4.3.
static const char eflags_type[] = "<flags id=\"i386_eflags\" size=\"4\">"
                                  "<field name=\"CF\" start=\"0\" end=\"0\"/>"
                                  "<field name=\"PF\" start=\"2\" end=\"2\"/>"
                                  "<field name=\"AF\" start=\"4\" end=\"4\"/>"
                                  "<field name=\"ZF\" start=\"6\" end=\"6\"/>"
                                  "<field name=\"SF\" start=\"7\" end=\"7\"/>"
                                  "<field name=\"TF\" start=\"8\" end=\"8\"/>"
                                  "<field name=\"IF\" start=\"9\" end=\"9\"/>"
                                  "<field name=\"DF\" start=\"10\" end=\"10\"/>"
                                  "<field name=\"OF\" start=\"11\" end=\"11\"/>"
                                  "<field name=\"NT\" start=\"14\" end=\"14\"/>"
                                  "<field name=\"RF\" start=\"16\" end=\"16\"/>"
                                  "<field name=\"AC\" start=\"18\" end=\"18\"/>"
                                  "</flags>";

static const struct gdb_machine machine = {
    .architecture = "i386:x86-64",
    .osabi = "none",
    .extra_types = eflags_type,
    .extra_types_feature = CORE,
    .registers = registers,
    .register_count = sizeof(registers) / sizeof(registers[0]),
    .general_count = GENERAL_COUNT,
    .pc = 16,
    .sp = 7,
    .fp = 6,
    .breakpoint_kinds = {1},
    .pointer_bytes = 8,
};

const struct kd_machine_caps kd_machine = {
    .gdb = &machine,
    .breakpoint_insn = {{0xcc}},
    .breakpoint_lengths = 1 << 0,
    .hardware_step = true,
    .watch_read_only = false,
    .frame_record_offset = 0,
};

static uint64_t msr_read(uint32_t number)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
    return (uint64_t)high << 32 | low;
}

#define READ(insn, value) __asm__ volatile(insn : "=r"(*(value)))

int kd_special_read(uint32_t key, uint64_t *value)
{
    enum { MSR_EFER = 0xc0000080, MSR_FS_BASE = 0xc0000100 }; // GS and kernel GS base follow
    *value = 0;
    switch (key & ~GDB_REGISTER_SPECIAL) {
    case SPECIAL_DS:
        READ("mov %%ds, %0", value);
        return 0;
    case SPECIAL_ES:
        READ("mov %%es, %0", value);
        return 0;
    case SPECIAL_FS:
        READ("mov %%fs, %0", value);
        return 0;
    case SPECIAL_GS:
        READ("mov %%gs, %0", value);
        return 0;
    case SPECIAL_FS_BASE:
    case SPECIAL_GS_BASE:
    case SPECIAL_KERNEL_GS_BASE:
        *value = msr_read(MSR_FS_BASE + ((key & ~GDB_REGISTER_SPECIAL) - SPECIAL_FS_BASE));
        return 0;
    case SPECIAL_CR0:
        READ("mov %%cr0, %0", value);
        return 0;
    case SPECIAL_CR2:
        READ("mov %%cr2, %0", value);
        return 0;
    case SPECIAL_CR3:
        READ("mov %%cr3, %0", value);
        return 0;
    case SPECIAL_CR4:
        READ("mov %%cr4, %0", value);
        return 0;
    case SPECIAL_CR8:
        READ("mov %%cr8, %0", value);
        return 0;
    case SPECIAL_EFER:
        *value = msr_read(MSR_EFER);
        return 0;
    case SPECIAL_DR6:
        READ("mov %%dr6, %0", value);
        return 0;
    case SPECIAL_DR7:
        READ("mov %%dr7, %0", value);
        return 0;
    default:
        return -ENODATA;
    }
}

int kd_special_write(uint32_t key, uint64_t value)
{
    switch (key & ~GDB_REGISTER_SPECIAL) {
    case SPECIAL_CR2:
        __asm__ volatile("mov %0, %%cr2" ::"r"(value));
        return 0;
    case SPECIAL_CR8:
        if (value > 15)
            return -EINVAL;
        __asm__ volatile("mov %0, %%cr8" ::"r"(value));
        return 0;
    default:
        return -EACCES;
    }
}
