// SPDX-License-Identifier: MIT
// One serial line, two users: the console on the terminal and a gdb on a TCP port. The kernel mixes
// console text and packets on its line; the splitter takes them apart again, and keeps what is
// typed from getting between gdb and a stopped machine. It owns no file descriptors: bytes go in
// through splitter_from_*(), and come out through the three functions of struct splitter_ends.
//
// Theory. Of each direction the splitter recognises whole packets ($, body, #, two digits of
// checksum). gdb's packets pass at once and tell what gdb is about: whether a conversation is open
// (from its first packet to D, k or vKill) and whether the machine runs (from c, s, vCont to the
// next stop reply). From the line,
//   - outside a conversation everything is text;
//   - + and - belong to gdb while it is owed an answer to a packet, else they are text; but a + in
//     the middle of a line of text is gdb's only if an answer or silence follows it;
//   - $ holds bytes back until they are a packet with a right checksum, which goes to gdb, or can
//   no
//     longer become one: then they are text, or, while the machine stands still, gdb's after all
//     (the line has nothing else to say, and gdb must see the damage to ask for the packet again).
// Console text that the kernel sends as O packets while gdb owns the line goes to gdb as it is and
// to the terminal decoded; the O packets that answer a monitor command are gdb's alone.
// What is typed waits while the machine stands still, and 0x03 is not passed on during a
// conversation: it would be taken for gdb's.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The kernel's largest packet is 16 KiB.
#define SPLITTER_PACKET_BYTES 17408
#define SPLITTER_TYPED_BYTES  4096

struct splitter_ends {
    void (*to_line)(void *context, const uint8_t *bytes, size_t length);
    void (*to_gdb)(void *context, const uint8_t *bytes, size_t length); // no client: thrown away
    void (*to_terminal)(void *context, const uint8_t *bytes, size_t length);
};

// Recognises one packet after another in one direction. `bytes` holds the present one.
struct packet_reader {
    size_t length; // bytes held; 0: outside a packet
    size_t sum_at; // where the # is; 0: not seen yet
    uint8_t bytes[SPLITTER_PACKET_BYTES];
};

struct splitter {
    const struct splitter_ends *ends;
    void *context;
    bool session; // gdb and the kernel are in a conversation
    bool running; // in a conversation: gdb has let the machine run
    bool leaving; // gdb has ended the conversation; the answer to that is to come
    bool no_acks; // gdb asked for QStartNoAckMode and got OK
    bool wants_no_acks;
    unsigned owed;  // packets of gdb's the kernel has not acknowledged
    bool in_text;   // the last byte outside packets was text, and no newline
    bool plus_held; // it was a +, of which the next byte will tell what it is
    bool doubtful;  // such a + was taken for text
    struct packet_reader from_gdb, from_line;
    size_t typed_length;
    uint8_t typed[SPLITTER_TYPED_BYTES]; // waits until the machine runs
};

void splitter_init(struct splitter *splitter, const struct splitter_ends *ends, void *context);
void splitter_from_line(struct splitter *splitter, const uint8_t *bytes, size_t length);
void splitter_from_gdb(struct splitter *splitter, const uint8_t *bytes, size_t length);
void splitter_from_terminal(struct splitter *splitter, const uint8_t *bytes, size_t length);
// The line has been silent for a while: what is held back is text.
void splitter_idle(struct splitter *splitter);
// A new client: its acknowledgements start afresh. The conversation, as the kernel sees it, goes
// on.
void splitter_gdb_connected(struct splitter *splitter);
bool splitter_in_reply(const struct splitter *splitter); // a packet from the line is incomplete
bool splitter_holds(const struct splitter *splitter);    // splitter_idle() would release something
bool splitter_stopped(const struct splitter *splitter);  // the machine stands still in the debugger
