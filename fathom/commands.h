// SPDX-License-Identifier: MIT
// The subcommands, one file each.
#pragma once

#include "fathom/options.h"

extern const struct command command_run;
extern const struct command command_gdb;
extern const struct command command_addr2line;
extern const struct command command_index;
extern const struct command command_decode;
