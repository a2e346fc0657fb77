// SPDX-License-Identifier: MIT
// What kdebug's core asks of a machine: the seam to kdebug/arch/. Each architecture has one
// directory with `kd_machine/frame.h` (struct kd_frame) and the same set of C files that define
// what is declared here. Porting recipe, in stages: frame.h and the register table (registers can
// be seen); kd_mem_copy and the fixups (memory can be read); breakpoint bytes and kd_trap_classify
// (breakpoints); the step functions; the watchpoint functions last. The three here have 750 to 850
// lines, a quarter of them the register table.
//
// Everything runs on the debugger's stack with interrupts off while all CPUs that could be stopped
// are stopped. Nothing may take a lock, allocate, or touch memory except through kd_mem_copy.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gdbstub/registers.h"
#include <kd_machine/frame.h>

// struct kd_frame is the saved state of an interrupted context: all general registers, pc and
// flags. The bundled kernel pushes exactly this in its exception entry and uses it as its trap
// frame; another kernel converts. The register table's locations are offsets into it.

// Differences in kind between machines, as data.
struct kd_machine_caps {
    const struct gdb_machine *gdb; // the register table
    uint8_t breakpoint_insn[4][4]; // bytes of a breakpoint of length i + 1; length 0: none
    uint8_t breakpoint_lengths;    // bit i set: a breakpoint of i + 1 bytes exists
    bool hardware_step;            // else kd_step_targets() and breakpoints
    bool watch_read_only;          // the hardware can watch reads alone
    int8_t frame_record_offset;    // from the frame pointer to the saved pair {fp, return address}
};
extern const struct kd_machine_caps kd_machine;

static inline uintptr_t kd_frame_pc(const struct kd_frame *frame);
static inline void kd_frame_set_pc(struct kd_frame *frame, uintptr_t pc);
static inline uintptr_t kd_frame_sp(const struct kd_frame *frame);
static inline uintptr_t kd_frame_fp(const struct kd_frame *frame);
#include <kd_machine/frame_inline.h>
// Where the innermost function returns to while the chain of frames does not have it: before its
// prologue, or because it makes no frame. A register on machines that have one for it; elsewhere
// the function's instructions from `start` (0: pc is in no function) tell what is on the stack.
// 0: the chain has it, or nobody knows. The result may be left over from a call that has returned.
uintptr_t kd_frame_link(const struct kd_frame *frame, uintptr_t start);

// -- registers that are not in the frame (GDB_REGISTER_SPECIAL | key), of the executing CPU.
// 0, or -ENODATA where this CPU lacks it.
int kd_special_read(uint32_t key, uint64_t *value);
int kd_special_write(uint32_t key, uint64_t value);

// -- memory. Copies `length` bytes with the widest naturally aligned accesses that fit (so device
// registers see single accesses); a fault ends it. Returns the bytes copied before a fault.
size_t kd_mem_copy(void *to, const void *from, size_t length); // in memory.c, from this:
// One access of 1, 2, 4 or 8 bytes. False: it faulted, and kd_fixup() has sent it to its end.
bool kd_copy_word(void *to, const void *from, size_t width);
extern const char kd_copy_fault[];
// Is the exception one that an access to memory may cause? Any context, touches nothing but the
// frame.
bool kd_is_memory_fault(const struct kd_frame *frame);
// To be called first by the kernel's exception entry: if the fault hit kd_copy_word, moves pc to
// the fixup and returns true. Any CPU, any context, touches nothing but the frame. In memory.c.
bool kd_fixup(struct kd_frame *frame);

// Makes the instruction at `address` visible to this CPU's and, where the hardware broadcasts, to
// every CPU's fetch. kd_context_sync() is what each other CPU runs when it leaves the stop.
void kd_icache_sync(uintptr_t address, size_t length);
void kd_context_sync(void);

// -- what a trap was. `code` and `address` are the kernel's raw cause (vector, ESR, scause) and
// fault address (CR2, FAR, stval); see struct kd_trap in kdebug.h.
enum kd_trap_kind {
    KD_TRAP_OTHER,      // not the debugger's doing
    KD_TRAP_BREAKPOINT, // the breakpoint instruction; pc already moved back to it
    KD_TRAP_STEP,       // a hardware single step completed
    KD_TRAP_HWBREAK,    // an execution breakpoint register matched at pc
    KD_TRAP_WATCH,      // a data watchpoint matched; *slot and, where known, *address are set
};
// Also quiets the hardware's sticky status (DR6, ...) after reading it.
enum kd_trap_kind kd_trap_classify(struct kd_frame *frame, uint64_t code, uint64_t fault_address,
                                   unsigned *slot, uint64_t *address);

