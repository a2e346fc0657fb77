// SPDX-License-Identifier: MIT
// See splitter.h.
#include "fathom/splitter.h"

#include <string.h>

// -- packets in a stream --------------------------------------------------------------------------

static int hex_value(uint8_t digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

enum reading {
    READING_OUTSIDE, // the byte belongs to no packet; nothing is held
    READING_INSIDE,  // held
    READING_PACKET,  // a whole packet with a right checksum is held
    READING_BROKEN,  // what is held is no packet; the byte is its last
};

static bool sum_is_right(const struct packet_reader *reader)
{
    uint8_t sum = 0;
    for (size_t i = 1; i < reader->sum_at; i++)
        sum = (uint8_t)(sum + reader->bytes[i]);
    int high = hex_value(reader->bytes[reader->sum_at + 1]);
    int low = hex_value(reader->bytes[reader->sum_at + 2]);
    return high >= 0 && low >= 0 && sum == high * 16 + low;
}

// A $ inside a packet is the caller's to see first: it starts another one.
static enum reading packet_read(struct packet_reader *reader, uint8_t byte)
{
    if (!reader->length && byte != '$')
        return READING_OUTSIDE;
    reader->bytes[reader->length++] = byte;
    if (reader->sum_at && reader->length == reader->sum_at + 3)
        return sum_is_right(reader) ? READING_PACKET : READING_BROKEN;
    if (byte == '#' && !reader->sum_at)
        reader->sum_at = reader->length - 1;
    return reader->length == sizeof(reader->bytes) ? READING_BROKEN : READING_INSIDE;
}

static void packet_forget(struct packet_reader *reader)
{
    reader->length = 0;
    reader->sum_at = 0;
}

// Does the body of the packet held begin with these words?
static bool body_begins(const struct packet_reader *reader, const char *words)
{
    size_t length = strlen(words);
    return reader->sum_at > length && !memcmp(reader->bytes + 1, words, length);
}

static bool body_is(const struct packet_reader *reader, const char *words)
{
    return reader->sum_at == strlen(words) + 1 && body_begins(reader, words);
}

// -- from gdb -------------------------------------------------------------------------------------

static void release_typed(struct splitter *splitter)
{
    if (splitter->typed_length)
        splitter->ends->to_line(splitter->context, splitter->typed, splitter->typed_length);
    splitter->typed_length = 0;
}

static void note_request(struct splitter *splitter)
{
    const struct packet_reader *packet = &splitter->from_gdb;
    splitter->session = true;
    if (!splitter->no_acks)
        splitter->owed++;
    splitter->wants_no_acks = body_is(packet, "QStartNoAckMode");

    bool resumes = body_begins(packet, "c") || body_begins(packet, "s") ||
                   body_begins(packet, "C") || body_begins(packet, "S") ||
                   body_begins(packet, "vCont;");
    splitter->running = resumes;
    splitter->leaving = body_begins(packet, "D") || body_begins(packet, "vKill");
    if (splitter->leaving || body_is(packet, "k"))
        splitter->session = false;
}

void splitter_from_gdb(struct splitter *splitter, const uint8_t *bytes, size_t length)
{
    // gdb begins with a + for nobody. Outside a conversation the console would take it for typing.
    bool for_nobody = !splitter->session && !splitter->leaving && !splitter->from_gdb.length;
    while (for_nobody && length && (*bytes == '+' || *bytes == '-')) {
        bytes++;
        length--;
    }
    splitter->ends->to_line(splitter->context, bytes, length);
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '$')
            packet_forget(&splitter->from_gdb);
        enum reading reading = packet_read(&splitter->from_gdb, bytes[i]);
        if (reading == READING_PACKET)
            note_request(splitter);
        if (reading == READING_PACKET || reading == READING_BROKEN)
            packet_forget(&splitter->from_gdb);
    }
    if (!splitter_stopped(splitter))
        release_typed(splitter);
}

void splitter_gdb_connected(struct splitter *splitter)
{
    packet_forget(&splitter->from_gdb);
    splitter->owed = 0;
    splitter->leaving = false;
    splitter->no_acks = false;
}

// -- from the line --------------------------------------------------------------------------------

// The text of an O packet: pairs of digits, run-length encoded (a character, *, count + 29).
static void console_text(struct splitter *splitter, const struct packet_reader *packet)
{
    uint8_t text[256];
    size_t length = 0;
    int high = -1;
    uint8_t last = 0;
    for (size_t i = 2; i < packet->sum_at; i++) {
        unsigned repeat = 1;
        if (packet->bytes[i] == '*' && i + 1 < packet->sum_at)
            repeat = packet->bytes[++i] - 29u;
        else
            last = packet->bytes[i];
        for (; repeat; repeat--) {
            if (high < 0) {
                high = hex_value(last);
                continue;
            }
            text[length++] = (uint8_t)(high * 16 + hex_value(last));
            high = -1;
            if (length < sizeof(text))
                continue;
            splitter->ends->to_terminal(splitter->context, text, length);
            length = 0;
        }
    }
    if (length)
        splitter->ends->to_terminal(splitter->context, text, length);
}

