// SPDX-License-Identifier: MIT
// The kernel half of the address space on this machine, as plain constants for C, assembly and the
// linker script; docs/architecture.md draws it.
#pragma once

#define KERNEL_ENTRY        start
#define KERNEL_BASE         0xffffffff80000000
#define KERNEL_LINK_ADDRESS 0xffffffff80200000
#define KERNEL_LOAD_ADDRESS 0x40200000 /* where the boot loader puts the image */

#define DIRECT_MAP_BASE     0xffff800000000000
#define DIRECT_MAP_BYTES    0x400000000000 /* 64 TiB */
#define VMAP_BASE           0xffffc00000000000
#define VMAP_BYTES          0x200000000000
#define FIXMAP_BASE         0xffffffffffc00000
#define KASAN_SHADOW_OFFSET 0xdffffc0000000000
