// SPDX-License-Identifier: MIT
// The packets about threads: which there are, which one is meant, what they are called. Called
// through the packet table; the list itself comes from the target's thread_next().
#include <errno.h>

#include "gdbstub/commands.h"

static int handle_select(struct gdbstub *stub, struct gdb_cursor *arguments,
                         struct gdb_writer *reply, struct gdb_error *error)
{
    bool general = gdb_cursor_accept(arguments, 'g');

    if (!general && !gdb_cursor_accept(arguments, 'c'))
        return -ENOTSUP;
    gdb_thread_t thread = gdb_cursor_thread(arguments);
    int result = gdb_cursor_end(arguments, error);
    if (result < 0)
        return result;
    if (thread > 0 && !stub->target->thread_alive(stub->context, thread))
        return gdb_fail_at(error, -ENOENT, "no thread", (uint64_t)thread);
    if (general)
        stub->selected = thread;
    else
        stub->resumed = thread;
    gdb_put_text(reply, "OK");
    return 0;
}

static int handle_alive(struct gdbstub *stub, struct gdb_cursor *arguments,
                        struct gdb_writer *reply, struct gdb_error *error)
{
    gdb_thread_t thread = gdb_cursor_thread(arguments);
    int result = gdb_cursor_end(arguments, error);

    if (result < 0)
        return result;
    if (thread <= 0 || !stub->target->thread_alive(stub->context, thread))
        return gdb_fail_at(error, -ENOENT, "no thread", (uint64_t)thread);
    gdb_put_text(reply, "OK");
    return 0;
}

static int handle_current(struct gdbstub *stub, struct gdb_cursor *arguments,
                          struct gdb_writer *reply, struct gdb_error *error)
{
    (void)arguments;
    (void)error;
    gdb_put_text(reply, "QC");
    gdb_put_hex(reply, (uint64_t)gdb_selected_thread(stub));
    return 0;
}

// As many threads as the packet holds; the next qsThreadInfo goes on behind them.
static int list_more(struct gdbstub *stub, struct gdb_writer *reply)
{
    char separator = 'm';

    while (!stub->list_ended && gdb_writer_room(reply) >= 1 + 16) {
        gdb_thread_t next = stub->listed;
        if (stub->target->thread_next(stub->context, &next) < 0 || next <= 0) {
            stub->list_ended = true;
            break;
        }
        gdb_put_char(reply, separator);
        gdb_put_hex(reply, (uint64_t)next);
        separator = ',';
        stub->listed = next;
    }
    if (separator == 'm')
        gdb_put_char(reply, 'l');
    return 0;
}

static int handle_list_first(struct gdbstub *stub, struct gdb_cursor *arguments,
                             struct gdb_writer *reply, struct gdb_error *error)
{
    (void)arguments;
    (void)error;
    stub->listed = 0;
    stub->list_ended = false;
    return list_more(stub, reply);
}

static int handle_list_next(struct gdbstub *stub, struct gdb_cursor *arguments,
                            struct gdb_writer *reply, struct gdb_error *error)
{
    (void)arguments;
    (void)error;
    return list_more(stub, reply);
}

static int handle_describe(struct gdbstub *stub, struct gdb_cursor *arguments,
                           struct gdb_writer *reply, struct gdb_error *error)
{
    char name[32] = "";
    char description[96] = "";
    struct gdb_writer text;
    uint8_t line[sizeof name + sizeof description];

    if (!stub->target->thread_describe)
        return -ENOTSUP;
    gdb_thread_t thread = gdb_cursor_thread(arguments);
    int result = gdb_cursor_end(arguments, error);
    if (result < 0)
        return result;
    result = stub->target->thread_describe(stub->context, thread, name, sizeof name, description,
                                           sizeof description);
    if (result < 0)
        return gdb_fail_at(error, result, "no thread", (uint64_t)thread);
    gdb_writer_init(&text, line, sizeof line);
    gdb_put_text(&text, name);
    if (name[0] != '\0' && description[0] != '\0')
        gdb_put_text(&text, ": ");
    gdb_put_text(&text, description);
    gdb_put_hex_bytes(reply, line, text.length);
    return 0;
}

static const struct gdb_packet rows[] = {
    {"H", NULL, handle_select, false, "selects the thread of later packets (g) or of c and s (c)"},
    {"T", NULL, handle_alive, false, "whether a thread is alive"},
    {"qC", "", handle_current, false, "the selected thread"},
    {"qfThreadInfo", "", handle_list_first, false, "all threads, beginning"},
    {"qsThreadInfo", "", handle_list_next, false, "all threads, more"},
    {"qThreadExtraInfo", ",", handle_describe, true, "name and state of a thread, in hex"},
};

const struct gdb_packet_table gdb_thread_packets = GDB_PACKET_TABLE(rows);
