# SPDX-License-Identifier: MIT
# The GDB remote serial protocol as a library; includes no other room.
gdbstub.includes := gdbstub
gdbstub.sources := $(addprefix gdbstub/, breakpoints.c commands.c cursor.c memory.c packet.c \
    query.c registers.c resume.c session.c sniff.c threads.c writer.c xfer.c)
