// SPDX-License-Identifier: MIT
// struct gdbstub, so that its owner can place it (it is some 33 KiB: two packet buffers). Nobody
// outside gdbstub/ touches its members; gdbstub.h has the functions.
#pragma once

#include "gdbstub/gdbstub.h"
#include "gdbstub/packet.h"

struct gdbstub {
    const struct gdbstub_target *target;
    const struct gdb_machine *machine;
    void *context;

    enum gdb_state state;
    struct gdb_stop stop;  // the last one reported
    bool attached;         // a gdb is in conversation with us
    bool stop_owed;        // gdb let the target go and waits for a stop reply
    bool executing;        // a request has not had its reply: see gdb_abandon()
    bool numeric_error;    // an error in that reply has to be a number
    bool interrupted;      // 0x03 came while running, and nobody has asked yet
    gdb_thread_t selected; // Hg: whose registers and memory; GDB_THREAD_ANY: the one that stopped
    gdb_thread_t resumed;  // Hc: whom the old c and s packets mean
    gdb_thread_t listed;   // the last thread told by qfThreadInfo and qsThreadInfo
    bool list_ended;
    bool stepped;    // the target was last resumed to step
    bool ran;        // the target ran, and qXfer:threads was not read since
    bool list_brief; // the qXfer:threads being read has no names

    // What this gdb can do, from its qSupported.
    bool greeted;       // qSupported came in this conversation
    bool swbreak_known; // it understands the reason swbreak in stop replies
    bool hwbreak_known;
    bool error_text; // it understands E.text for every packet (gdb 15 and later)

    // The line: see "Theory" in session.c.
    bool no_ack;
    bool opened;         // this call of gdb_receive() has opened a conversation
    bool greeting_held;  // qSupported came while running; answered at the next stop
    bool repeat_ignored; // a repeated request was acknowledged but not answered again
    uint8_t unacked;     // packets sent and not acknowledged yet
    uint8_t resent;      // how often the last packet was sent again
    bool requested;      // `request_*` are valid
    size_t request_length;
    uint64_t request_fingerprint;

    struct gdb_receiver receiver;
    size_t reply_length;
    uint8_t reply[GDB_PACKET_BYTES];
};
