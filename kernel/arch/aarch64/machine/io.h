// SPDX-License-Identifier: MIT
// This machine's devices are all in memory.
#pragma once

#include "kernel/arch/no_ports.h"
