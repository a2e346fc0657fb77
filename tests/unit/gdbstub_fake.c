// SPDX-License-Identifier: MIT
// The machine of gdbstub_fake.h. Its processor executes, of x86-64: nop, int3, jmp rel8, call, ret,
// push %rbp, pop %rbp, mov %rsp,%rbp and movb $imm8,rel32(%rip); of RISC-V every word is a nop of
// four bytes, except jal. That is enough to step, break, watch and return under a real gdb.
#include "tests/unit/gdbstub_fake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// -- machines ---------------------------------------------------------------------------------

#define CORE "org.gnu.gdb.i386.core"
#define SSE  "org.gnu.gdb.i386.sse"

#define GENERAL(name_, feature_, bits_, type_)                                                     \
    {                                                                                              \
        .name = (name_), .feature = (feature_), .bits = (bits_), .type = (type_), .dwarf = -1,     \
        .group = GDB_GROUP_GENERAL                                                                 \
    }
#define ABSENT(name_, feature_, bits_, type_)                                                      \
    {                                                                                              \
        .name = (name_), .feature = (feature_), .bits = (bits_), .type = (type_), .dwarf = -1,     \
        .group = GDB_GROUP_FLOAT, .location = GDB_REGISTER_ABSENT                                  \
    }
#define X64(name) GENERAL(name, CORE, 64, NULL)
#define X32(name) GENERAL(name, CORE, 32, NULL)

static const struct gdb_register x86_64_registers[] = {
    X64("rax"),
    X64("rbx"),
    X64("rcx"),
    X64("rdx"),
    X64("rsi"),
    X64("rdi"),
    GENERAL("rbp", CORE, 64, "data_ptr"),
    GENERAL("rsp", CORE, 64, "data_ptr"),
    X64("r8"),
    X64("r9"),
    X64("r10"),
    X64("r11"),
    X64("r12"),
    X64("r13"),
    X64("r14"),
    X64("r15"),
    GENERAL("rip", CORE, 64, "code_ptr"),
    GENERAL("eflags", CORE, 32, "i386_eflags"),
    X32("cs"),
    X32("ss"),
    X32("ds"),
    X32("es"),
    X32("fs"),
    X32("gs"),
    ABSENT("st0", CORE, 80, "i387_ext"),
    ABSENT("st1", CORE, 80, "i387_ext"),
    ABSENT("st2", CORE, 80, "i387_ext"),
    ABSENT("st3", CORE, 80, "i387_ext"),
    ABSENT("st4", CORE, 80, "i387_ext"),
    ABSENT("st5", CORE, 80, "i387_ext"),
    ABSENT("st6", CORE, 80, "i387_ext"),
    ABSENT("st7", CORE, 80, "i387_ext"),
    ABSENT("fctrl", CORE, 32, NULL),
    ABSENT("fstat", CORE, 32, NULL),
    ABSENT("ftag", CORE, 32, NULL),
    ABSENT("fiseg", CORE, 32, NULL),
    ABSENT("fioff", CORE, 32, NULL),
    ABSENT("foseg", CORE, 32, NULL),
    ABSENT("fooff", CORE, 32, NULL),
    ABSENT("fop", CORE, 32, NULL),
    ABSENT("xmm0", SSE, 128, "uint128"),
    ABSENT("xmm1", SSE, 128, "uint128"),
    ABSENT("xmm2", SSE, 128, "uint128"),
    ABSENT("xmm3", SSE, 128, "uint128"),
    ABSENT("xmm4", SSE, 128, "uint128"),
    ABSENT("xmm5", SSE, 128, "uint128"),
    ABSENT("xmm6", SSE, 128, "uint128"),
    ABSENT("xmm7", SSE, 128, "uint128"),
    ABSENT("xmm8", SSE, 128, "uint128"),
    ABSENT("xmm9", SSE, 128, "uint128"),
    ABSENT("xmm10", SSE, 128, "uint128"),
    ABSENT("xmm11", SSE, 128, "uint128"),
    ABSENT("xmm12", SSE, 128, "uint128"),
    ABSENT("xmm13", SSE, 128, "uint128"),
    ABSENT("xmm14", SSE, 128, "uint128"),
    ABSENT("xmm15", SSE, 128, "uint128"),
    ABSENT("mxcsr", SSE, 32, "int"),
    {
        .name = "cr0",
        .feature = "org.fathom.system",
        .bits = 64,
        .dwarf = -1,
        .group = GDB_GROUP_SYSTEM,
        .read_only = true,
    },
};

