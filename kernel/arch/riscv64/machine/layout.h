// SPDX-License-Identifier: MIT
// The kernel half of the address space on this machine, as plain constants for C, assembly and the
// linker script; docs/architecture.md draws it.
#pragma once

#define KERNEL_ENTRY        start
#define KERNEL_BASE         0xffffffff80000000
#define KERNEL_LINK_ADDRESS 0xffffffff80200000
#define KERNEL_LOAD_ADDRESS 0x80200000 /* where the boot loader puts the image */

#define DIRECT_MAP_BASE     0xffffffc000000000
#define DIRECT_MAP_BYTES    0x2000000000 /* 128 GiB */
#define VMAP_BASE           0xffffffe000000000
#define VMAP_BYTES          0x1000000000
#define FIXMAP_BASE         0xffffffffffc00000
#define KASAN_SHADOW_OFFSET 0xdfffffff00000000
