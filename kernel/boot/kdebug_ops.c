// SPDX-License-Identifier: MIT
// The kernel's side of struct kdebug_kernel: one table that points into the rooms of the kernel,
// and the parameters kdebug, kdebug.port and panic. Everything the table points to runs while the
// machine stands still: no locks, no allocation, nothing trusted.
#include "kernel/boot/kdebug_ops.h"

#include <string.h>

#include "kdebug/kdebug.h"
#include "kernel/arch/boot.h"
#include "kernel/arch/mmu.h"
#include "kernel/boot/boot_id.h"
#include "kernel/boot/keep.h"
#include "kernel/boot/param.h"
#include "kernel/boot/version.h"
#include "kernel/cpu/cpu.h"
#include "kernel/drivers/serial/uart.h"
#include "kernel/lib/ksyms.h"
#include "kernel/log/console.h"
#include "kernel/log/log.h"
#include "kernel/mm/mapping.h"
#include "kernel/mm/secret.h"
#include "kernel/sched/kd_threads.h"
#include "kernel/sched/walk.h"
#include "kernel/shell/command.h"
#include "kernel/sync/patience.h"
#include "kernel/time/time.h"

static const char *const mode_choices[] = {"off", "on", "wait", NULL};
static unsigned mode = KD_OFF;
PARAM_CHOICE(kdebug, "kdebug", &mode, mode_choices,
             "off, on, or wait: may gdb enter over the line, and does the kernel wait for it");

static const char *const port_choices[] = {"uart0", "uart1", NULL};
static unsigned port_index;
PARAM_CHOICE(kdebug_port, "kdebug.port", &port_index, port_choices,
             "gdb's line: uart0 (shared with the console) or uart1 (COM2 or a pci-serial)");

static const char *const panic_choices[] = {"debug", "halt", "reboot", "poweroff", NULL};
static unsigned panic_action = KD_PANIC_DEBUG;
PARAM_CHOICE(panic, "panic", &panic_action, panic_choices,
             "after a panic's report: debug (halt without kdebug), halt, reboot or poweroff");

static uint64_t capsule_bytes = KIB(64);
PARAM_NUMBER(panic_capsule, "panic.capsule", &capsule_bytes,
             "bytes of memory in the capsule that a panic prints behind its report; 0: no capsule");

extern char __kernel_start[], __kernel_end[], __note_start[], __note_end[];
extern char __text_start[], __text_end[], __debugger_text_start[], __debugger_text_end[];
extern char __entry_text_start[], __entry_text_end[];

static enum kd_memory ops_memory_probe(uintptr_t address, size_t *length)
{
    paddr_t paddr;
    unsigned access;
    size_t bytes;
    if (!mapping_walk(address, &paddr, &access, &bytes)) {
        *length = MIN(*length, PAGE_SIZE - (address & (PAGE_SIZE - 1)));
        return KD_MEMORY_NONE;
    }
    *length = MIN(*length, bytes);
    if (access & PAGE_DEVICE)
        return KD_MEMORY_DEVICE;
    return access & PAGE_WRITE ? KD_MEMORY_READ_WRITE : KD_MEMORY_READ_ONLY;
}

static bool ops_is_text(uintptr_t address)
{
    return address >= (uintptr_t)__text_start && address < (uintptr_t)__text_end;
}

static bool ops_symbol(uintptr_t address, struct kd_symbol *out)
{
    const char *name;
    if (!ksyms_lookup(address, &name, &out->start, &out->size))
        return false;
    strlcpy(out->name, name, sizeof(out->name));
    return true;
}

static int ops_command(struct kd_text *out, const char *line)
{
    return command_execute(out, line, true);
}

static void ops_after(enum kd_after how)
{
    if (how == KD_AFTER_REBOOT)
        arch_reboot();
    else if (how == KD_AFTER_POWEROFF)
        arch_poweroff(true);
}

