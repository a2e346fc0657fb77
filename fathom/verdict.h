// SPDX-License-Identifier: MIT
// Reads along with a machine's console and knows, when it is over, what the exit status should be:
// did it panic, and did its self-tests (KTAP) pass?
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct verdict {
    bool panicked;
    bool tested;             // a plan was seen, "1..N" at the beginning of a line
    unsigned planned;        // its N
    unsigned passed, failed; // results at the outermost level
    size_t length;
    char line[256]; // the present one, cut at its end if longer
};

void verdict_init(struct verdict *verdict);
void verdict_console(struct verdict *verdict, const uint8_t *bytes, size_t length);
// A test run that stopped before its plan was fulfilled has failed, and so has one without a test.
enum exit_status verdict_status(const struct verdict *verdict);
