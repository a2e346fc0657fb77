// SPDX-License-Identifier: MIT
// The conversation: who has the ball, acknowledgements, repeats, and the public functions of
// gdbstub.h. It takes what packet.c has framed and hands requests to commands.c.
//
// Theory. gdb is strict: it sends one request and waits for the answer before it sends the next.
// The protocol has no sequence numbers; in their place stand these rules.
//
//  - Acks on (the state at first). Each whole packet is acknowledged with '+' before it is
//    executed, each damaged one refused with '-', upon which gdb sends it again. Ours stay in
//    stub->reply until the next one is built and go out again when gdb sends '-'.
//  - `unacked` counts what we have sent and gdb has not acknowledged. It can be more than one:
//    console text (O packets) is not held back for its acknowledgement. '+' takes one off. '-'
//    means the oldest: we still have it only if it is the last, so only then it is sent again;
//    console text before it is lost. A '-' when nothing is open is gdb's timeout for a request
//    that never reached us: the old reply would be taken for the new one's, so it gets none.
//  - A request that comes a second time while its reply is unacknowledged is a repeat: gdb saw no
//    '+' within its timeout because we were slow (it lay in the UART's FIFO, or we were not
//    started yet) or because the '+' was lost. It must not be executed again (it may be a step),
//    and the reply must not go out twice, since gdb would take the second copy as the answer to
//    its next request and stay one behind for ever. So a repeat gets '+' and nothing else; if the
//    reply was lost, too, gdb asks for it with '-'.
//  - The one wrong guess: gdb's '+' for a stop reply was lost, and the user steps again. The
//    second step looks like a repeat, and gdb waits without end. Then its 0x03 (Ctrl-C) makes us
//    send the last reply again, and all is in order.
//  - Repeats cannot be recognised where gdb acknowledged the reply, having thrown it away while it
//    waited for a lost '+'. A link with sequence numbers underneath is the remedy for that.
//  - No-ack mode is for reliable links: damaged packets are dropped, nothing is sent again.
//  - A new gdb after one that died begins with '+' and qSupported and expects acks. So a second
//    qSupported, or a QStartNoAckMode when acks are off, starts a new conversation with acks on and
//    nothing selected; the target hears of it (attach) and can drop the dead gdb's breakpoints.
//  - What the line holds behind the packet that opens a conversation is stale: repeats and '-' of a
//    gdb that has waited for us to boot. It must not be answered; the rest of the call's bytes is
//    dropped here, and the target's attach() drops what its port still holds.
//  - While the target runs only 0x03 counts, inside packets too, for '$' may have been noise. One
//    packet is heeded: qSupported, from a new gdb after one that died while the target ran. It
//    acts as 0x03, is acknowledged at once and answered when the target has stopped.
#include <errno.h>
#include <string.h>

#include "gdbstub/commands.h"

#define RESEND_MAX 8 // gdb asks three times; a line full of '-' must not keep us busy for ever

static void send_byte(struct gdbstub *stub, char byte)
{
    uint8_t one = (uint8_t)byte;

    stub->target->send(stub->context, &one, 1);
}

void gdb_session_send(struct gdbstub *stub)
{
    if (!stub->no_ack && stub->unacked < UINT8_MAX)
        stub->unacked++;
    stub->resent = 0;
    gdb_packet_send(stub->target, stub->context, stub->reply, stub->reply_length);
}

void gdb_reply_now(struct gdbstub *stub, struct gdb_writer *reply, const char *text)
{
    gdb_writer_reset(reply);
    gdb_put_text(reply, text);
    stub->reply_length = reply->length;
    stub->executing = false;
    gdb_session_send(stub);
}

static void resend(struct gdbstub *stub)
{
    if (stub->resent == RESEND_MAX)
        return;
    stub->resent++;
    gdb_packet_send(stub->target, stub->context, stub->reply, stub->reply_length);
}

static void selection_reset(struct gdbstub *stub)
{
    stub->selected = GDB_THREAD_ANY;
    stub->resumed = GDB_THREAD_ANY;
    stub->listed = 0;
    stub->list_ended = false;
    stub->stepped = false;
    stub->ran = false;
    stub->list_brief = false;
}

static void line_reset(struct gdbstub *stub)
{
    stub->no_ack = false;
    stub->greeted = false;
    stub->greeting_held = false;
    stub->repeat_ignored = false;
    stub->requested = false;
    stub->unacked = 0;
}

