// SPDX-License-Identifier: MIT
// Any bytes as a device tree: opened, and all of boot_info read from them. A copy of exactly the
// input's size lets the address sanitizer see every byte too many.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/firmware/fdt_boot.h"
#include "kernel/log/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct boot_info boot_info;

void log_at(enum log_level level, const char *format, ...)
{
    (void)level, (void)format;
}

size_t strlcpy(char *to, const char *from, size_t size)
{
    return (size_t)snprintf(to, size, "%s", from);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *blob = malloc(size > 0 ? size : 1);
    memcpy(blob, data, size);
    memset(&boot_info, 0, sizeof(boot_info));
    if (fdt_boot_info(blob, 0x80000000, size, 0) == 0)
        for (uint8_t slot = 0; slot < 4; slot++)
            fdt_boot_pci_irq(0, slot, 1);
    free(blob);
    return 0;
}
