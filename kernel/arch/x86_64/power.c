// SPDX-License-Identifier: MIT
// Leaving: ACPI's soft-off and reset register, and what older machines have. Called by the shell,
// by tests and by the debugger after a panic, so it uses only what acpi_parse() stored.
#include <string.h>

#include "kernel/arch/cpu.h"
#include "kernel/firmware/acpi.h"
#include "kernel/mm/mapping.h"
#include <machine/io.h>

#define SLEEP_ENABLE        (1 << 13)
#define SLEEP_TYPE_SHIFT    10
#define HW_SLEEP_ENABLE     (1 << 5) // of a hardware-reduced machine's sleep control register
#define HW_SLEEP_TYPE_SHIFT 2
#define SCI_ENABLE          1
#define ENABLE_WAIT_READS   100000
#define EMULATOR_EXIT_PORT  0xf4 // QEMU's isa-debug-exit at its customary place
#define RESET_CONTROL       0xcf9
#define KEYBOARD_COMMAND    0x64

__debugger_text static void register_write8(const struct acpi_register *reg, uint8_t value)
{
    if (reg->space == ACPI_SPACE_PORT) {
        port_write8((uint16_t)reg->address, value);
    } else if (reg->space == ACPI_SPACE_MEMORY && reg->address) {
        volatile uint8_t *byte =
            fixmap_map(FIXMAP_BOOT_0, reg->address, PAGE_READ | PAGE_WRITE | PAGE_DEVICE);
        *byte = value;
    }
}

// The firmware may still own the power registers (ACPI specification 6.4, 4.8.3.2.1).
__debugger_text static void acpi_mode_enter(void)
{
    if (!acpi.smi_command || !acpi.acpi_enable || port_read16(acpi.pm1_control[0]) & SCI_ENABLE)
        return;
    port_write8((uint16_t)acpi.smi_command, acpi.acpi_enable);
    for (unsigned i = 0; i < ENABLE_WAIT_READS; i++)
        if (port_read16(acpi.pm1_control[0]) & SCI_ENABLE)
            return;
}

__debugger_text void arch_poweroff(bool failure)
{
    if (failure && strncmp(acpi.machine, "BOCHS", 5) == 0) // an emulator's exit status 1, if asked
        port_write32(EMULATOR_EXIT_PORT, 0);
    if (!acpi.has_soft_off)
        return;
    if (acpi.sleep_control.address)
        register_write8(&acpi.sleep_control,
                        (uint8_t)(acpi.soft_off_type[0] << HW_SLEEP_TYPE_SHIFT | HW_SLEEP_ENABLE));
    if (!acpi.pm1_control[0])
        return;
    acpi_mode_enter();
    for (unsigned i = 0; i < 2; i++)
        if (acpi.pm1_control[i])
            port_write16(acpi.pm1_control[i],
                         (uint16_t)(acpi.soft_off_type[i] << SLEEP_TYPE_SHIFT | SLEEP_ENABLE));
}

__debugger_text void arch_reboot(void)
{
    if (acpi.reset.address)
        register_write8(&acpi.reset, acpi.reset_value);
    port_write8(RESET_CONTROL, 2);
    port_write8(RESET_CONTROL, 6);
    port_write8(KEYBOARD_COMMAND, 0xfe);
    // An exception without a table to find its handler in resets the CPU.
    struct {
        uint16_t limit;
        uint64_t base;
    } __packed none = {0, 0};
    __asm__ volatile("lidt %0\n\tint3" ::"m"(none));
}