enum { RBP = 6, RSP = 7, RIP = 16 };

const struct gdb_machine fake_x86_64 = {
    .architecture = "i386:x86-64",
    .osabi = "none",
    .extra_types = "<flags id=\"i386_eflags\" size=\"4\"><field name=\"CF\" start=\"0\" end=\"0\"/>"
                   "<field name=\"ZF\" start=\"6\" end=\"6\"/></flags>",
    .extra_types_feature = CORE,
    .registers = x86_64_registers,
    .register_count = sizeof x86_64_registers / sizeof x86_64_registers[0],
    .general_count = 24,
    .pc = RIP,
    .sp = RSP,
    .fp = RBP,
    .breakpoint_kinds = {1},
    .pointer_bytes = 8,
};

#define RV      "org.gnu.gdb.riscv.cpu"
#define FPU     "org.gnu.gdb.riscv.fpu"
#define RV_X(n) GENERAL(n, RV, 64, NULL)
#define RV_F(n) ABSENT(n, FPU, 64, "ieee_double")

static const struct gdb_register riscv64_registers[] = {
    RV_X("zero"),
    GENERAL("ra", RV, 64, "code_ptr"),
    GENERAL("sp", RV, 64, "data_ptr"),
    RV_X("gp"),
    RV_X("tp"),
    RV_X("t0"),
    RV_X("t1"),
    RV_X("t2"),
    GENERAL("fp", RV, 64, "data_ptr"),
    RV_X("s1"),
    RV_X("a0"),
    RV_X("a1"),
    RV_X("a2"),
    RV_X("a3"),
    RV_X("a4"),
    RV_X("a5"),
    RV_X("a6"),
    RV_X("a7"),
    RV_X("s2"),
    RV_X("s3"),
    RV_X("s4"),
    RV_X("s5"),
    RV_X("s6"),
    RV_X("s7"),
    RV_X("s8"),
    RV_X("s9"),
    RV_X("s10"),
    RV_X("s11"),
    RV_X("t3"),
    RV_X("t4"),
    RV_X("t5"),
    RV_X("t6"),
    GENERAL("pc", RV, 64, "code_ptr"),
    RV_F("ft0"),
    RV_F("ft1"),
    RV_F("ft2"),
    RV_F("ft3"),
    RV_F("ft4"),
    RV_F("ft5"),
    RV_F("ft6"),
    RV_F("ft7"),
    RV_F("fs0"),
    RV_F("fs1"),
    RV_F("fa0"),
    RV_F("fa1"),
    RV_F("fa2"),
    RV_F("fa3"),
    RV_F("fa4"),
    RV_F("fa5"),
    RV_F("fa6"),
    RV_F("fa7"),
    RV_F("fs2"),
    RV_F("fs3"),
    RV_F("fs4"),
    RV_F("fs5"),
    RV_F("fs6"),
    RV_F("fs7"),
    RV_F("fs8"),
    RV_F("fs9"),
    RV_F("fs10"),
    RV_F("fs11"),
    RV_F("ft8"),
    RV_F("ft9"),
    RV_F("ft10"),
    RV_F("ft11"),
    ABSENT("fflags", FPU, 32, NULL),
    ABSENT("frm", FPU, 32, NULL),
    ABSENT("fcsr", FPU, 32, NULL),
};

const struct gdb_machine fake_riscv64 = {
    .architecture = "riscv:rv64",
    .osabi = "none",
    .registers = riscv64_registers,
    .register_count = sizeof riscv64_registers / sizeof riscv64_registers[0],
    .general_count = 33,
    .pc = 32,
    .sp = 2,
    .fp = 8,
    .link = 1,
    .breakpoint_kinds = {2, 4},
    .pointer_bytes = 8,
};

static const struct gdb_register tiny_registers[] = {
    GENERAL("pc", "tiny", 32, "code_ptr"),
    GENERAL("sp", "tiny", 32, "data_ptr"),
    ABSENT("f0", "tiny", 64, NULL),
    {
        .name = "status",
        .feature = "tiny.system",
        .bits = 16,
        .dwarf = -1,
        .group = GDB_GROUP_SYSTEM,
        .read_only = true,
    },
};

const struct gdb_machine fake_tiny = {
    .architecture = "tiny",
    .osabi = "none",
    .extra_types = "<flags id=\"status\" size=\"2\"/>",
    .extra_types_feature = "tiny.system",
    .registers = tiny_registers,
    .register_count = 4,
    .general_count = 3,
    .pc = 0,
    .sp = 1,
    .fp = 1,
    .breakpoint_kinds = {2, 4},
    .pointer_bytes = 4,
};

