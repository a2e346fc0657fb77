// SPDX-License-Identifier: MIT
// The registers of a frame as text, driven by the machine's table. For the console and the panic
// report; any context.
#include <string.h>

#include "kdebug/capsule.h"

#define COLUMNS 4

// What lies in the frame, also outside the g packet: a fault's syndrome belongs to a dump. False:
// it does not.
static bool in_frame(const struct kd_frame *frame, const struct gdb_register *reg, uint64_t *value)
{
    if ((reg->location & GDB_REGISTER_SPECIAL) != 0)
        return false;
    *value = 0;
    memcpy(value, (const uint8_t *)frame + reg->location, reg->bits / 8);
    return true;
}

void kd_text_registers(struct kd_text *text, const struct kd_frame *frame)
{
    unsigned column = 0;
    uint64_t value;
    for (unsigned i = 0; i < kd_machine.gdb->register_count; i++) {
        const struct gdb_register *reg = &kd_machine.gdb->registers[i];
        if (!in_frame(frame, reg, &value))
            continue;
        kd_text_printf(text, "%s%7s %016llx", column == 0 ? "" : " ", reg->name,
                       (unsigned long long)(kd_is_canary(value) ? 0 : value));
        column = (column + 1) % COLUMNS;
        if (column == 0)
            kd_text_char(text, '\n');
    }
    if (column != 0)
        kd_text_char(text, '\n');
    // In a function's prologue one is in a register for a moment.
    for (unsigned i = 0; i < kd_machine.gdb->register_count; i++)
        if (in_frame(frame, &kd_machine.gdb->registers[i], &value) && kd_is_canary(value))
            kd_text_printf(text, "(%s held a stack canary, which is not shown)\n",
                           kd_machine.gdb->registers[i].name);
}
