// SPDX-License-Identifier: MIT
// qXfer: documents gdb reads in parts. The target description comes from the machine's register
// table, the list of threads from the target; both are written anew for every part through the
// writer's window, so they need no buffer. Called through the packet table.
#include <errno.h>
#include <string.h>

#include "gdbstub/commands.h"

#define THREADS_MAX 65536 // a corrupt list of threads must not keep us busy for ever

// Where gdb knows a register by its feature it also knows the group, and 14 bytes a register are
// much on a serial line. System registers are kept out of `info registers` by theirs, and out of
// what gdb saves and restores around a call.
static void put_group(const struct gdb_register *row, struct gdb_writer *xml)
{
    bool standard = strncmp(row->feature, "org.gnu.gdb.", 12) == 0;

    if (row->group == GDB_GROUP_SYSTEM)
        gdb_put_text(xml, "\" group=\"system\" save-restore=\"no");
    else if (row->group == GDB_GROUP_FLOAT && !standard)
        gdb_put_text(xml, "\" group=\"float");
    else if (row->group == GDB_GROUP_VECTOR && !standard)
        gdb_put_text(xml, "\" group=\"vector");
}

// regnum is left out: rows stand in the order of their numbers, which is how gdb counts.
static void put_register(const struct gdb_register *row, struct gdb_writer *xml)
{
    gdb_put_text(xml, "<reg name=\"");
    gdb_put_text(xml, row->name);
    gdb_put_text(xml, "\" bitsize=\"");
    gdb_put_decimal(xml, row->bits);
    if (row->type && strcmp(row->type, "int") != 0) {
        gdb_put_text(xml, "\" type=\"");
        gdb_put_text(xml, row->type);
    }
    put_group(row, xml);
    gdb_put_text(xml, "\"/>");
}

static void put_feature_begin(const struct gdb_machine *machine, const char *feature,
                              struct gdb_writer *xml)
{
    gdb_put_text(xml, "<feature name=\"");
    gdb_put_text(xml, feature);
    gdb_put_text(xml, "\">");
    if (machine->extra_types && machine->extra_types_feature &&
        strcmp(machine->extra_types_feature, feature) == 0)
        gdb_put_text(xml, machine->extra_types);
}

// <osabi>none</osabi> is understood by gdb 13.1 and is enough: a bare ELF alone makes a multi-arch
// gdb fall back on its default, GNU/Linux, with which it plants breakpoints to step on RISC-V (Z0,
// vCont;c, z0 and some ten memory reads a stepi). With the element `show osabi` says none and a
// stepi is one vCont;s, without any `set osabi` on the user's side. Measured on x86-64 and RISC-V.
static int write_description(struct gdbstub *stub, struct gdb_writer *xml)
{
    const struct gdb_machine *machine = stub->machine;
    const char *feature = NULL;

    gdb_put_text(xml, "<target><architecture>");
    gdb_put_text(xml, machine->architecture);
    gdb_put_text(xml, "</architecture>");
    if (machine->osabi) {
        gdb_put_text(xml, "<osabi>");
        gdb_put_text(xml, machine->osabi);
        gdb_put_text(xml, "</osabi>");
    }
    for (unsigned i = 0; i < machine->register_count; i++) {
        const struct gdb_register *row = &machine->registers[i];
        if (!feature || strcmp(feature, row->feature) != 0) {
            if (feature)
                gdb_put_text(xml, "</feature>");
            put_feature_begin(machine, row->feature, xml);
            feature = row->feature;
        }
        put_register(row, xml);
    }
    gdb_put_text(xml, feature ? "</feature></target>" : "</target>");
    return 0;
}

// How much of each thread a list tells.
enum detail { NUMBERS, DESCRIPTIONS, PLACES };

static void put_pc(struct gdbstub *stub, gdb_thread_t thread, struct gdb_writer *xml)
{
    uint8_t value[sizeof(uint64_t)] = {0};
    struct gdb_error error = {.text = ""};
    uint64_t pc = 0;

    if (stub->target->register_read(stub->context, thread, stub->machine->pc, value, &error) < 0)
        return;
    for (size_t i = sizeof value; i-- > 0;)
        pc = pc << 8 | value[i];
    gdb_put_text(xml, "\" pc=\"");
    gdb_put_hex(xml, pc);
}