// -- the target -------------------------------------------------------------------------------

static void fake_send(void *context, const uint8_t *bytes, size_t length)
{
    struct fake *fake = context;

    fake->sent_bytes += length;
    if (length > sizeof fake->output - fake->output_length)
        length = sizeof fake->output - fake->output_length;
    memcpy(fake->output + fake->output_length, bytes, length);
    fake->output_length += length;
}

static int fake_thread_next(void *context, gdb_thread_t *thread)
{
    struct fake *fake = context;

    *thread = *thread < (gdb_thread_t)fake->thread_count ? *thread + 1 : 0;
    return 0;
}

static bool fake_thread_alive(void *context, gdb_thread_t thread)
{
    struct fake *fake = context;

    return thread > 0 && thread <= (gdb_thread_t)fake->thread_count;
}

static int fake_thread_describe(void *context, gdb_thread_t thread, char *name, size_t name_size,
                                char *description, size_t description_size)
{
    if (!fake_thread_alive(context, thread))
        return -ENOENT;
    snprintf(name, name_size, thread == 2 ? "a<b>&\"c\"" : "worker/%d", (int)thread);
    snprintf(description, description_size, "ready, CPU %d", (int)thread % 4);
    return 0;
}

static void fault_if_asked(struct fake *fake)
{
    if (fake->fault)
        longjmp(*fake->fault, 1);
}

static int fake_register_read(void *context, gdb_thread_t thread, unsigned row, void *value,
                              struct gdb_error *error)
{
    struct fake *fake = context;

    fault_if_asked(fake);
    if (!fake_thread_alive(fake, thread)) {
        snprintf(error->text, sizeof error->text, "no such thread");
        return -ENOENT;
    }
    memcpy(value, fake->registers[thread - 1][row], fake->machine->registers[row].bits / 8);
    return 0;
}

static int fake_register_write(void *context, gdb_thread_t thread, unsigned row, const void *value,
                               struct gdb_error *error)
{
    struct fake *fake = context;

    (void)error;
    if (!fake_thread_alive(fake, thread))
        return -ENOENT;
    fake->writes++;
    memcpy(fake->registers[thread - 1][row], value, fake->machine->registers[row].bits / 8);
    return 0;
}

static size_t accessible(uint64_t address, size_t length)
{
    if (address < FAKE_BASE || address >= FAKE_BASE + FAKE_BYTES)
        return 0;
    uint64_t left = FAKE_BASE + FAKE_BYTES - address;
    return length < left ? length : left;
}

static int fake_memory_read(void *context, gdb_thread_t thread, uint64_t address, void *to,
                            size_t *length, struct gdb_error *error)
{
    struct fake *fake = context;

    (void)thread;
    (void)error;
    fake->read_wish = *length;
    *length = accessible(address, *length);
    if (*length == 0)
        return -EFAULT;
    memcpy(to, fake->memory + (address - FAKE_BASE), *length);
    return 0;
}

static int fake_memory_write(void *context, gdb_thread_t thread, uint64_t address, const void *from,
                             size_t length, struct gdb_error *error)
{
    struct fake *fake = context;

    (void)thread;
    if (accessible(address, length) < length)
        return -EFAULT;
    if (address < FAKE_READ_ONLY + 256 && address + length > FAKE_READ_ONLY) {
        snprintf(error->text, sizeof error->text, "read-only memory at 0x%llx",
                 (unsigned long long)address);
        return -EPERM;
    }
    fake->writes++;
    memcpy(fake->memory + (address - FAKE_BASE), from, length);
    return 0;
}

static struct fake_breakpoint *breakpoint_find(struct fake *fake, enum gdb_breakpoint_type type,
                                               uint64_t address)
{
    for (unsigned i = 0; i < FAKE_BREAKPOINTS; i++) {
        struct fake_breakpoint *b = &fake->breakpoints[i];
        if (b->used && b->type == type && b->address == address)
            return b;
    }
    return NULL;
}

