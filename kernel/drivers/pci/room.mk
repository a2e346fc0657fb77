# SPDX-License-Identifier: MIT
kernel.sources += kernel/drivers/pci/pci.c
