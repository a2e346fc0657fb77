// SPDX-License-Identifier: MIT
// Recognises the first packet of a conversation in a byte stream that is otherwise a console's.
// Called for every byte typed at the console while no gdb is attached, possibly from an interrupt
// handler; it touches nothing but the sniffer.
//
// A debugger's first packet is one of a few (below), so a person who types "echo $HOME" sees the
// dollar and the H at once: bytes are held only while they can still become one of these. Behind
// the opening only printable bytes may follow, so the Enter key, too, releases what is held.
#include "gdbstub/gdbstub.h"

#include <string.h>

#include "gdbstub/cursor.h"

static const char *const openings[] = {
    "qSupported",      // gdb
    "QStartNoAckMode", // lldb
    "?#",              // scripts
};

enum { SNIFF_BODY, SNIFF_SUM_HIGH, SNIFF_SUM_LOW };

void gdb_sniff_reset(struct gdb_sniffer *sniffer)
{
    sniffer->length = 0;
    sniffer->sum = 0;
    sniffer->state = SNIFF_BODY;
}

// Whether what is held behind the '$' is an opening or the beginning of one.
static bool opening_possible(const struct gdb_sniffer *sniffer)
{
    size_t length = sniffer->length - 1u;

    for (size_t i = 0; i < sizeof openings / sizeof openings[0]; i++) {
        size_t compared = strlen(openings[i]);
        if (compared > length)
            compared = length;
        if (memcmp(openings[i], sniffer->bytes + 1, compared) == 0)
            return true;
    }
    return false;
}

static enum gdb_sniff_verdict sniff_body(struct gdb_sniffer *sniffer, uint8_t byte)
{
    if (byte < ' ' || byte > '~' || !opening_possible(sniffer))
        return GDB_SNIFF_PASS;
    if (byte == '#')
        sniffer->state = SNIFF_SUM_HIGH;
    else
        sniffer->sum = (uint8_t)(sniffer->sum + byte);
    return GDB_SNIFF_HOLD;
}

enum gdb_sniff_verdict gdb_sniff(struct gdb_sniffer *sniffer, uint8_t byte)
{
    if (sniffer->length == GDB_SNIFF_BYTES - 1) {
        sniffer->bytes[sniffer->length++] = byte;
        return GDB_SNIFF_PASS;
    }
    sniffer->bytes[sniffer->length++] = byte;
    if (sniffer->length == 1)
        return byte == '$' ? GDB_SNIFF_HOLD : GDB_SNIFF_PASS;

    switch (sniffer->state) {
    case SNIFF_BODY:
        return sniff_body(sniffer, byte);
    case SNIFF_SUM_HIGH:
        sniffer->state = SNIFF_SUM_LOW;
        return gdb_hex_digit(byte) == sniffer->sum >> 4 ? GDB_SNIFF_HOLD : GDB_SNIFF_PASS;
    default:
        return gdb_hex_digit(byte) == (sniffer->sum & 15) ? GDB_SNIFF_PACKET : GDB_SNIFF_PASS;
    }
}
