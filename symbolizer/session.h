// SPDX-License-Identifier: MIT
// A conversation with gdb about a dead machine: gdbstub with a capsule behind it. Knows no socket:
// bytes come in by sym_session_receive() and go out by the owner's function. serve.c puts it on a
// TCP port.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "symbolizer/dead.h"

struct sym_session;

typedef void sym_session_send_fn(void *context, const uint8_t *bytes, size_t length);

// `dead` must outlive the session. Fails when the capsule has lost its register table, without
// which gdb cannot be told what machine this is.
struct error *sym_session_open(const struct sym_dead *dead, sym_session_send_fn *send,
                               void *context, struct sym_session **out);
void sym_session_close(struct sym_session *session);

// A new gdb: what the last one had selected is forgotten.
void sym_session_restart(struct sym_session *session);

// Bytes from gdb, any number.
void sym_session_receive(struct sym_session *session, const uint8_t *bytes, size_t length);

enum sym_session_state {
    SYM_SESSION_OPEN,
    SYM_SESSION_DETACHED, // gdb has let go (detach, quit)
    SYM_SESSION_KILLED,   // gdb's `kill`
};
enum sym_session_state sym_session_state(const struct sym_session *session);