static int fake_breakpoint_set(void *context, enum gdb_breakpoint_type type, uint64_t address,
                               unsigned kind, struct gdb_error *error)
{
    struct fake *fake = context;

    if (type == GDB_WATCH_READ)
        return -ENOTSUP;
    if (accessible(address, kind) < kind)
        return -EFAULT;
    if (breakpoint_find(fake, type, address))
        return 0;
    for (unsigned i = 0; i < FAKE_BREAKPOINTS; i++) {
        if (!fake->breakpoints[i].used) {
            fake->breakpoints[i] = (struct fake_breakpoint){true, type, address, kind};
            return 0;
        }
    }
    snprintf(error->text, sizeof error->text, "all %d breakpoints are in use", FAKE_BREAKPOINTS);
    return -ENOSPC;
}

static int fake_breakpoint_clear(void *context, enum gdb_breakpoint_type type, uint64_t address,
                                 unsigned kind, struct gdb_error *error)
{
    struct fake_breakpoint *found = breakpoint_find(context, type, address);

    (void)kind;
    (void)error;
    if (found)
        found->used = false;
    return 0;
}

static int fake_resume(void *context, const struct gdb_resume *request, struct gdb_error *error)
{
    struct fake *fake = context;

    fault_if_asked(fake);
    if (fake->refuse_resume) {
        snprintf(error->text, sizeof error->text, "the machine has burnt down");
        return -EIO;
    }
    fake->resumes++;
    fake->resumed = *request;
    return 0;
}

static void fake_attach(void *context)
{
    struct fake *fake = context;

    fake->attaches++;
    memset(fake->breakpoints, 0, sizeof fake->breakpoints);
}

static void fake_detach(void *context)
{
    struct fake *fake = context;

    fault_if_asked(fake);
    fake->detaches++;
    memset(fake->breakpoints, 0, sizeof fake->breakpoints);
}

static void fake_kill(void *context)
{
    ((struct fake *)context)->kills++;
}

static void fake_restart(void *context)
{
    ((struct fake *)context)->restarts++;
}

static int fake_monitor(void *context, const char *line, struct gdb_output *output)
{
    struct fake *fake = context;

    snprintf(fake->monitor_line, sizeof fake->monitor_line, "%s", line);
    if (strcmp(line, "fail") == 0)
        return -EINVAL;
    if (strcmp(line, "much") == 0) {
        for (int i = 0; i < 1000; i++)
            output->write(output, "0123456789\n", 11);
        return 0;
    }
    output->write(output, "you said: ", 10);
    output->write(output, line, strlen(line));
    output->write(output, "\n", 1);
    return 0;
}

const struct gdbstub_target fake_target = {
    .send = fake_send,
    .thread_next = fake_thread_next,
    .thread_alive = fake_thread_alive,
    .thread_describe = fake_thread_describe,
    .register_read = fake_register_read,
    .register_write = fake_register_write,
    .memory_read = fake_memory_read,
    .memory_write = fake_memory_write,
    .breakpoint_set = fake_breakpoint_set,
    .breakpoint_clear = fake_breakpoint_clear,
    .resume = fake_resume,
    .attach = fake_attach,
    .detach = fake_detach,
    .kill = fake_kill,
    .restart = fake_restart,
    .monitor = fake_monitor,
};

void fake_init(struct fake *fake, const struct gdb_machine *machine, unsigned threads)
{
    memset(fake, 0, offsetof(struct fake, output));
    fake->machine = machine;
    fake->thread_count = threads;
    for (gdb_thread_t thread = 1; thread <= (gdb_thread_t)threads; thread++) {
        fake_register_set(fake, thread, machine->pc, FAKE_BASE);
        fake_register_set(fake, thread, machine->sp,
                          FAKE_BASE + FAKE_BYTES - 0x100 * (unsigned)thread);
    }
    gdb_init(&fake->stub, &fake_target, machine, fake);
    struct gdb_stop stop = {.kind = GDB_STOP_SIGNAL, .signal = 5, .thread = 1};
    gdb_report_stop(&fake->stub, &stop);
}

// -- the processor ----------------------------------------------------------------------------

uint64_t fake_register(const struct fake *fake, gdb_thread_t thread, unsigned row)
{
    uint64_t value = 0;

    memcpy(&value, fake->registers[thread - 1][row],
           fake->machine->registers[row].bits >= 64 ? 8 : fake->machine->registers[row].bits / 8);
    return value;
}

void fake_register_set(struct fake *fake, gdb_thread_t thread, unsigned row, uint64_t value)
{
    memcpy(fake->registers[thread - 1][row], &value, sizeof value);
}

static uint64_t load(const struct fake *fake, uint64_t address, size_t length)
{
    uint64_t value = 0;

    if (accessible(address, length) == length)
        memcpy(&value, fake->memory + (address - FAKE_BASE), length);
    return value;
}

