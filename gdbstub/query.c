// SPDX-License-Identifier: MIT
// The packets that settle terms at the beginning of a conversation, and qRcmd, by which gdb's
// `monitor` reaches the console commands of the target. Called through the packet table.
// vMustReplyEmpty needs no row: what no table knows gets the empty reply it asks for.
#include <errno.h>
#include <stddef.h>

#include "gdbstub/commands.h"

#define MONITOR_PART 512 // characters of console output in one O packet

void gdb_features_read(struct gdbstub *stub, struct gdb_cursor *arguments)
{
    stub->greeted = true;
    stub->swbreak_known = false;
    stub->hwbreak_known = false;
    stub->error_text = false;
    while (gdb_cursor_left(arguments) > 0) {
        if (gdb_cursor_accept_text(arguments, "swbreak+"))
            stub->swbreak_known = true;
        else if (gdb_cursor_accept_text(arguments, "hwbreak+"))
            stub->hwbreak_known = true;
        else if (gdb_cursor_accept_text(arguments, "error-message+"))
            stub->error_text = true;
        while (gdb_cursor_left(arguments) > 0 && !gdb_cursor_accept(arguments, ';'))
            gdb_cursor_skip(arguments, 1);
    }
}

void gdb_put_features(struct gdbstub *stub, struct gdb_writer *reply)
{
    gdb_put_text(reply, "PacketSize=");
    gdb_put_hex(reply, GDB_PACKET_BYTES);
    gdb_put_text(reply, ";QStartNoAckMode+;qXfer:features:read+;qXfer:threads:read+;swbreak+;"
                        "hwbreak+;vContSupported+");
    if (stub->error_text)
        gdb_put_text(reply, ";error-message+");
}

static int handle_supported(struct gdbstub *stub, struct gdb_cursor *arguments,
                            struct gdb_writer *reply, struct gdb_error *error)
{
    (void)error;
    gdb_features_read(stub, arguments);
    gdb_put_features(stub, reply);
    return 0;
}

static int handle_start_no_ack(struct gdbstub *stub, struct gdb_cursor *arguments,
                               struct gdb_writer *reply, struct gdb_error *error)
{
    (void)arguments;
    (void)error;
    // gdb still acknowledges this OK, or refuses it.
    gdb_reply_now(stub, reply, "OK");
    stub->no_ack = true;
    return GDB_NO_REPLY;
}

static int handle_extended(struct gdbstub *stub, struct gdb_cursor *arguments,
                           struct gdb_writer *reply, struct gdb_error *error)
{
    (void)arguments;
    (void)error;
    if (!stub->target->restart)
        return -ENOTSUP;
    gdb_put_text(reply, "OK");
    return 0;
}

// "1": we were attached to, so gdb detaches instead of killing when it quits.
static int handle_attached(struct gdbstub *stub, struct gdb_cursor *arguments,
                           struct gdb_writer *reply, struct gdb_error *error)
{
    (void)stub;
    (void)arguments;
    (void)error;
    gdb_put_char(reply, '1');
    return 0;
}

// gdb offers to look symbols up for us; we want none.
static int handle_symbol(struct gdbstub *stub, struct gdb_cursor *arguments,
                         struct gdb_writer *reply, struct gdb_error *error)
{
    (void)stub;
    (void)arguments;
    (void)error;
    gdb_put_text(reply, "OK");
    return 0;
}

// -- monitor ----------------------------------------------------------------------------------

// Collects what a command prints into O packets. `output` comes first: the target hands it back.
struct monitor_output {
    struct gdb_output output;
    struct gdbstub *stub;
    struct gdb_writer *reply;
};

static void monitor_flush(struct monitor_output *monitor)
{
    if (monitor->reply->length > 1) {
        monitor->stub->reply_length = monitor->reply->length;
        gdb_session_send(monitor->stub);
    }
    gdb_writer_reset(monitor->reply);
    gdb_put_char(monitor->reply, 'O');
}

static void monitor_write(struct gdb_output *output, const char *text, size_t length)
{
    struct monitor_output *monitor = (struct monitor_output *)output;

    for (size_t i = 0; i < length; i++) {
        if (monitor->reply->length >= 1 + 2 * MONITOR_PART)
            monitor_flush(monitor);
        gdb_put_hex_bytes(monitor->reply, text + i, 1);
    }
}

static void control_characters_drop(uint8_t *line, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (line[i] < ' ' || line[i] == 0x7f)
            line[i] = ' ';
}

// gdb before 15 shows no text for a command that failed, only that it did: it gets the text as
// output first.
static void monitor_explain(struct monitor_output *monitor, const struct gdb_error *error)
{
    if (monitor->stub->error_text || error->text[0] == '\0')
        return;
    for (const char *text = error->text; *text != '\0'; text++)
        monitor_write(&monitor->output, text, 1);
    monitor_write(&monitor->output, "\n", 1);
}

static int handle_monitor(struct gdbstub *stub, struct gdb_cursor *arguments,
                          struct gdb_writer *reply, struct gdb_error *error)
{
    struct monitor_output monitor = {{monitor_write}, stub, reply};
    size_t length = gdb_cursor_left(arguments) / 2;
    uint8_t *line = stub->receiver.bytes;

    if (!stub->target->monitor)
        return -ENOTSUP;
    gdb_cursor_bytes(arguments, line, length);
    int result = gdb_cursor_end(arguments, error);
    if (result < 0)
        return result;
    control_characters_drop(line, length);
    line[length] = '\0';

    gdb_writer_reset(reply);
    gdb_put_char(reply, 'O');
    result = stub->target->monitor(stub->context, (const char *)line, &monitor.output);
    if (result < 0 && result != -ENOTSUP)
        monitor_explain(&monitor, error);
    monitor_flush(&monitor);
    gdb_writer_reset(reply);
    if (result < 0)
        return result == -ENOTSUP ? -EINVAL : result;
    gdb_put_text(reply, "OK");
    return 0;
}

static const struct gdb_packet rows[] = {
    {"qSupported", ":", handle_supported, false, "what each side can do; begins a conversation"},
    {"QStartNoAckMode", "", handle_start_no_ack, false, "no more + and -: the line is reliable"},
    {"!", "", handle_extended, false, "extended mode: R may be used"},
    {"qAttached", ":", handle_attached, false, "1: the target was there before gdb"},
    {"qSymbol", ":", handle_symbol, false, "OK: no symbols wanted from gdb"},
    {"qRcmd", ",", handle_monitor, true, "monitor: a console command, in hex"},
};

const struct gdb_packet_table gdb_session_packets = GDB_PACKET_TABLE(rows);
