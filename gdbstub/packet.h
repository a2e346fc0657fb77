// SPDX-License-Identifier: MIT
// The framing of the protocol: $body#checksum, escapes, run-length encoding, and the single bytes
// between packets (E.1 "Overview"). The receiver is a state machine that takes one byte at a time
// and says what it completed; what to do about it is the conversation's business (session.c).
//
// Theory. A body is accepted only when a gdb could have sent it: right checksum of two hex digits,
// no longer than the buffer, not ending in an escape, and printable unless it is an X packet, the
// only binary one we know. The last condition makes noise harmless: an 8-bit checksum alone lets
// one damaged packet in 256 through. '$' always begins anew, since gdb escapes it inside a body,
// so the receiver is in step again with the next packet whatever came before.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gdbstub/gdbstub.h"

enum gdb_received {
    GDB_RECEIVED_NOTHING,
    GDB_RECEIVED_PACKET,   // bytes[0 .. length), escapes removed, a NUL behind
    GDB_RECEIVED_TOO_LONG, // the checksum was right, but the body did not fit
    GDB_RECEIVED_DAMAGED,
    GDB_RECEIVED_ACK,
    GDB_RECEIVED_NAK,
    GDB_RECEIVED_INTERRUPT, // 0x03 between packets
};

enum gdb_receive_state { GDB_RX_BETWEEN, GDB_RX_BODY, GDB_RX_SUM_HIGH, GDB_RX_SUM_LOW };

struct gdb_receiver {
    enum gdb_receive_state state;
    uint8_t sum;
    uint8_t announced; // the high digit of the checksum as it came
    bool sum_valid;    // both digits so far were hex
    bool escaped;      // the next byte of the body is the second of an escape
    bool binary;       // a byte of the body was not printable
    bool too_long;
    size_t length;
    uint64_t fingerprint; // of the body, to recognise a repeated request (FNV-1a)
    uint8_t bytes[GDB_PACKET_BYTES + 1];
};

void gdb_receiver_reset(struct gdb_receiver *receiver);
enum gdb_received gdb_receiver_feed(struct gdb_receiver *receiver, uint8_t byte);

// Sends a body as a packet, run-length encoded. The body is escaped already where it is binary.
void gdb_packet_send(const struct gdbstub_target *target, void *context, const uint8_t *body,
                     size_t length);
