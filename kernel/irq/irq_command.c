// SPDX-License-Identifier: MIT
// The `irq` command: which interrupts are in use and how often each came on each CPU.
#include "kernel/cpu/cpu.h"
#include "kernel/irq/irq.h"
#include "kernel/shell/command.h"

static int irq_run(struct command_call *call)
{
    kd_text_printf(call->out, "%5s  %-24s", "IRQ", "NAME");
    CPU_FOR_EACH (cpu)
        kd_text_printf(call->out, " %10s", cpu->name);
    kd_text_string(call->out, "\n");
    struct irq_info info;
    for (unsigned cursor = 0; irq_info(&cursor, &info);) {
        kd_text_printf(call->out, "%5d  %-24s", info.irq, info.name);
        CPU_FOR_EACH (cpu)
            kd_text_printf(call->out, " %10llu", (unsigned long long)info.count[cpu->index]);
        kd_text_string(call->out, "\n");
    }
    kd_text_printf(call->out, "%5s  %-24s %10llu\n", "-", "spurious",
                   (unsigned long long)irq_spurious_total());
    return 0;
}
COMMAND(irq, "irq", "irq", "interrupts in use and their counts on each CPU", irq_run,
        "Timer interrupts and those between processors are counted by `cpu`.\n");
