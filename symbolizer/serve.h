// SPDX-License-Identifier: MIT
// Serves a dead machine to gdb on a TCP port of this host's loopback: `target remote :PORT`, then
// info threads, bt, locals and x as on a live one. Nothing can be written or resumed. Called by
// `fathom decode --gdb`.
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "symbolizer/dead.h"

struct sym_serve_options {
    unsigned port; // 0: a free one
    FILE *say;     // where the port is told: "gdb: target remote 127.0.0.1:PORT"; never NULL
    bool once;     // end when the first gdb leaves; else only a gdb's `kill` ends it
};

struct error *sym_serve(const struct sym_dead *dead, const struct sym_serve_options *options);
