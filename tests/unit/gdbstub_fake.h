// SPDX-License-Identifier: MIT
// A debugged machine that exists in memory only, for the tests of gdbstub: threads, registers,
// 64 KiB of memory, breakpoints, and a processor that knows a handful of instructions. Used by the
// unit tests, by the fuzzer and by gdbstub_server, which puts it behind a socket for a real gdb.
#pragma once

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gdbstub/gdbstub.h"
#include "gdbstub/stub.h"

#define FAKE_BASE         UINT64_C(0x100000)
#define FAKE_BYTES        0x10000
#define FAKE_READ_ONLY    UINT64_C(0x108000) // 256 bytes here refuse to be written
#define FAKE_THREADS_MAX  40
#define FAKE_BREAKPOINTS  16
#define FAKE_OUTPUT_BYTES (1 << 18)

struct fake_breakpoint {
    bool used;
    enum gdb_breakpoint_type type;
    uint64_t address;
    unsigned kind;
};

struct fake {
    struct gdbstub stub;
    const struct gdb_machine *machine;
    uint8_t memory[FAKE_BYTES];
    uint8_t registers[FAKE_THREADS_MAX][128][16]; // by thread - 1, row
    unsigned thread_count;
    struct fake_breakpoint breakpoints[FAKE_BREAKPOINTS];

    // What the stub asked for.
    struct gdb_resume resumed; // the last request
    unsigned resumes, writes, attaches, detaches, kills, restarts;
    size_t read_wish; // length of the last memory read, as the stub asked
    char monitor_line[256];
    bool refuse_resume;
    jmp_buf *fault; // where reading a register, detaching or resuming leaps to, if set

    // What the stub sent. The test takes it and sets output_length to 0.
    size_t output_length;
    size_t sent_bytes;
    uint8_t output[FAKE_OUTPUT_BYTES]; // last: not cleared by fake_init()
};

extern const struct gdb_machine fake_x86_64;
extern const struct gdb_machine fake_riscv64;
extern const struct gdb_machine fake_tiny; // four registers, one of them without a value
extern const struct gdbstub_target fake_target;

// `fake` is large: give it static or heap storage.
void fake_init(struct fake *fake, const struct gdb_machine *machine, unsigned threads);

uint64_t fake_register(const struct fake *fake, gdb_thread_t thread, unsigned row);
void fake_register_set(struct fake *fake, gdb_thread_t thread, unsigned row, uint64_t value);

// Executes what was resumed: one step or range of it, or up to `limit` instructions of a continue.
// True when it stopped; `stop` then says why.
bool fake_run(struct fake *fake, unsigned limit, struct gdb_stop *stop);
