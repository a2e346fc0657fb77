#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks every #include against the rooms its file's room may include.

usage: check_rooms.py "ROOM=ROOM ROOM..." ...

The lists come from the rooms' own room.mk. What the design forbids whatever a room.mk says stands
here: nobody may include the kernel but the kernel, and gdbstub includes nothing. Machine-independent
code of gdbstub and kdebug names no machine.
"""
import re
import subprocess
import sys

FORBIDDEN = {"gdbstub": {"kdebug", "kernel", "fathom", "link"}, "kdebug": {"kernel", "fathom"},
             "fathom": {"kernel", "kdebug", "gdbstub"}, "symbolizer": {"kernel", "fathom"},
             "kdebug/format": {"kdebug", "gdbstub", "kernel", "fathom", "symbolizer"},
             "base": {"gdbstub", "kdebug", "kernel", "fathom", "symbolizer"}}
# <machine/...> belongs to the kernel, <kd_machine/...> to the debugger.
ANGLED = {"machine": "kernel", "kd_machine": "kdebug"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
# Folders of a room that others may include without the rest of it.
ROOMS_WITHIN = ("kdebug/format",)
GENERATED = {"offsets.h"} # by the build, for assembly
COMMENT = re.compile(r"//.*|/\*.*?\*/")
MACHINE = re.compile(r"__x86_64__|__aarch64__|__riscv|\b(x86_64|aarch64|riscv64)\b")


def room_of(path):
    within = [room for room in ROOMS_WITHIN if path.startswith(room + "/")]
    return within[0] if within else path.split("/", 1)[0]


def included_room(bracket, name, rooms):
    if bracket == "<":
        return ANGLED.get(name.split("/", 1)[0])
    room = room_of(name)
    return room if room in rooms else None


def check_file(path, allowed, rooms, complain):
    room = room_of(path)
    independent = room in ("gdbstub", "kdebug") and "/arch/" not in path
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            match = INCLUDE.match(line)
            if match:
                target = included_room(match[1], match[2], rooms)
                if target and target not in allowed[room]:
                    complain(f"{path}:{number}: {room} may not include {target} ({match[2]}); "
                             f"{room}/room.mk allows {', '.join(sorted(allowed[room]))}")
                elif match[1] == '"' and "/" not in match[2] and match[2] not in GENERATED:
                    complain(f"{path}:{number}: name the header from the root: {match[2]}")
            elif independent and MACHINE.search(COMMENT.sub("", line)):
                complain(f"{path}:{number}: machine-independent code names a machine")


def main():
    allowed = {}
    for argument in sys.argv[1:]:
        room, _, includes = argument.partition("=")
        allowed[room] = set(includes.split()) | {room}
    complaints = []
    for room, targets in FORBIDDEN.items():
        for target in sorted(targets & allowed.get(room, set())):
            complaints.append(f"{room}/room.mk: the design has no arrow from {room} to {target}")
    files = subprocess.run(["git", "ls-files", "*.c", "*.h", "*.S"], capture_output=True, text=True,
                           check=True).stdout.split()
    for path in files:
        if room_of(path) in allowed:
            check_file(path, allowed, set(allowed), complaints.append)
    if complaints:
        sys.exit("\n".join(complaints))


main()
