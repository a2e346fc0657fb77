// SPDX-License-Identifier: MIT
// Letting the target go and telling why it stopped: ? c C s S vCont D k vKill R, and the stop
// reply. Called through the packet table and, for the stop reply, by session.c.
#include <errno.h>
#include <string.h>

#include "gdbstub/commands.h"

// -- stop replies -----------------------------------------------------------------------------

static void put_expedited(struct gdbstub *stub, unsigned row, struct gdb_writer *reply)
{
    struct gdb_error error = {.text = ""};
    uint8_t digits[2 * GDB_REGISTER_BYTES];
    struct gdb_writer value;

    if (row >= stub->machine->register_count)
        return;
    gdb_writer_init(&value, digits, sizeof digits);
    // gdb takes no x's here: what has no value is left out.
    if (gdb_put_register(stub, stub->stop.thread, row, &value, &error) < 0 || value.length == 0 ||
        digits[0] == 'x')
        return;
    gdb_put_hex(reply, row);
    gdb_put_char(reply, ':');
    for (size_t i = 0; i < value.length; i++)
        gdb_put_char(reply, (char)digits[i]);
    gdb_put_char(reply, ';');
}

static void put_watch(const struct gdbstub *stub, const char *name, struct gdb_writer *reply)
{
    gdb_put_text(reply, name);
    gdb_put_hex(reply, stub->stop.address);
    gdb_put_char(reply, ';');
}

static void put_reason(const struct gdbstub *stub, struct gdb_writer *reply)
{
    switch (stub->stop.kind) {
    case GDB_STOP_SIGNAL:
    case GDB_STOP_EXITED:
        break;
    case GDB_STOP_SWBREAK:
        if (stub->swbreak_known)
            gdb_put_text(reply, "swbreak:;");
        break;
    case GDB_STOP_HWBREAK:
        if (stub->hwbreak_known)
            gdb_put_text(reply, "hwbreak:;");
        break;
    case GDB_STOP_WATCH_WRITE:
        put_watch(stub, "watch:", reply);
        break;
    case GDB_STOP_WATCH_READ:
        put_watch(stub, "rwatch:", reply);
        break;
    case GDB_STOP_WATCH_ACCESS:
        put_watch(stub, "awatch:", reply);
        break;
    }
}

void gdb_put_stop_reply(struct gdbstub *stub, struct gdb_writer *reply)
{
    const struct gdb_machine *machine = stub->machine;
    uint8_t signal = stub->stop.signal;

    gdb_put_char(reply, stub->stop.kind == GDB_STOP_EXITED ? 'W' : 'T');
    gdb_put_hex_bytes(reply, &signal, 1);
    if (stub->stop.kind == GDB_STOP_EXITED)
        return;
    if (stub->stop.thread > 0) {
        gdb_put_text(reply, "thread:");
        gdb_put_hex(reply, (uint64_t)stub->stop.thread);
        gdb_put_char(reply, ';');
    }
    put_reason(stub, reply);
    put_expedited(stub, machine->pc, reply);
    put_expedited(stub, machine->sp, reply);
    if (machine->fp != machine->sp)
        put_expedited(stub, machine->fp, reply);
    // gdb looks for the caller of frame 0 at every stop; in a leaf function it is in this register,
    // and without it gdb would fetch all with g.
    if (machine->link != 0)
        put_expedited(stub, machine->link, reply);
}

static int handle_why(struct gdbstub *stub, struct gdb_cursor *arguments, struct gdb_writer *reply,
                      struct gdb_error *error)
{
    int result = gdb_cursor_end(arguments, error);

    if (result == 0)
        gdb_put_stop_reply(stub, reply);
    return result;
}

// -- running ----------------------------------------------------------------------------------

static int resume(struct gdbstub *stub, struct gdb_resume *request, struct gdb_error *error)
{
    if (request->thread < 0)
        request->thread = GDB_THREAD_ANY;
    if (request->thread > 0 && !stub->target->thread_alive(stub->context, request->thread))
        return gdb_fail_at(error, -ENOENT, "no thread", (uint64_t)request->thread);
    int result = stub->target->resume(stub->context, request, error);
    if (result < 0)
        return gdb_fail(error, result == -ENOTSUP ? -EINVAL : result, "cannot be resumed");
    stub->state = GDB_RUNNING;
    stub->stop_owed = true;
    stub->stepped = request->action != GDB_CONTINUE;
    stub->ran = true;
    stub->interrupted = false;
    return GDB_NO_REPLY;
}

// The old packets carry an address to go on at, which gdb writes to the pc itself.
static int resume_old(struct gdbstub *stub, struct gdb_cursor *arguments, bool step,
                      bool with_signal, struct gdb_error *error)
{
    struct gdb_resume request = {
        .action = step ? GDB_STEP : GDB_CONTINUE,
        .thread = stub->resumed,
        .others_run = !step,
    };

    if (with_signal)
        request.signal = (uint8_t)gdb_cursor_hex(arguments, "signal");
    int result = gdb_cursor_end(arguments, error);
    return result < 0 ? result : resume(stub, &request, error);
}

static int handle_continue(struct gdbstub *stub, struct gdb_cursor *arguments,
                           struct gdb_writer *reply, struct gdb_error *error)
{
    (void)reply;
    return resume_old(stub, arguments, false, false, error);
}

static int handle_continue_signal(struct gdbstub *stub, struct gdb_cursor *arguments,
                                  struct gdb_writer *reply, struct gdb_error *error)
{
    (void)reply;
    return resume_old(stub, arguments, false, true, error);
}

