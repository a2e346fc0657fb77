// SPDX-License-Identifier: MIT
// A thread that does a little work a hundred times a second: something that lives in an otherwise
// idle kernel, for breakpoints, watchpoints and demonstrations.
#pragma once

void ticker_start(void);