void gdb_init(struct gdbstub *stub, const struct gdbstub_target *target,
              const struct gdb_machine *machine, void *context)
{
    memset(stub, 0, sizeof *stub);
    stub->target = target;
    stub->machine = machine;
    stub->context = context;
    stub->state = GDB_STOPPED;
    stub->stop.kind = GDB_STOP_SIGNAL;
    stub->stop.signal = 5;
    gdb_receiver_reset(&stub->receiver);
}

void gdb_session_end(struct gdbstub *stub)
{
    line_reset(stub);
    selection_reset(stub);
    stub->attached = false;
    stub->stop_owed = false;
    stub->executing = false;
    stub->interrupted = false;
    stub->state = GDB_RUNNING;
}

gdb_thread_t gdb_selected_thread(const struct gdbstub *stub)
{
    return stub->selected > 0 ? stub->selected : stub->stop.thread;
}

// -- requests ---------------------------------------------------------------------------------

static bool request_begins(const struct gdbstub *stub, const char *name)
{
    size_t length = strlen(name);

    return stub->receiver.length >= length && memcmp(stub->receiver.bytes, name, length) == 0;
}

// Whether this packet is the first of a new conversation rather than the next of this one.
static bool opens_conversation(const struct gdbstub *stub)
{
    if (!stub->attached)
        return true;
    if (request_begins(stub, "qSupported"))
        return stub->greeted;
    return request_begins(stub, "QStartNoAckMode") && stub->no_ack;
}

static bool is_repeat(const struct gdbstub *stub)
{
    return stub->requested && stub->unacked > 0 && stub->request_length == stub->receiver.length &&
           stub->request_fingerprint == stub->receiver.fingerprint;
}

static void request_note(struct gdbstub *stub)
{
    stub->requested = true;
    stub->request_length = stub->receiver.length;
    stub->request_fingerprint = stub->receiver.fingerprint;
    stub->repeat_ignored = false;
    // gdb asks only when it has the last answer, whatever became of its '+'.
    stub->unacked = 0;
}

static void conversation_open(struct gdbstub *stub)
{
    line_reset(stub);
    selection_reset(stub);
    stub->attached = true;
    stub->opened = true;
    if (stub->target->attach)
        stub->target->attach(stub->context);
}

static void request_stopped(struct gdbstub *stub)
{
    bool repeat = is_repeat(stub);

    if (!repeat && opens_conversation(stub))
        conversation_open(stub);
    stub->attached = true;
    if (!stub->no_ack)
        send_byte(stub, '+');
    if (repeat) {
        stub->repeat_ignored = true;
        return;
    }
    request_note(stub);
    stub->executing = true;
    bool answered = gdb_dispatch(stub);
    stub->executing = false;
    if (answered)
        gdb_session_send(stub);
}

static void error_send(struct gdbstub *stub, int code, const struct gdb_error *error, bool numeric)
{
    struct gdb_writer reply;

    gdb_writer_init(&reply, stub->reply, sizeof stub->reply);
    gdb_reply_error(stub, &reply, code, error, numeric);
    stub->reply_length = reply.length;
    gdb_session_send(stub);
}

void gdb_abandon(struct gdbstub *stub, const char *text)
{
    struct gdb_error error = {.text = ""};

    if (!stub->executing)
        return;
    stub->executing = false;
    gdb_fail(&error, -EFAULT, text);
    error_send(stub, -EFAULT, &error, stub->numeric_error);
}

static void request_running(struct gdbstub *stub)
{
    struct gdb_cursor features;

    if (!request_begins(stub, "qSupported")) {
        // Most likely the resume itself, sent again because our '+' came late.
        if (stub->attached && !stub->no_ack)
            send_byte(stub, '+');
        return;
    }
    send_byte(stub, '+');
    gdb_cursor_init(&features, stub->receiver.bytes, stub->receiver.length);
    gdb_cursor_accept_text(&features, "qSupported");
    gdb_cursor_accept(&features, ':');
    gdb_features_read(stub, &features);
    request_note(stub);
    stub->greeting_held = true;
    stub->stop_owed = false;
    stub->interrupted = true;
}

static void request_too_long(struct gdbstub *stub)
{
    struct gdb_error error = {.text = "packet longer than PacketSize"};

    if (!stub->no_ack)
        send_byte(stub, '+');
    if (stub->state == GDB_RUNNING)
        return;
    stub->requested = false;
    stub->unacked = 0;
    error_send(stub, -E2BIG, &error, false);
}

