// SPDX-License-Identifier: MIT
// The calls of sbi.h. Each names its extension and function as chapter and section of the SBI
// specification do. On the debugger's path (stop signals, power), so compiled plain.
#include "kernel/arch/riscv64/sbi.h"

#include <errno.h>

#include "kernel/arch/boot.h"
#include "kernel/log/log.h"

struct sbi_result {
    long error, value;
};

enum sbi_extension {
    SBI_BASE = 0x10,
    SBI_TIME = 0x54494d45,
    SBI_IPI = 0x735049,
    SBI_RFENCE = 0x52464e43,
    SBI_HSM = 0x48534d,
    SBI_RESET = 0x53525354,
    SBI_DEBUG_CONSOLE = 0x4442434e,
    SBI_OLD_CONSOLE_PUTCHAR = 1,
};

#define BASE_SPEC_VERSION     0
#define BASE_PROBE            3
#define RFENCE_SFENCE_VMA     1
#define DEBUG_CONSOLE_PUTCHAR 2
#define RESET_SHUTDOWN        0
#define RESET_COLD_REBOOT     1
#define RESET_REASON_NONE     0
#define RESET_REASON_FAILURE  1

__debugger_text static struct sbi_result call(enum sbi_extension extension, uint64_t function,
                                              uint64_t argument0, uint64_t argument1,
                                              uint64_t argument2, uint64_t argument3)
{
    register uint64_t a0 __asm__("a0") = argument0;
    register uint64_t a1 __asm__("a1") = argument1;
    register uint64_t a2 __asm__("a2") = argument2;
    register uint64_t a3 __asm__("a3") = argument3;
    register uint64_t a6 __asm__("a6") = function;
    register uint64_t a7 __asm__("a7") = extension;
    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a3), "r"(a6), "r"(a7) : "memory");
    return (struct sbi_result){(long)a0, (long)a1};
}

__debugger_text static bool has(enum sbi_extension extension)
{
    struct sbi_result result = call(SBI_BASE, BASE_PROBE, extension, 0, 0, 0);
    return result.error == 0 && result.value != 0;
}

void sbi_init(void)
{
    static const struct {
        enum sbi_extension extension;
        const char *without;
    } needed[] = {
        {SBI_TIME, "TIME: there will be no timer interrupts"},
        {SBI_IPI, "IPI: CPUs cannot interrupt each other"},
        {SBI_RFENCE, "RFNC: TLBs of other CPUs cannot be flushed"},
        {SBI_HSM, "HSM: other CPUs cannot be started"},
        {SBI_RESET, "SRST: the machine cannot be switched off"},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(needed); i++)
        if (!has(needed[i].extension))
            log_error("SBI: the firmware lacks %s", needed[i].without);
    long version = call(SBI_BASE, BASE_SPEC_VERSION, 0, 0, 0, 0).value;
    log_debug("SBI %ld.%ld", version >> 24 & 0x7f, version & 0xffffff);
}

void sbi_timer_set(uint64_t deadline)
{
    call(SBI_TIME, 0, deadline, 0, 0, 0);
}

// Hart numbers may be large and far apart, but a call names 64 in a row: one call for each stretch.
__debugger_text void sbi_ipi_send(uint64_t cpu_mask)
{
    for (unsigned i = 0; i < boot_info.cpu_count; i++) {
        if (!(cpu_mask >> i & 1))
            continue;
        uint64_t base = boot_info.cpu_hw_id[i];
        uint64_t harts = 0;
        for (unsigned j = i; j < boot_info.cpu_count; j++) {
            uint64_t hart = boot_info.cpu_hw_id[j];
            if ((cpu_mask >> j & 1) && hart >= base && hart - base < 64) {
                harts |= UINT64_C(1) << (hart - base);
                cpu_mask &= ~(UINT64_C(1) << j);
            }
        }
        call(SBI_IPI, 0, harts, base, 0, 0);
    }
}

#define ALL_HARTS UINT64_MAX // as the mask's base: all that run

void sbi_tlb_flush_all_harts(uintptr_t address, size_t length)
{
    call(SBI_RFENCE, RFENCE_SFENCE_VMA, 0, ALL_HARTS, address, length);
}

int sbi_hart_start(uint64_t hart, paddr_t entry, uintptr_t argument)
{
    static const int errors[] = {
        // by the negated SBI error: failed, not supported, invalid parameter, denied, invalid
        // address, already available
        0, EIO, ENOTSUP, EINVAL, EPERM, EFAULT, EBUSY,
    };
    long error = call(SBI_HSM, 0, hart, entry, argument, 0).error;
    return error > 0 || -error >= (long)ARRAY_SIZE(errors) ? -EIO : -errors[-error];
}

__debugger_text void sbi_shutdown(bool failure)
{
    call(SBI_RESET, 0, RESET_SHUTDOWN, failure ? RESET_REASON_FAILURE : RESET_REASON_NONE, 0, 0);
}

__debugger_text void sbi_reboot(void)
{
    call(SBI_RESET, 0, RESET_COLD_REBOOT, RESET_REASON_NONE, 0, 0);
}

// The one call of the old interface: firmware older than SBI 2.0 has no other console, and this one
// is wanted before anything about the machine is known.
__debugger_text void sbi_console_putc(char c)
{
    struct sbi_result result = call(SBI_DEBUG_CONSOLE, DEBUG_CONSOLE_PUTCHAR, (uint8_t)c, 0, 0, 0);
    if (result.error != 0)
        call(SBI_OLD_CONSOLE_PUTCHAR, 0, (uint8_t)c, 0, 0, 0);
}
