# SPDX-License-Identifier: MIT
uart.sources := kernel/drivers/serial/uart.c kernel/drivers/serial/ns16550.c \
    kernel/drivers/serial/pl011.c
kernel.sources += $(uart.sources)
debugger.sources += $(uart.sources)
kernel.sources += kernel/drivers/serial/pci_serial.c
