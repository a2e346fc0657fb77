// SPDX-License-Identifier: MIT
// Z and z: breakpoints and watchpoints. Called through the packet table. The stub keeps no list;
// the target does, and setting what is set or clearing what is not is no error there.
#include <errno.h>

#include "gdbstub/commands.h"

struct breakpoint {
    enum gdb_breakpoint_type type;
    uint64_t address;
    unsigned kind;
};

static bool kind_known(const struct gdb_machine *machine, unsigned kind)
{
    for (size_t i = 0; i < sizeof machine->breakpoint_kinds; i++)
        if (kind > 0 && machine->breakpoint_kinds[i] == kind)
            return true;
    return false;
}

static int breakpoint_parse(struct gdbstub *stub, struct gdb_cursor *arguments,
                            struct breakpoint *breakpoint, struct gdb_error *error)
{
    uint64_t type = gdb_cursor_hex(arguments, "type");
    gdb_cursor_expect(arguments, ',');
    breakpoint->address = gdb_cursor_hex(arguments, "address");
    gdb_cursor_expect(arguments, ',');
    uint64_t kind = gdb_cursor_hex(arguments, "kind");
    int result = gdb_cursor_end(arguments, error);

    if (result < 0)
        return result;
    if (type > GDB_WATCH_ACCESS)
        return -ENOTSUP;
    breakpoint->type = (enum gdb_breakpoint_type)type;
    breakpoint->kind = kind > UINT16_MAX ? UINT16_MAX : (unsigned)kind;
    if (type <= GDB_BREAK_HARDWARE && !kind_known(stub->machine, breakpoint->kind))
        return gdb_fail_at(error, -EINVAL, "no breakpoint has the length", kind);
    if (type >= GDB_WATCH_WRITE && (kind == 0 || kind > UINT16_MAX))
        return gdb_fail_at(error, -EINVAL, "no watchpoint has the length", kind);
    return 0;
}

static int handle_set(struct gdbstub *stub, struct gdb_cursor *arguments, struct gdb_writer *reply,
                      struct gdb_error *error)
{
    struct breakpoint breakpoint;
    int result = breakpoint_parse(stub, arguments, &breakpoint, error);

    if (result < 0)
        return result;
    result = stub->target->breakpoint_set(stub->context, breakpoint.type, breakpoint.address,
                                          breakpoint.kind, error);
    if (result < 0)
        return gdb_fail_at(error, result, "no breakpoint possible at", breakpoint.address);
    gdb_put_text(reply, "OK");
    return 0;
}

static int handle_clear(struct gdbstub *stub, struct gdb_cursor *arguments,
                        struct gdb_writer *reply, struct gdb_error *error)
{
    struct breakpoint breakpoint;
    int result = breakpoint_parse(stub, arguments, &breakpoint, error);

    if (result < 0)
        return result;
    result = stub->target->breakpoint_clear(stub->context, breakpoint.type, breakpoint.address,
                                            breakpoint.kind, error);
    if (result < 0)
        return gdb_fail_at(error, result, "breakpoint stays at", breakpoint.address);
    gdb_put_text(reply, "OK");
    return 0;
}

static const struct gdb_packet rows[] = {
    {"Z", NULL, handle_set, false, "sets a breakpoint (0, 1) or watchpoint (2, 3, 4)"},
    {"z", NULL, handle_clear, false, "clears one"},
};

const struct gdb_packet_table gdb_breakpoint_packets = GDB_PACKET_TABLE(rows);
