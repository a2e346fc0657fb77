// SPDX-License-Identifier: MIT
// A machine for host tests of kernel/mm: physical memory is the host's own, address for address,
// so the direct map is the identity. There are no page tables.
#pragma once

#define DIRECT_MAP_BASE  UINT64_C(0)
#define DIRECT_MAP_BYTES (UINT64_C(1) << 47)