// -- bytes ------------------------------------------------------------------------------------

static void receive_ack(struct gdbstub *stub)
{
    if (stub->unacked > 0)
        stub->unacked--;
}

static void receive_nak(struct gdbstub *stub)
{
    if (stub->unacked == 1)
        resend(stub);
    else if (stub->unacked > 1)
        stub->unacked--;
}

static void receive_interrupt(struct gdbstub *stub)
{
    if (stub->state == GDB_RUNNING) {
        // A byte 3 with no gdb attached is not a request of anybody's.
        stub->interrupted = stub->attached || stub->interrupted;
        gdb_receiver_reset(&stub->receiver);
    } else if (stub->repeat_ignored) {
        stub->repeat_ignored = false;
        resend(stub);
    }
}

static void receive_byte(struct gdbstub *stub, uint8_t byte)
{
    if (byte == 0x03 && stub->state == GDB_RUNNING) {
        receive_interrupt(stub);
        return;
    }
    switch (gdb_receiver_feed(&stub->receiver, byte)) {
    case GDB_RECEIVED_NOTHING:
        break;
    case GDB_RECEIVED_PACKET:
        if (stub->state == GDB_RUNNING)
            request_running(stub);
        else
            request_stopped(stub);
        break;
    case GDB_RECEIVED_TOO_LONG:
        request_too_long(stub);
        break;
    case GDB_RECEIVED_DAMAGED:
        if (!stub->no_ack)
            send_byte(stub, '-');
        break;
    case GDB_RECEIVED_ACK:
        receive_ack(stub);
        break;
    case GDB_RECEIVED_NAK:
        receive_nak(stub);
        break;
    case GDB_RECEIVED_INTERRUPT:
        receive_interrupt(stub);
        break;
    }
}

void gdb_receive(struct gdbstub *stub, const uint8_t *bytes, size_t length)
{
    stub->opened = false;
    for (size_t i = 0; i < length && !stub->opened; i++)
        receive_byte(stub, bytes[i]);
}

// -- the owner's side -------------------------------------------------------------------------

enum gdb_state gdb_state(const struct gdbstub *stub)
{
    return stub->state;
}

bool gdb_attached(const struct gdbstub *stub)
{
    return stub->attached;
}

bool gdb_acks(const struct gdbstub *stub)
{
    return !stub->no_ack;
}

bool gdb_interrupt_pending(struct gdbstub *stub)
{
    bool pending = stub->interrupted;

    stub->interrupted = false;
    return pending;
}

// The new gdb's qSupported, held while the target ran, is answered now that it stands still.
static void greeting_answer(struct gdbstub *stub, struct gdb_writer *reply)
{
    bool requested = stub->requested;

    conversation_open(stub);
    stub->requested = requested;
    stub->greeted = true;
    gdb_put_features(stub, reply);
}

void gdb_report_stop(struct gdbstub *stub, const struct gdb_stop *stop)
{
    struct gdb_writer reply;

    stub->stop = *stop;
    stub->state = GDB_STOPPED;
    stub->interrupted = false; // a Ctrl-C that came too late is answered by this stop
    // gdb takes the thread of a stop reply as selected, and keeps what it said with Hc.
    stub->selected = GDB_THREAD_ANY;
    gdb_writer_init(&reply, stub->reply, sizeof stub->reply);
    if (stub->greeting_held)
        greeting_answer(stub, &reply);
    else if (stub->attached && stub->stop_owed)
        gdb_put_stop_reply(stub, &reply);
    else
        return;
    stub->stop_owed = false;
    stub->reply_length = reply.length;
    gdb_session_send(stub);
    if (stop->kind == GDB_STOP_EXITED)
        stub->attached = false;
}

int gdb_console_write(struct gdbstub *stub, const char *text, size_t length)
{
    if (stub->state != GDB_RUNNING || !stub->attached || !stub->stop_owed)
        return -EAGAIN;
    while (length > 0) {
        size_t part = length < (GDB_PACKET_BYTES - 1) / 2 ? length : (GDB_PACKET_BYTES - 1) / 2;
        struct gdb_writer reply;
        gdb_writer_init(&reply, stub->reply, sizeof stub->reply);
        gdb_put_char(&reply, 'O');
        gdb_put_hex_bytes(&reply, text, part);
        stub->reply_length = reply.length;
        gdb_session_send(stub);
        text += part;
        length -= part;
    }
    return 0;
}
