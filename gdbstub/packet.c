// SPDX-License-Identifier: MIT
// Framing in both directions: see packet.h for the rules of reception. Called by session.c alone;
// knows nothing of what packets mean.
#include "gdbstub/packet.h"

#include <string.h>

#include "gdbstub/cursor.h"

#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

void gdb_receiver_reset(struct gdb_receiver *receiver)
{
    receiver->state = GDB_RX_BETWEEN;
    receiver->length = 0;
}

static void body_begin(struct gdb_receiver *receiver)
{
    receiver->state = GDB_RX_BODY;
    receiver->sum = 0;
    receiver->sum_valid = true;
    receiver->escaped = false;
    receiver->binary = false;
    receiver->too_long = false;
    receiver->length = 0;
    receiver->fingerprint = FNV_BASIS;
}

static void body_byte(struct gdb_receiver *receiver, uint8_t byte)
{
    receiver->sum = (uint8_t)(receiver->sum + byte);
    receiver->fingerprint = (receiver->fingerprint ^ byte) * FNV_PRIME;
    if (!receiver->escaped && byte == '}') {
        receiver->escaped = true;
        return;
    }
    if (receiver->escaped) {
        receiver->escaped = false;
        byte ^= 0x20;
    }
    if (byte < ' ' || byte > '~')
        receiver->binary = true;
    if (receiver->length == GDB_PACKET_BYTES)
        receiver->too_long = true;
    else
        receiver->bytes[receiver->length++] = byte;
}

static enum gdb_received body_end(struct gdb_receiver *receiver)
{
    receiver->state = GDB_RX_BETWEEN;
    if (!receiver->sum_valid || receiver->announced != receiver->sum || receiver->escaped)
        return GDB_RECEIVED_DAMAGED;
    if (receiver->binary && receiver->bytes[0] != 'X')
        return GDB_RECEIVED_DAMAGED;
    if (receiver->too_long)
        return GDB_RECEIVED_TOO_LONG;
    receiver->bytes[receiver->length] = '\0';
    return GDB_RECEIVED_PACKET;
}

static void sum_digit(struct gdb_receiver *receiver, uint8_t byte)
{
    int digit = gdb_hex_digit(byte);

    if (digit < 0) {
        receiver->sum_valid = false;
        digit = 0;
    }
    receiver->announced = (uint8_t)(receiver->announced << 4 | digit);
}

static enum gdb_received between(uint8_t byte)
{
    switch (byte) {
    case '+':
        return GDB_RECEIVED_ACK;
    case '-':
        return GDB_RECEIVED_NAK;
    case 0x03:
        return GDB_RECEIVED_INTERRUPT;
    default:
        return GDB_RECEIVED_NOTHING;
    }
}

enum gdb_received gdb_receiver_feed(struct gdb_receiver *receiver, uint8_t byte)
{
    if (byte == '$') {
        body_begin(receiver);
        return GDB_RECEIVED_NOTHING;
    }
    switch (receiver->state) {
    case GDB_RX_BETWEEN:
        return between(byte);
    case GDB_RX_BODY:
        if (byte == '#')
            receiver->state = GDB_RX_SUM_HIGH;
        else
            body_byte(receiver, byte);
        return GDB_RECEIVED_NOTHING;
    case GDB_RX_SUM_HIGH:
        receiver->announced = 0;
        sum_digit(receiver, byte);
        receiver->state = GDB_RX_SUM_LOW;
        return GDB_RECEIVED_NOTHING;
    case GDB_RX_SUM_LOW:
        sum_digit(receiver, byte);
        return body_end(receiver);
    }
    return GDB_RECEIVED_NOTHING;
}

// -- sending ----------------------------------------------------------------------------------

// Bytes on their way out, collected so that the target's send() is not called for every one.
struct frame {
    const struct gdbstub_target *target;
    void *context;
    uint8_t sum;
    size_t length;
    uint8_t bytes[128];
};

static void frame_flush(struct frame *frame)
{
    if (frame->length > 0)
        frame->target->send(frame->context, frame->bytes, frame->length);
    frame->length = 0;
}

static void frame_put(struct frame *frame, uint8_t byte)
{
    if (frame->length == sizeof frame->bytes)
        frame_flush(frame);
    frame->sum = (uint8_t)(frame->sum + byte);
    frame->bytes[frame->length++] = byte;
}

// How many further copies one '*' may stand for when `run` are left; 0: too few to be worth it.
// The count is sent as the character 29 + count, which must be printable and must not look like
// framing: '#' and '$' by the manual (E.1), '+' and '-' because receivers look for them anywhere.
static size_t repeat_count(size_t run)
{
    size_t count = run < '~' - 29 ? run : '~' - 29;

    if (count < 3)
        return 0;
    while (count + 29 == '#' || count + 29 == '$' || count + 29 == '+' || count + 29 == '-')
        count--;
    return count;
}

static void put_run(struct frame *frame, uint8_t byte, size_t run)
{
    while (run > 0) {
        frame_put(frame, byte);
        run--;
        size_t count = repeat_count(run);
        if (count > 0) {
            frame_put(frame, '*');
            frame_put(frame, (uint8_t)(29 + count));
            run -= count;
        }
    }
}

void gdb_packet_send(const struct gdbstub_target *target, void *context, const uint8_t *body,
                     size_t length)
{
    static const char digits[] = "0123456789abcdef";
    struct frame frame = {.target = target, .context = context, .sum = 0, .length = 0};

    frame_put(&frame, '$');
    frame.sum = 0;
    for (size_t i = 0; i < length;) {
        size_t run = 1;
        while (i + run < length && body[i + run] == body[i])
            run++;
        put_run(&frame, body[i], run);
        i += run;
    }
    uint8_t sum = frame.sum;
    frame_put(&frame, '#');
    frame_put(&frame, (uint8_t)digits[sum >> 4]);
    frame_put(&frame, (uint8_t)digits[sum & 15]);
    frame_flush(&frame);
}
