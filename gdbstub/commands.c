// SPDX-License-Identifier: MIT
// Finds the handler of a packet in the tables, calls it, and turns what it returns into a reply.
// Called by session.c with a whole, checked packet and the target stopped.
#include "gdbstub/commands.h"

#include <errno.h>
#include <string.h>

static const struct gdb_packet_table *const tables[] = {
    &gdb_session_packets,    &gdb_thread_packets, &gdb_register_packets, &gdb_memory_packets,
    &gdb_breakpoint_packets, &gdb_resume_packets, &gdb_xfer_packets,
};

const struct gdb_packet *gdb_packet_row(size_t index)
{
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if (index < tables[i]->count)
            return &tables[i]->rows[index];
        index -= tables[i]->count;
    }
    return NULL;
}

// Takes the row's name and separator off the request if it is the one meant.
static bool packet_matches(const struct gdb_packet *packet, struct gdb_cursor *request)
{
    struct gdb_cursor behind = *request;

    if (!gdb_cursor_accept_text(&behind, packet->name))
        return false;
    if (packet->separators) {
        int next = gdb_cursor_peek(&behind);
        if (next >= 0 && (next == '\0' || !strchr(packet->separators, next)))
            return false;
        gdb_cursor_skip(&behind, 1);
    }
    *request = behind;
    return true;
}

static const struct gdb_packet *packet_find(struct gdb_cursor *request)
{
    const struct gdb_packet *packet;

    for (size_t i = 0; (packet = gdb_packet_row(i)); i++)
        if (packet_matches(packet, request))
            return packet;
    return NULL;
}

static const char *errno_text(int code)
{
    switch (code) {
    case EPERM:
    case EACCES:
        return "not permitted";
    case ENOENT:
        return "no such thing";
    case EIO:
        return "input/output error";
    case E2BIG:
        return "too long";
    case EAGAIN:
    case EBUSY:
        return "busy";
    case ENOMEM:
    case ENOSPC:
        return "no room left";
    case EFAULT:
        return "bad address";
    case EEXIST:
        return "exists already";
    case ENODEV:
        return "no such device";
    case EINVAL:
        return "bad argument";
    case ERANGE:
        return "out of range";
    case ENODATA:
        return "no value";
    case ETIMEDOUT:
        return "timed out";
    default:
        return "failed";
    }
}

void gdb_reply_error(struct gdbstub *stub, struct gdb_writer *reply, int code,
                     const struct gdb_error *error, bool numeric)
{
    unsigned number = code < 0 && code > -100 ? (unsigned)-code : 1;

    gdb_writer_reset(reply);
    if (numeric && !stub->error_text) {
        // Decimal digits on purpose: gdb 13's monitor takes only those for an error.
        gdb_put_char(reply, 'E');
        gdb_put_char(reply, (char)('0' + number / 10));
        gdb_put_char(reply, (char)('0' + number % 10));
        return;
    }
    const char *text = error->text[0] != '\0' ? error->text : errno_text((int)number);
    gdb_put_text(reply, "E.");
    gdb_put_printable(reply, text, strnlen(text, sizeof error->text));
}

bool gdb_dispatch(struct gdbstub *stub)
{
    struct gdb_writer reply;
    struct gdb_cursor request;
    struct gdb_error error;
    int result = -ENOTSUP;

    error.text[0] = '\0';
    gdb_writer_init(&reply, stub->reply, sizeof stub->reply);
    gdb_cursor_init(&request, stub->receiver.bytes, stub->receiver.length);
    const struct gdb_packet *packet = packet_find(&request);
    stub->numeric_error = packet && packet->numeric_error;
    if (packet)
        result = packet->handle(stub, &request, &reply, &error);
    if (result == GDB_NO_REPLY)
        return false;
    if (result == -ENOTSUP)
        gdb_writer_reset(&reply);
    else if (result < 0)
        gdb_reply_error(stub, &reply, result, &error, stub->numeric_error);
    stub->reply_length = reply.length;
    return true;
}
