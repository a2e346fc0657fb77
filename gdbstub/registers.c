// SPDX-License-Identifier: MIT
// g, G, p and P: the registers of the selected thread, by row of the machine's table. Called
// through the packet table. Values are in target byte order and never interpreted here.
#include <errno.h>
#include <string.h>

#include "gdbstub/commands.h"

static size_t row_bytes(const struct gdbstub *stub, unsigned row)
{
    return stub->machine->registers[row].bits / 8u;
}

static int row_fail(struct gdb_error *error, int code, const struct gdb_register *row,
                    const char *what)
{
    struct gdb_writer writer;

    if (error->text[0] != '\0')
        return code;
    gdb_writer_init(&writer, error->text, sizeof error->text - 1);
    gdb_put_text(&writer, row->name);
    gdb_put_text(&writer, what);
    error->text[writer.length] = '\0';
    return code;
}

int gdb_put_register(struct gdbstub *stub, gdb_thread_t thread, unsigned row,
                     struct gdb_writer *reply, struct gdb_error *error)
{
    uint8_t value[GDB_REGISTER_BYTES];
    size_t bytes = row_bytes(stub, row);
    int result = -ENODATA;

    if (bytes <= sizeof value && stub->machine->registers[row].location != GDB_REGISTER_ABSENT)
        result = stub->target->register_read(stub->context, thread, row, value, error);
    if (result == 0) {
        gdb_put_hex_bytes(reply, value, bytes);
        return 0;
    }
    if (result != -ENODATA)
        return row_fail(error, result, &stub->machine->registers[row], " cannot be read");
    error->text[0] = '\0';
    for (size_t i = 0; i < 2 * bytes; i++)
        gdb_put_char(reply, 'x');
    return 0;
}

static int handle_read_all(struct gdbstub *stub, struct gdb_cursor *arguments,
                           struct gdb_writer *reply, struct gdb_error *error)
{
    int result = gdb_cursor_end(arguments, error);

    for (unsigned row = 0; result == 0 && row < stub->machine->general_count; row++)
        result = gdb_put_register(stub, gdb_selected_thread(stub), row, reply, error);
    return result;
}

static int row_write(struct gdbstub *stub, unsigned row, const void *value, struct gdb_error *error)
{
    int result =
        stub->target->register_write(stub->context, gdb_selected_thread(stub), row, value, error);

    if (result < 0 && result != -ENOTSUP)
        row_fail(error, result, &stub->machine->registers[row], " cannot be written");
    return result;
}

// The value of a row, if it is one: x's are sent back by gdb for what it never had.
static bool row_parse(struct gdb_cursor *arguments, void *value, size_t bytes)
{
    if (gdb_cursor_peek(arguments) != 'x') {
        gdb_cursor_bytes(arguments, value, bytes);
        return !arguments->expected;
    }
    for (size_t i = 0; i < 2 * bytes; i++)
        gdb_cursor_expect(arguments, 'x');
    return false;
}

static bool row_writable(const struct gdb_register *row)
{
    return !row->read_only && row->location != GDB_REGISTER_ABSENT &&
           row->bits / 8 <= GDB_REGISTER_BYTES;
}

// Checked as a whole before the first register changes.
static int handle_write_all(struct gdbstub *stub, struct gdb_cursor *arguments,
                            struct gdb_writer *reply, struct gdb_error *error)
{
    uint8_t value[GDB_REGISTER_BYTES];
    struct gdb_cursor trial = *arguments;
    unsigned count = stub->machine->general_count;
    int result;

    for (unsigned row = 0; row < count; row++)
        if (row_bytes(stub, row) <= sizeof value)
            row_parse(&trial, value, row_bytes(stub, row));
        else
            gdb_cursor_skip(&trial, 2 * row_bytes(stub, row));
    result = gdb_cursor_end(&trial, error);
    for (unsigned row = 0; result == 0 && row < count; row++)
        if (row_bytes(stub, row) > sizeof value)
            gdb_cursor_skip(arguments, 2 * row_bytes(stub, row));
        else if (row_parse(arguments, value, row_bytes(stub, row)) &&
                 row_writable(&stub->machine->registers[row]))
            result = row_write(stub, row, value, error);
    if (result == 0)
        gdb_put_text(reply, "OK");
    return result;
}

static int row_number(struct gdbstub *stub, struct gdb_cursor *arguments, unsigned *row,
                      struct gdb_error *error)
{
    uint64_t number = gdb_cursor_hex(arguments, "register number");
    int result = gdb_cursor_check(arguments, error);

    if (result < 0)
        return result;
    if (number >= stub->machine->register_count)
        return gdb_fail_at(error, -EINVAL, "no register", number);
    *row = (unsigned)number;
    return 0;
}

static int handle_read_one(struct gdbstub *stub, struct gdb_cursor *arguments,
                           struct gdb_writer *reply, struct gdb_error *error)
{
    unsigned row = 0;
    int result = row_number(stub, arguments, &row, error);

    if (result == 0)
        result = gdb_cursor_end(arguments, error);
    if (result < 0)
        return result;
    return gdb_put_register(stub, gdb_selected_thread(stub), row, reply, error);
}

// gdb saves and restores every register around a call it makes: the value a register has already
// may always be written.
static bool row_has(struct gdbstub *stub, unsigned row, const uint8_t *value)
{
    uint8_t now[GDB_REGISTER_BYTES];

    return stub->machine->registers[row].location != GDB_REGISTER_ABSENT &&
           stub->target->register_read(stub->context, gdb_selected_thread(stub), row, now,
                                       &(struct gdb_error){.text = ""}) == 0 &&
           memcmp(now, value, row_bytes(stub, row)) == 0;
}

static int handle_write_one(struct gdbstub *stub, struct gdb_cursor *arguments,
                            struct gdb_writer *reply, struct gdb_error *error)
{
    uint8_t value[GDB_REGISTER_BYTES];
    unsigned row = 0;
    int result = row_number(stub, arguments, &row, error);

    if (result < 0)
        return result;
    const struct gdb_register *reg = &stub->machine->registers[row];
    if (row_bytes(stub, row) > sizeof value)
        return row_fail(error, -EPERM, reg, " cannot be written");
    gdb_cursor_expect(arguments, '=');
    gdb_cursor_bytes(arguments, value, row_bytes(stub, row));
    result = gdb_cursor_end(arguments, error);
    if (result < 0)
        return result;
    if (row_writable(reg))
        result = row_write(stub, row, value, error);
    else if (!row_has(stub, row, value))
        result = row_fail(error, -EPERM, reg, " cannot be written");
    if (result == 0)
        gdb_put_text(reply, "OK");
    return result;
}

static const struct gdb_packet rows[] = {
    {"g", "", handle_read_all, false, "reads the general registers"},
    {"G", NULL, handle_write_all, false, "writes the general registers"},
    {"p", NULL, handle_read_one, false, "reads one register"},
    {"P", NULL, handle_write_one, false, "writes one register"},
};

const struct gdb_packet_table gdb_register_packets = GDB_PACKET_TABLE(rows);
