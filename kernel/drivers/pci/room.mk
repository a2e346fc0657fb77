# SPDX-License-Identifier: MIT
kernel.sources += kernel/drivers/pci/pci.c kernel/drivers/pci/pci_test.c
