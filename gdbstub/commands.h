// SPDX-License-Identifier: MIT
// What a packet handler is, and the tables that name them. Each file of handlers ends in one table;
// commands.c walks them all. Handlers run with the target stopped, called from gdb_dispatch() only.
#pragma once

#include "gdbstub/cursor.h"
#include "gdbstub/stub.h"
#include "gdbstub/writer.h"

// A handler returns 0 when the reply is complete in `reply`, GDB_NO_REPLY when nothing is to be
// sent, -ENOTSUP for the empty reply, another negative errno for an error, worded in `error` or
// by the errno. `arguments` stands behind the packet's name and separator; what was written to
// `reply` before an error is dropped.
#define GDB_NO_REPLY 1
typedef int gdb_handler_t(struct gdbstub *stub, struct gdb_cursor *arguments,
                          struct gdb_writer *reply, struct gdb_error *error);

struct gdb_packet {
    const char *name; // how the body begins
    // Which characters may separate name and arguments; without arguments there is none. "": there
    // are no arguments. NULL: they follow at once.
    const char *separators;
    gdb_handler_t *handle;
    // gdb before 15 takes E.text in answer to this one for data: it gets a number instead.
    bool numeric_error;
    const char *help;
};

struct gdb_packet_table {
    const struct gdb_packet *rows;
    size_t count;
};

extern const struct gdb_packet_table gdb_session_packets;    // query.c
extern const struct gdb_packet_table gdb_thread_packets;     // threads.c
extern const struct gdb_packet_table gdb_register_packets;   // registers.c
extern const struct gdb_packet_table gdb_memory_packets;     // memory.c
extern const struct gdb_packet_table gdb_breakpoint_packets; // breakpoints.c
extern const struct gdb_packet_table gdb_resume_packets;     // resume.c
extern const struct gdb_packet_table gdb_xfer_packets;       // xfer.c

#define GDB_PACKET_TABLE(rows_)                                                                    \
    {                                                                                              \
        .rows = (rows_), .count = sizeof(rows_) / sizeof((rows_)[0])                               \
    }

// All rows, one after the other; NULL behind the last. Row 0 is the first.
const struct gdb_packet *gdb_packet_row(size_t index);

// Executes the request in the receiver and leaves the reply in stub->reply. False: send nothing.
bool gdb_dispatch(struct gdbstub *stub);

// Leaves "E.text" (or a number, see above) as the reply.
void gdb_reply_error(struct gdbstub *stub, struct gdb_writer *reply, int code,
                     const struct gdb_error *error, bool numeric);

// -- shared by handlers -----------------------------------------------------------------------

// Sends what is in stub->reply as a packet of its own (O packets before the real reply).
void gdb_session_send(struct gdbstub *stub);

// Sends `text` as the reply at once, for a handler that changes the terms behind it and then
// returns GDB_NO_REPLY.
void gdb_reply_now(struct gdbstub *stub, struct gdb_writer *reply, const char *text);

// The thread that Hg selected: never ANY or ALL.
gdb_thread_t gdb_selected_thread(const struct gdbstub *stub);

// The stop reply for stub->stop (resume.c).
void gdb_put_stop_reply(struct gdbstub *stub, struct gdb_writer *reply);

// Reads what gdb can do, and words our answer (query.c).
void gdb_features_read(struct gdbstub *stub, struct gdb_cursor *arguments);
void gdb_put_features(struct gdbstub *stub, struct gdb_writer *reply);

// Ends a conversation: no gdb is attached, the next one begins with acks, the target runs.
void gdb_session_end(struct gdbstub *stub);

// Reads a register of the thread as a string of hex digits, or x's where there is no value.
#define GDB_REGISTER_BYTES 64
int gdb_put_register(struct gdbstub *stub, gdb_thread_t thread, unsigned row,
                     struct gdb_writer *reply, struct gdb_error *error);
