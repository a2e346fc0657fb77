// SPDX-License-Identifier: MIT
// What the kernel asks of a processor: the contract of kernel/arch/<machine>/, CPU part. Each
// machine defines the inline functions in <machine/cpu.h> and the others in its C and assembly
// files; common code includes this header only and names no machine.
//
// "Interrupts off" means: no ordinary interrupt is taken. The debugger's stop signal still arrives
// where the machine has a way (NMI; AArch64: the GIC's priority mask rather than DAIF.I).
#pragma once

#include "kernel/lib/base.h"

struct cpu;
struct thread;

typedef uint64_t irq_state_t; // opaque: what arch_irq_save() found

#include <machine/cpu.h>

// Defined inline by <machine/cpu.h>; all may be called from any context:
//
//   struct cpu *arch_this_cpu(void);       valid once arch_cpu_early_init() has run on this CPU
//   struct thread *arch_current(void);     never NULL from then on
//   irq_state_t arch_irq_save(void);       off, and what it was before
//   void arch_irq_restore(irq_state_t);
//   void arch_irq_enable(void);
//   void arch_irq_disable(void);
//   bool arch_irq_enabled(void);
//   bool arch_frame_irq_enabled(const struct kd_frame *);   in the interrupted context
//   void arch_cpu_relax(void);             in spin loops
//   uint64_t arch_counter(void);           the monotonic counter, the same on all CPUs, ordered
//                                          against earlier loads
//   uint64_t arch_entropy(void);           a random number of the processor's; 0: it has none
//   void arch_memory_barrier(void);        full, also against device memory
//   void arch_cache_write_back(const void *, size_t);   from caches to RAM, if the machine surely
//                                          has a way; for memory that outlives a reset

// The CPU-local part that must work before anything else: per-CPU pointer, current thread, stack
// canary, exception vectors. Called first on each CPU, interrupts off, by kernel_main() and by the
// start of a secondary CPU.
void arch_cpu_early_init(struct cpu *cpu, struct thread *current);

// For a machine whose memory or registers are damaged (kernel/cpu/repair.c). The index of this CPU
// by what no stray store reaches: an ID register, the place of a descriptor table. Any context.
unsigned arch_cpu_index(void);
// Do arch_this_cpu() and arch_current() work here, on `cpu`? Touches no memory that may not be
// there.
bool arch_cpu_pointers_valid(const struct cpu *cpu);
// Makes them return `cpu` and `current`, which is in cpu->current already.
void arch_cpu_pointers_load(struct cpu *cpu, struct thread *current);

// Halts until an interrupt is pending. Called with interrupts off, returns with interrupts on and
// the interrupt taken. Atomic: an interrupt that became pending after they were switched off ends
// the halt at once, so a wake-up between check and halt cannot be lost.
void arch_cpu_idle(void);

// Halts for ever with everything masked that can be.
_Noreturn void arch_cpu_halt(void);

// Frequency of arch_counter() in Hz; known after arch_time_init().
uint64_t arch_counter_hz(void);
void arch_time_init(void);     // boot CPU, after the interrupt controller
void arch_time_cpu_init(void); // each CPU, the boot CPU too: its one-shot timer, disarmed
// Requests timer_interrupt() on this CPU at counter value `deadline` (at once if past). Replaces
// the earlier request. UINT64_MAX: none. Interrupts off.
void arch_timer_arm(uint64_t deadline);

// -- interrupt controller and inter-processor interrupts
void arch_irq_init(void);     // boot CPU: finds and initialises controllers, registers their chip
void arch_irq_cpu_init(void); // each CPU, the boot CPU too

enum ipi {
    IPI_RESCHEDULE, // -> sched_ipi()
    IPI_CALL,       // -> smp_call_ipi()
    IPI_CONSOLE,    // input has come in NMI context -> console_kick()
    IPI_COUNT,
};
// To the CPUs of the mask (bit = cpu->index; may include this one). Any context.
void arch_ipi_send(uint64_t cpu_mask, enum ipi ipi);
// The debugger's: as strong as the machine has; arrives in kd_cpu_stop(). Any context.
void arch_stop_send(uint64_t cpu_mask);
// Sleeps in NMI context until arch_stop_wake() or anything else. Keeps interrupts as they are.
void arch_stop_park(void);
void arch_stop_wake(uint64_t cpu_mask);
extern const char *const arch_stop_weakness; // NULL, or why a CPU may be impossible to stop

// -- other CPUs
// Starts cpus[index], which must end up in kernel_secondary_main() on cpu->boot_stack. 0 or
// -errno; success means started, not yet online.
int arch_cpu_start(struct cpu *cpu);

// -- leaving. May return if the machine has no such way.
void arch_reboot(void);
void arch_poweroff(bool failure); // `failure` becomes the emulator's exit status where possible
