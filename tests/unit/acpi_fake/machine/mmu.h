// SPDX-License-Identifier: MIT
// A machine for host tests of kernel/firmware/acpi.c: physical memory is a reservation of 4 GiB,
// all of it readable, as the boot mapping is.
#pragma once

#define DIRECT_MAP_BASE  UINT64_C(0x200000000000)
#define DIRECT_MAP_BYTES (UINT64_C(1) << 32)