static void acknowledge(struct splitter *splitter)
{
    splitter->ends->to_gdb(splitter->context, (const uint8_t *)"+", 1);
    splitter->owed--;
}

static void pass_reply(struct splitter *splitter)
{
    const struct packet_reader *packet = &splitter->from_line;
    // Whatever is answered has been acknowledged: one of those that were taken for text was it.
    if (splitter->doubtful && splitter->owed)
        acknowledge(splitter);
    splitter->doubtful = splitter->in_text = false;
    splitter->ends->to_gdb(splitter->context, packet->bytes, packet->length);
    if (splitter->wants_no_acks && body_is(packet, "OK"))
        splitter->no_acks = true;
    splitter->wants_no_acks = false;
    splitter->leaving = false;
    if (!splitter->running)
        return;
    if (body_begins(packet, "O") && !body_is(packet, "OK"))
        console_text(splitter, packet);
    else if (body_begins(packet, "T") || body_begins(packet, "S") || body_begins(packet, "W") ||
             body_begins(packet, "X"))
        splitter->running = false;
}

// What was held is no packet.
static void give_up(struct splitter *splitter)
{
    const struct packet_reader *held = &splitter->from_line;
    if (splitter_stopped(splitter))
        splitter->ends->to_gdb(splitter->context, held->bytes, held->length);
    else
        splitter->ends->to_terminal(splitter->context, held->bytes, held->length);
    packet_forget(&splitter->from_line);
}

static void pass_text(struct splitter *splitter, uint8_t byte)
{
    splitter->ends->to_terminal(splitter->context, &byte, 1);
    splitter->in_text = byte != '\n';
}

// A + in the middle of a line of text, while gdb is owed one, is gdb's if an answer or silence
// follows; a line of base64 is full of them.
static void plus_decided(struct splitter *splitter, bool is_ack)
{
    splitter->plus_held = false;
    if (is_ack && splitter->owed) {
        acknowledge(splitter);
        return;
    }
    splitter->doubtful = true;
    pass_text(splitter, '+');
}

static void outside_byte(struct splitter *splitter, uint8_t byte)
{
    if (!splitter->owed || (byte != '+' && byte != '-'))
        pass_text(splitter, byte);
    else if (byte == '-')
        splitter->ends->to_gdb(splitter->context, &byte, 1);
    else if (splitter->in_text)
        splitter->plus_held = true;
    else
        acknowledge(splitter);
}

static void line_byte(struct splitter *splitter, uint8_t byte)
{
    if (splitter->plus_held)
        plus_decided(splitter, byte == '$');
    if (byte == '$' && splitter->from_line.length)
        give_up(splitter);
    switch (packet_read(&splitter->from_line, byte)) {
    case READING_OUTSIDE:
        outside_byte(splitter, byte);
        break;
    case READING_INSIDE:
        break;
    case READING_PACKET:
        pass_reply(splitter);
        packet_forget(&splitter->from_line);
        break;
    case READING_BROKEN:
        give_up(splitter);
        break;
    }
}

void splitter_from_line(struct splitter *splitter, const uint8_t *bytes, size_t length)
{
    bool answer_due = splitter->leaving || splitter->owed;
    if (!splitter->session && !answer_due && !splitter->from_line.length && !splitter->plus_held) {
        splitter->ends->to_terminal(splitter->context, bytes, length);
        splitter->in_text = length ? bytes[length - 1] != '\n' : splitter->in_text;
        return;
    }
    for (size_t i = 0; i < length; i++)
        line_byte(splitter, bytes[i]);
}

void splitter_idle(struct splitter *splitter)
{
    if (splitter->plus_held)
        plus_decided(splitter, true);
    else if (splitter_holds(splitter))
        give_up(splitter);
}

// -- from the terminal ----------------------------------------------------------------------------

void splitter_from_terminal(struct splitter *splitter, const uint8_t *bytes, size_t length)
{
    if (!splitter->session) {
        splitter->ends->to_line(splitter->context, bytes, length);
        return;
    }
    for (size_t i = 0; i < length; i++)
        if (bytes[i] != 0x03 && splitter->typed_length < sizeof(splitter->typed))
            splitter->typed[splitter->typed_length++] = bytes[i];
    if (!splitter_stopped(splitter))
        release_typed(splitter);
}

// -- the rest -------------------------------------------------------------------------------------

void splitter_init(struct splitter *splitter, const struct splitter_ends *ends, void *context)
{
    memset(splitter, 0, sizeof(*splitter));
    splitter->ends = ends;
    splitter->context = context;
}

bool splitter_in_reply(const struct splitter *splitter)
{
    return splitter->from_line.length > 0;
}

bool splitter_holds(const struct splitter *splitter)
{
    // While the machine stands still nothing but a packet comes, however slowly.
    return splitter->plus_held || (splitter->from_line.length && !splitter_stopped(splitter));
}

bool splitter_stopped(const struct splitter *splitter)
{
    return splitter->session && !splitter->running;
}