static void store(struct fake *fake, uint64_t address, uint64_t value, size_t length)
{
    if (accessible(address, length) == length)
        memcpy(fake->memory + (address - FAKE_BASE), &value, length);
}

static void push(struct fake *fake, gdb_thread_t thread, uint64_t value)
{
    uint64_t sp = fake_register(fake, thread, RSP) - 8;

    fake_register_set(fake, thread, RSP, sp);
    store(fake, sp, value, 8);
}

static uint64_t pop(struct fake *fake, gdb_thread_t thread)
{
    uint64_t sp = fake_register(fake, thread, RSP);

    fake_register_set(fake, thread, RSP, sp + 8);
    return load(fake, sp, 8);
}

// Executes the instruction at pc; the address of a store, or 0.
static uint64_t execute_x86_64(struct fake *fake, gdb_thread_t thread)
{
    uint64_t pc = fake_register(fake, thread, RIP);
    uint64_t next = pc + 1;
    uint64_t stored = 0;

    switch (load(fake, pc, 1)) {
    case 0xeb:
        next = pc + 2 + (uint64_t)(int64_t)(int8_t)load(fake, pc + 1, 1);
        break;
    case 0xe8:
        push(fake, thread, pc + 5);
        next = pc + 5 + (uint64_t)(int64_t)(int32_t)load(fake, pc + 1, 4);
        break;
    case 0xc3:
        next = pop(fake, thread);
        break;
    case 0x55:
        push(fake, thread, fake_register(fake, thread, RBP));
        break;
    case 0x5d:
        fake_register_set(fake, thread, RBP, pop(fake, thread));
        break;
    case 0x48: // 48 89 e5: mov %rsp,%rbp
        fake_register_set(fake, thread, RBP, fake_register(fake, thread, RSP));
        next = pc + 3;
        break;
    case 0xc6: // c6 05 rel32 imm8: movb
        next = pc + 7;
        stored = next + (uint64_t)(int64_t)(int32_t)load(fake, pc + 2, 4);
        store(fake, stored, load(fake, pc + 6, 1), 1);
        break;
    default:
        break;
    }
    fake_register_set(fake, thread, RIP, next);
    return stored;
}

static uint64_t execute(struct fake *fake, gdb_thread_t thread)
{
    if (fake->machine == &fake_x86_64)
        return execute_x86_64(fake, thread);
    uint64_t pc = fake_register(fake, thread, fake->machine->pc);
    bool loops = load(fake, pc, 4) == 0x6f; // jal zero, 0
    fake_register_set(fake, thread, fake->machine->pc, loops ? pc : pc + 4);
    return 0;
}

// Whether something set by Z stops the thread at its new pc or after its store.
static bool hit(struct fake *fake, gdb_thread_t thread, uint64_t stored, struct gdb_stop *stop)
{
    uint64_t pc = fake_register(fake, thread, fake->machine->pc);

    for (unsigned i = 0; i < FAKE_BREAKPOINTS; i++) {
        const struct fake_breakpoint *b = &fake->breakpoints[i];
        if (!b->used)
            continue;
        if (b->type <= GDB_BREAK_HARDWARE && b->address == pc) {
            stop->kind = b->type == GDB_BREAK_HARDWARE ? GDB_STOP_HWBREAK : GDB_STOP_SWBREAK;
            return true;
        }
        if (b->type >= GDB_WATCH_WRITE && stored >= b->address && stored < b->address + b->kind) {
            stop->kind = b->type == GDB_WATCH_WRITE ? GDB_STOP_WATCH_WRITE : GDB_STOP_WATCH_ACCESS;
            stop->address = stored;
            return true;
        }
    }
    return false;
}

bool fake_run(struct fake *fake, unsigned limit, struct gdb_stop *stop)
{
    const struct gdb_resume *request = &fake->resumed;
    gdb_thread_t thread = request->thread > 0 ? request->thread : 1;

    *stop = (struct gdb_stop){.kind = GDB_STOP_SIGNAL, .signal = 5, .thread = thread};
    for (unsigned i = 0; i < limit; i++) {
        uint64_t stored = execute(fake, thread);
        uint64_t pc = fake_register(fake, thread, fake->machine->pc);
        if (hit(fake, thread, stored, stop) || request->action == GDB_STEP)
            return true;
        if (request->action == GDB_RANGE_STEP &&
            (pc < request->range_start || pc >= request->range_end))
            return true;
    }
    return false;
}
