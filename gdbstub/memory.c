// SPDX-License-Identifier: MIT
// m, M and X: memory as the selected thread sees it. Called through the packet table. Neither
// direction has a buffer of its own: what is read is expanded to hex where it will be sent from,
// what is written is taken from hex where it came in.
#include <errno.h>

#include "gdbstub/commands.h"

struct span {
    uint64_t address;
    size_t length; // never reaches over the end of the address space
};

static struct span span_parse(struct gdb_cursor *arguments, uint64_t length_max)
{
    uint64_t address = gdb_cursor_hex(arguments, "address");
    gdb_cursor_expect(arguments, ',');
    uint64_t length = gdb_cursor_hex(arguments, "length");

    // -address is how much there is from the address to the end; 0 stands for all of it.
    if (address != 0 && length > -address)
        length = -address;
    if (length > length_max)
        length = length_max;
    return (struct span){address, (size_t)length};
}

static int handle_read(struct gdbstub *stub, struct gdb_cursor *arguments, struct gdb_writer *reply,
                       struct gdb_error *error)
{
    struct span span = span_parse(arguments, GDB_PACKET_BYTES / 2);
    // The bytes lie in the upper half and are expanded from its beginning: digit 2i + 1 never
    // overtakes byte GDB_PACKET_BYTES / 2 + i.
    uint8_t *bytes = reply->bytes + GDB_PACKET_BYTES / 2;
    size_t length = span.length;
    int result = gdb_cursor_end(arguments, error);

    if (result < 0)
        return result;
    if (length == 0)
        return gdb_fail_at(error, -EINVAL, "no bytes asked for at", span.address);
    result = stub->target->memory_read(stub->context, gdb_selected_thread(stub), span.address,
                                       bytes, &length, error);
    if (result < 0)
        return gdb_fail_at(error, result, "cannot read memory at", span.address);
    if (length == 0 || length > span.length)
        return gdb_fail_at(error, -EFAULT, "cannot read memory at", span.address);
    gdb_put_hex_bytes(reply, bytes, length);
    return 0;
}

static int span_write(struct gdbstub *stub, struct span span, const void *bytes,
                      struct gdb_writer *reply, struct gdb_error *error)
{
    int result = 0;

    // Nothing to write is how gdb asks whether X is known.
    if (span.length > 0)
        result = stub->target->memory_write(stub->context, gdb_selected_thread(stub), span.address,
                                            bytes, span.length, error);
    if (result < 0 && result != -ENOTSUP)
        return gdb_fail_at(error, result, "cannot write memory at", span.address);
    if (result == 0)
        gdb_put_text(reply, "OK");
    return result;
}

static int handle_write_hex(struct gdbstub *stub, struct gdb_cursor *arguments,
                            struct gdb_writer *reply, struct gdb_error *error)
{
    struct span span = span_parse(arguments, UINT32_MAX);
    uint8_t *bytes = stub->receiver.bytes;

    gdb_cursor_expect(arguments, ':');
    if (!arguments->expected && span.length != gdb_cursor_left(arguments) / 2)
        gdb_cursor_fail(arguments, "as many bytes as announced");
    gdb_cursor_bytes(arguments, bytes, span.length);
    int result = gdb_cursor_end(arguments, error);
    if (result < 0)
        return result;
    return span_write(stub, span, bytes, reply, error);
}

static int handle_write_binary(struct gdbstub *stub, struct gdb_cursor *arguments,
                               struct gdb_writer *reply, struct gdb_error *error)
{
    struct span span = span_parse(arguments, UINT32_MAX);

    gdb_cursor_expect(arguments, ':');
    if (!arguments->expected && span.length != gdb_cursor_left(arguments))
        gdb_cursor_fail(arguments, "as many bytes as announced");
    int result = gdb_cursor_check(arguments, error);
    if (result < 0)
        return result;
    return span_write(stub, span, arguments->at, reply, error);
}

static const struct gdb_packet rows[] = {
    {"m", NULL, handle_read, true, "reads memory"},
    {"M", NULL, handle_write_hex, false, "writes memory, in hex"},
    {"X", NULL, handle_write_binary, false, "writes memory, in binary"},
};

const struct gdb_packet_table gdb_memory_packets = GDB_PACKET_TABLE(rows);
