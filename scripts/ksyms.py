#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns `nm -nS` of the first link into the symbol table the kernel carries in itself.

The table holds the functions of the kernel's text, sorted by address: a count, then rows of
{u32 offset from __kernel_start, u32 size, u32 name}, then the names. kernel/lib/ksyms.c reads it.
"""
import sys


def main():
    start = None
    rows = []
    for line in sys.stdin:
        fields = line.split()
        if len(fields) == 4:
            address, size, kind, name = int(fields[0], 16), int(fields[1], 16), fields[2], fields[3]
        elif len(fields) == 3:
            address, size, kind, name = int(fields[0], 16), 0, fields[1], fields[2]
        else:
            continue
        if name == "__kernel_start":
            start = address
        if kind in "tTwW" and not name.startswith((".", "$", "__kernel", "__text_", "__debugger_")):
            rows.append((address, size, name))
    if start is None:
        sys.exit("ksyms.py: no __kernel_start in the symbol list")
    rows.sort(key=lambda row: (row[0], -row[1], row[2]))
    unique = []
    for row in rows:
        if not unique or unique[-1][0] != row[0]:
            unique.append(row)
    names = bytearray()
    print('    .section .ksyms, "a"')
    print("    .balign 4")
    print(f"    .long {len(unique)}")
    for address, size, name in unique:
        print(f"    .long {address - start}, {size}, {len(names)}")
        names += name.encode() + b"\0"
    for _, _, name in unique:
        print(f'    .asciz "{name}"')


if __name__ == "__main__":
    main()