static bool ops_interrupts_on(const struct kd_frame *frame)
{
    return arch_frame_irq_enabled(frame);
}

static void ops_keep_written(void)
{
    size_t bytes;
    const void *memory = keep_memory(&bytes);
    arch_cache_write_back(memory, bytes);
}

// Whose output a panic's capsule holds.
static const char *const capsule_commands[] = {"locks", "irq", NULL};
static struct kd_range capsule_ranges[3];

// Set once at boot: linker symbols are no constants of C.
static struct kd_range untouchable[2];

static struct kdebug_kernel ops = {
    .name = "Fathom",
    .version = FATHOM_VERSION,
    .cpu_count = cpu_count,
    .cpu_current = arch_cpu_index,
    .cpus_stop = arch_stop_send,
    .cpus_wake = arch_stop_wake,
    .cpu_park = arch_stop_park,
    .clock_ns = clock_ns,
    .thread_next = sched_kd_thread_next,
    .thread_frame = sched_kd_thread_frame,
    .thread_current = sched_kd_thread_current,
    .memory_probe = ops_memory_probe,
    .text_write = mapping_text_write,
    .untouchable = untouchable,
    .is_text = ops_is_text,
    .symbol = ops_symbol,
    .log_tail = log_tail,
    .command = ops_command,
    .after = ops_after,
    .resumed = patience_forgive,
    .memory_secret = secret_at,
    .canary_next = sched_kd_canary_next,
    .interrupts_on = ops_interrupts_on,
    .capsule_commands = capsule_commands,
    .keep_written = ops_keep_written,
    .thread_bytes = sizeof(struct thread),
    .capsule_ranges = capsule_ranges,
};

static struct debug_port *port_of(struct uart *uart)
{
    return uart ? &uart->port : NULL;
}

static struct kd_config current_config(void)
{
    return (struct kd_config){
        .mode = mode,
        .panic_action = panic_action,
        .port = port_of(uart_get(port_index)),
        .console = port_of(uart_get(0)),
        .capsule_bytes = capsule_bytes,
    };
}

// This kernel runs where it is linked.
static void image_init(struct kd_image *image)
{
    image->start = (uintptr_t)__kernel_start;
    image->end = (uintptr_t)__kernel_end;
    image->page_bytes = PAGE_SIZE;
    image->build_id_bytes =
        (uint32_t)kd_build_id(__note_start, (size_t)(__note_end - __note_start), &image->build_id);
}

void kdebug_ops_init(void)
{
    capsule_ranges[0] = (struct kd_range){(uintptr_t)cpus, (uintptr_t)(cpus + CPU_MAX), "CPUs"};
    capsule_ranges[1] =
        (struct kd_range){(uintptr_t)&thread_list, (uintptr_t)(&thread_list + 1), "threads"};
    image_init(&ops.image);
    ops.image.boot_id = boot_id;
    ops.keep = keep_memory(&ops.keep_bytes);
    untouchable[0] =
        (struct kd_range){(uintptr_t)__debugger_text_start, (uintptr_t)__debugger_text_end,
                          "the debugger's own code, or code it stands on"};
    ops.entry_text = (struct kd_range){(uintptr_t)__entry_text_start, (uintptr_t)__entry_text_end,
                                       "entries of exceptions and interrupts"};
    ops.stop_weakness = arch_stop_weakness;
    struct kd_config config = current_config();
    kd_init(&ops, &config);
}

void kdebug_ports_update(void)
{
    static bool told;
    struct kd_config config = current_config();
    kd_configure(&config);
    struct uart *uart = uart_get(port_index);
    if (mode == KD_OFF || !uart || told)
        return;
    told = true;
    uart->shared = true;
    console_shared_set(uart == uart_get(0));
    log_info("kdebug: gdb may attach on %s", uart->name);
    if (mode == KD_WAIT)
        kdebug_break("kdebug=wait");
}
