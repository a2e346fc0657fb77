// SPDX-License-Identifier: MIT
// The kernel's shell: a thread that reads lines from the console and runs commands.
#pragma once

void shell_start(void);