// -- stepping. With hardware_step: begin() sets the frame up so that returning to it executes one
// instruction with interrupts masked; end() undoes that in the frame at the step trap and corrects
// what the instruction saw or changed of the interrupt mask (pushf, popf, cli, sti, mrs daif, csrr
// sstatus, iretq, eret, sret), so that the frame is what it would have been without the step.
// Without it, or when `single` is false, begin() and end() only mask and correct, and the core
// plants breakpoints at the targets. `state` lives from begin to end.
struct kd_step_state {
    uint64_t saved[4]; // the machine's own
    uint8_t insn[16];  // bytes at pc at begin
    uint8_t insn_length;
};
void kd_step_begin(struct kd_frame *frame, struct kd_step_state *state, bool single);
void kd_step_end(struct kd_frame *frame, const struct kd_step_state *state);
// Some instructions are done by the debugger itself, since run under a step they would see or
// change the wrong thing or never end: those that read or write the interrupt mask, those that wait
// for an interrupt, and on machines that keep the return address of an exception in a register,
// what loads that register and returns through it (the step's own trap overwrites it). True: the
// frame is as the instruction leaves it. While `loaded` says so, the frame can only be stepped, up
// to the exception return: the registers are lost when the CPU runs.
struct kd_return_state {
    uint64_t pc, status;
    bool pc_loaded, status_loaded;
    // A system register that exception entries use as scratch space, on machines that need one.
    uint64_t scratch;
    bool scratch_loaded;
};
bool kd_step_emulate(struct kd_frame *frame, struct kd_return_state *state);
// The addresses control may reach after the instruction at pc, at most two; returns how many.
// An instruction that cannot be read or decoded gives 0. The second one of a call is where it
// returns to.
unsigned kd_step_targets(const struct kd_frame *frame, uintptr_t targets[2]);
// What the instruction at pc is, as far as atomic sequences (LR/SC, LDXR/STXR) go, which must run
// without a trap inside. False: it cannot be read, or the machine has no such sequences.
enum kd_flow {
    KD_FLOW_ON,     // to the next one
    KD_FLOW_BRANCH, // conditional, to the target
    KD_FLOW_LEAVES, // jumps, system instructions: nothing for a sequence
    KD_FLOW_ATOMIC_LOAD,
    KD_FLOW_ATOMIC_STORE,
};
struct kd_insn {
    enum kd_flow flow;
    uint8_t length;
    uintptr_t target;
};
bool kd_insn_decode(uintptr_t pc, struct kd_insn *insn);

// -- hardware breakpoints and watchpoints. How many of each, discovered at init on the boot CPU.
void kd_hw_init(void); // on each CPU, early and with interrupts off
unsigned kd_hw_breakpoints(void);
unsigned kd_hw_watchpoints(void);
// Loads this CPU's slots; slots whose bit in `enabled` is clear are switched off. Breakpoints and
// watchpoints share slots on machines where the hardware does (kd_hw_shared()).
struct kd_hw_slot {
    uint64_t address;
    uint8_t length; // 1, 2, 4, 8
    uint8_t type;   // enum gdb_breakpoint_type
    bool enabled;
};
bool kd_hw_shared(void);
bool kd_hw_possible(const struct kd_hw_slot *slot); // alignment, length, kind
void kd_hw_load(const struct kd_hw_slot *breakpoints, unsigned breakpoint_count,
                const struct kd_hw_slot *watchpoints, unsigned watchpoint_count);

// Masks every interrupt, also the stop signal where it can be masked; returns what
// kd_interrupts_restore() takes.
uintptr_t kd_interrupts_off(void);
void kd_interrupts_restore(uintptr_t before);

// -- entry. Executes a breakpoint instruction, which stands at kd_break_insn and belongs to
// nobody's table: how kdebug_break() gets a frame that can be stepped.
void kd_break_trap(void);
extern const char kd_break_insn[];
// Runs fn(argument) on the stack that ends at `top` and returns its result.
uintptr_t kd_call_on_stack(uintptr_t (*fn)(void *), void *argument, void *top);
// Captures the caller's registers as of the call's return; used by kdebug_break() and panics.
void kd_frame_capture(struct kd_frame *frame);
// setjmp and longjmp for faults inside the debugger that no fixup covers.
struct kd_jump {
    uintptr_t registers[24];
};
int kd_jump_set(struct kd_jump *jump) __attribute__((returns_twice));
_Noreturn void kd_jump_go(struct kd_jump *jump, int value);
