// SPDX-License-Identifier: MIT
// Leaving: by the firmware, except that an emulator's exit status is set through its test device
// ("sifive,test0") if there is one. OpenSBI 1.1 passes a failure on to that without a number, and
// QEMU then reports success. The debugger calls these: no locks, nothing trusted.
#include "kernel/arch/riscv64/power.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/mmu.h"
#include "kernel/arch/riscv64/sbi.h"
#include "kernel/firmware/fdt_boot.h"
#include "kernel/mm/mapping.h"

#define TEST_FAIL   0x3333
#define TEST_STATUS (1 << 16) // the exit status, in the upper half

static paddr_t test_device; // 0: none

void power_find(const struct fdt *fdt)
{
    fdt_node node = fdt_by_compatible(fdt, 0, "sifive,test0");
    paddr_t address;
    if (fdt_enabled(fdt, node) && fdt_reg(fdt, node, 0, &address, NULL) && address % 4 == 0)
        test_device = address;
}

__debugger_text void arch_reboot(void)
{
    sbi_reboot();
}

__debugger_text void arch_poweroff(bool failure)
{
    if (failure && test_device != 0) {
        volatile uint32_t *finisher =
            fixmap_map(FIXMAP_BOOT_0, test_device, PAGE_READ | PAGE_WRITE | PAGE_DEVICE);
        *finisher = TEST_FAIL | TEST_STATUS;
    }
    sbi_shutdown(failure);
}