static void put_thread(struct gdbstub *stub, gdb_thread_t thread, enum detail detail,
                       struct gdb_writer *xml)
{
    char name[32] = "";
    char description[96] = "";

    bool stopped = thread == stub->stop.thread;
    if ((detail != NUMBERS || (stopped && !stub->stepped)) && stub->target->thread_describe &&
        stub->target->thread_describe(stub->context, thread, name, sizeof name, description,
                                      sizeof description) < 0)
        name[0] = description[0] = '\0';
    if (detail == NUMBERS)
        description[0] = '\0';
    gdb_put_text(xml, "<thread id=\"");
    gdb_put_hex(xml, (uint64_t)thread);
    if (name[0] != '\0') {
        gdb_put_text(xml, "\" name=\"");
        gdb_put_xml(xml, name);
    }
    if (detail == PLACES)
        put_pc(stub, thread, xml);
    if (description[0] == '\0') {
        gdb_put_text(xml, "\"/>");
        return;
    }
    gdb_put_text(xml, "\">");
    gdb_put_xml(xml, description);
    gdb_put_text(xml, "</thread>");
}

static int write_list(struct gdbstub *stub, enum detail detail, struct gdb_writer *xml)
{
    gdb_thread_t thread = 0;

    gdb_put_text(xml, "<threads>");
    // Nothing behind the window matters but that there is more.
    for (unsigned i = 0; i < THREADS_MAX && !xml->more; i++) {
        if (stub->target->thread_next(stub->context, &thread) < 0 || thread <= 0)
            break;
        put_thread(stub, thread, detail, xml);
    }
    gdb_put_text(xml, "</threads>");
    return 0;
}

static int write_threads(struct gdbstub *stub, struct gdb_writer *xml)
{
    return write_list(stub, stub->list_brief ? NUMBERS : DESCRIPTIONS, xml);
}

// An annex of our own: where all threads are, in one answer. gdb's `info threads` asks for each
// thread's registers in two packets; `fathom threads` asks for this.
static int write_places(struct gdbstub *stub, struct gdb_writer *xml)
{
    return write_list(stub, PLACES, xml);
}

// The objects of qXfer:NAME:read:ANNEX:OFFSET,LENGTH.
struct object {
    const char *name; // with the annex
    int (*write)(struct gdbstub *stub, struct gdb_writer *xml);
};

static const struct object objects[] = {
    {"features:read:target.xml:", write_description},
    {"threads:read::", write_threads},
    {"threads:read:places:", write_places},
};

// gdb asks for the list of threads after every stop, also after each stepi, and with all names and
// states it would be most of what a step costs on the line. So the first list after the target ran
// tells the numbers only, which is what gdb wants it for, and the name of the thread that stopped,
// which gdb shows unless it was a step; the next one, for `info threads`, is complete.
static void list_choose(struct gdbstub *stub, uint64_t offset)
{
    if (offset == 0) {
        stub->list_brief = stub->ran;
        stub->ran = false;
    }
}

static int object_read(struct gdbstub *stub, const struct object *object,
                       struct gdb_cursor *arguments, struct gdb_writer *reply,
                       struct gdb_error *error)
{
    uint64_t offset = gdb_cursor_hex(arguments, "offset");
    gdb_cursor_expect(arguments, ',');
    uint64_t length = gdb_cursor_hex(arguments, "length");
    int result = gdb_cursor_end(arguments, error);

    if (result < 0)
        return result;
    if (object->write == write_threads)
        list_choose(stub, offset);
    gdb_put_char(reply, 'l');
    gdb_writer_window(reply, offset, length);
    result = object->write(stub, reply);
    if (result < 0)
        return result;
    if (reply->more)
        reply->bytes[0] = 'm';
    return 0;
}

static int handle_xfer(struct gdbstub *stub, struct gdb_cursor *arguments, struct gdb_writer *reply,
                       struct gdb_error *error)
{
    for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++)
        if (gdb_cursor_accept_text(arguments, objects[i].name))
            return object_read(stub, &objects[i], arguments, reply, error);
    if (gdb_cursor_accept_text(arguments, "features:read:"))
        return gdb_fail(error, -ENOENT, "there is no annex but target.xml");
    return -ENOTSUP;
}

static const struct gdb_packet rows[] = {
    {"qXfer:", NULL, handle_xfer, false, "reads the target description or the list of threads"},
};

const struct gdb_packet_table gdb_xfer_packets = GDB_PACKET_TABLE(rows);