static int handle_step(struct gdbstub *stub, struct gdb_cursor *arguments, struct gdb_writer *reply,
                       struct gdb_error *error)
{
    (void)reply;
    return resume_old(stub, arguments, true, false, error);
}

static int handle_step_signal(struct gdbstub *stub, struct gdb_cursor *arguments,
                              struct gdb_writer *reply, struct gdb_error *error)
{
    (void)reply;
    return resume_old(stub, arguments, true, true, error);
}

static int handle_vcont_query(struct gdbstub *stub, struct gdb_cursor *arguments,
                              struct gdb_writer *reply, struct gdb_error *error)
{
    (void)stub;
    (void)arguments;
    (void)error;
    gdb_put_text(reply, "vCont;c;C;s;S;r");
    return 0;
}

// One action of a vCont, as it stands there.
static struct gdb_resume action_parse(struct gdb_cursor *arguments)
{
    struct gdb_resume action = {.action = GDB_CONTINUE, .thread = GDB_THREAD_ALL};

    if (gdb_cursor_accept(arguments, 's')) {
        action.action = GDB_STEP;
    } else if (gdb_cursor_accept(arguments, 'r')) {
        action.action = GDB_RANGE_STEP;
        action.range_start = gdb_cursor_hex(arguments, "start of the range");
        gdb_cursor_expect(arguments, ',');
        action.range_end = gdb_cursor_hex(arguments, "end of the range");
    } else if (gdb_cursor_accept(arguments, 'S') || gdb_cursor_accept(arguments, 'C')) {
        action.action = arguments->at[-1] == 'S' ? GDB_STEP : GDB_CONTINUE;
        action.signal = (uint8_t)gdb_cursor_hex(arguments, "signal");
    } else if (!gdb_cursor_accept(arguments, 'c')) {
        gdb_cursor_fail(arguments, "action c, C, s, S or r");
    }
    if (gdb_cursor_accept(arguments, ':'))
        action.thread = gdb_cursor_thread(arguments);
    return action;
}

// The leftmost action that fits a thread counts, so one for all threads ends the matter. gdb sends
// one action for one thread and, when the others may run, "c" for the rest; a target that debugs
// one machine through one CPU at a time is not asked for more.
static int handle_vcont(struct gdbstub *stub, struct gdb_cursor *arguments,
                        struct gdb_writer *reply, struct gdb_error *error)
{
    struct gdb_resume request = action_parse(arguments);
    bool others_step = false;
    bool several = false;

    (void)reply;
    request.others_run = request.thread <= 0 && request.action == GDB_CONTINUE;
    while (gdb_cursor_accept(arguments, ';')) {
        struct gdb_resume other = action_parse(arguments);
        if (other.thread > 0)
            several = several || other.thread != request.thread;
        else if (request.thread > 0 && other.action == GDB_CONTINUE)
            request.others_run = true;
        else
            others_step = request.thread > 0;
    }
    int result = gdb_cursor_end(arguments, error);
    if (result < 0)
        return result;
    if (several || others_step)
        return gdb_fail(error, -EINVAL, "only one thread can have an action of its own");
    return resume(stub, &request, error);
}

// -- letting go -------------------------------------------------------------------------------

// These end the conversation, so the reply goes out first, and there is nobody left to be told of
// a failure.
static int handle_detach(struct gdbstub *stub, struct gdb_cursor *arguments,
                         struct gdb_writer *reply, struct gdb_error *error)
{
    (void)arguments;
    (void)error;
    gdb_reply_now(stub, reply, "OK");
    gdb_session_end(stub);
    stub->target->detach(stub->context);
    return GDB_NO_REPLY;
}

static void target_kill(struct gdbstub *stub)
{
    gdb_session_end(stub);
    if (stub->target->kill)
        stub->target->kill(stub->context);
    else
        stub->target->detach(stub->context);
}

static int handle_kill(struct gdbstub *stub, struct gdb_cursor *arguments, struct gdb_writer *reply,
                       struct gdb_error *error)
{
    (void)arguments;
    (void)reply;
    (void)error;
    target_kill(stub);
    return GDB_NO_REPLY;
}

static int handle_vkill(struct gdbstub *stub, struct gdb_cursor *arguments,
                        struct gdb_writer *reply, struct gdb_error *error)
{
    (void)arguments;
    (void)error;
    gdb_reply_now(stub, reply, "OK");
    target_kill(stub);
    return GDB_NO_REPLY;
}

static int handle_restart(struct gdbstub *stub, struct gdb_cursor *arguments,
                          struct gdb_writer *reply, struct gdb_error *error)
{
    (void)arguments;
    (void)reply;
    (void)error;
    if (!stub->target->restart)
        return -ENOTSUP;
    gdb_session_end(stub);
    stub->target->restart(stub->context);
    return GDB_NO_REPLY;
}

static const struct gdb_packet rows[] = {
    {"?", "", handle_why, false, "why the target stopped"},
    {"c", NULL, handle_continue, false, "continues"},
    {"C", NULL, handle_continue_signal, false, "continues with a signal"},
    {"s", NULL, handle_step, false, "steps one instruction"},
    {"S", NULL, handle_step_signal, false, "steps with a signal"},
    {"vCont?", "", handle_vcont_query, false, "which actions vCont knows"},
    {"vCont", ";", handle_vcont, false, "continues, steps, or steps through a range"},
    {"D", ";", handle_detach, false, "lets go: the target runs on without breakpoints"},
    {"k", "", handle_kill, false, "kills the target"},
    {"vKill", ";", handle_vkill, false, "kills the target"},
    {"R", NULL, handle_restart, false, "reboots the target"},
};

const struct gdb_packet_table gdb_resume_packets = GDB_PACKET_TABLE(rows);
