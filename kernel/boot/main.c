// SPDX-License-Identifier: MIT
// The order of boot. Each step's comment says what may be used from then on; a step may use what
// stands above it and nothing below.
#include "kdebug/kdebug.h"
#include "kernel/arch/boot.h"
#include "kernel/boot/boot_id.h"
#include "kernel/boot/kdebug_ops.h"
#include "kernel/boot/keep.h"
#include "kernel/boot/param.h"
#include "kernel/boot/version.h"
#include "kernel/cpu/cpu.h"
#include "kernel/drivers/driver.h"
#include "kernel/drivers/serial/uart.h"
#include "kernel/irq/irq.h"
#include "kernel/log/console.h"
#include "kernel/log/log.h"
#include "kernel/mm/kmalloc.h"
#include "kernel/mm/mapping.h"
#include "kernel/mm/page.h"
#include "kernel/panic.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/ticker.h"
#include "kernel/shell/shell.h"
#include "kernel/test/ktest.h"
#include "kernel/time/time.h"

struct boot_info boot_info;

static const char *test_filter;
PARAM_STRING(test, "test", &test_filter,
             "run the self-tests (all, or those of one suite), print KTAP and power off");

static void console_init(void)
{
    struct uart *uart = uart_early(0);
    if (!uart)
        return;
    uart->console = true;
    console_port_set(&uart->port);
    uart_early(1);
}

// Threads, interrupts and all CPUs work: the rest of boot happens in a thread like any other.
static void boot_thread(void *unused)
{
    (void)unused;
    smp_start(); // all CPUs
    uart_map_all();
    keep_tell();
    driver_init_all(); // PCI and what sits on it
    kdebug_ports_update();
    uart_start_all();
    log_info("%u CPUs, ready", (unsigned)__builtin_popcountll(cpu_online_mask()));
    if (test_filter)
        ktest_run_all(*test_filter ? test_filter : NULL);
    ticker_start();
    shell_start();
}

_Noreturn void kernel_main(uint64_t boot_hw_id, paddr_t handoff)
{
    struct cpu *cpu = &cpus[0];
    arch_cpu_early_init(cpu, sched_boot_thread(cpu)); // exceptions, current, log
    arch_boot_info(boot_hw_id, handoff);              // boot_info, cpu_count()
    param_parse(boot_info.command_line);              // parameters
    keep_reserve();                                   // the place where an earlier panic may be
    boot_id_init();                                   // which boot of many this is
    console_init();                                   // the polled console
    log_info("Fathom " FATHOM_VERSION " on %s", boot_info.machine ? boot_info.machine : "?");
    kdebug_ops_init(); // the debugger: traps, panics
    kd_cpu_init();
    kdebug_ports_update();
    mapping_init(); // final page tables: W^X, all of RAM in the direct map
    page_init();    // page_alloc(), device_map(), stack_alloc()
    kmalloc_init(); // kmalloc()
    sched_init();
    sched_cpu_init(cpu); // threads
    arch_irq_init();
    arch_irq_cpu_init(); // irq_request()
    arch_time_init();
    time_init();
    arch_time_cpu_init();
    time_cpu_init(); // clock_ns(), timers
    cpu_set_online(cpu);
    struct thread *thread;
    if (thread_create("boot", PRIORITY_HIGH, 0, boot_thread, NULL, &thread) < 0)
        panic("no memory for the first thread");
    thread_detach(thread);
    sched_idle_loop();
}

_Noreturn void kernel_secondary_main(struct cpu *cpu)
{
    kd_cpu_init();
    mapping_cpu_init();
    sched_cpu_init(cpu);
    arch_irq_cpu_init();
    arch_time_cpu_init();
    time_cpu_init();
    cpu_set_online(cpu);
    sched_idle_loop();
}
