// SPDX-License-Identifier: MIT
// The registers of a frame as text, driven by the machine's table. For the console and the panic
// report; any context.
#include <string.h>

#include "kdebug/core.h"

#define COLUMNS 4

void kd_text_registers(struct kd_text *text, const struct kd_frame *frame)
{
    unsigned column = 0;
    for (unsigned i = 0; i < kd_machine.gdb->register_count; i++) {
        const struct gdb_register *reg = &kd_machine.gdb->registers[i];
        // What lies in the frame, also outside the g packet: a fault's syndrome belongs to a dump.
        if ((reg->location & GDB_REGISTER_SPECIAL) != 0)
            continue;
        uint64_t value = 0;
        memcpy(&value, (const uint8_t *)frame + reg->location, reg->bits / 8);
        kd_text_printf(text, "%s%7s %016llx", column == 0 ? "" : " ", reg->name,
                       (unsigned long long)value);
        column = (column + 1) % COLUMNS;
        if (column == 0)
            kd_text_char(text, '\n');
    }
    if (column != 0)
        kd_text_char(text, '\n');
}
