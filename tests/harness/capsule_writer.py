# SPDX-License-Identifier: MIT
"""Writes panic capsules of a process that gdb has stopped, for tests that need a dead machine with
known contents. Written from kdebug/format/capsule.h."""
import base64
import struct
import zlib

BLOCK_BYTES, LINE_BYTES = 4096, 72
MACHINE, REGISTER_SET, REGISTER_ROWS, CPU, REGISTERS, MEMORY, SUMMARY = 1, 2, 3, 5, 6, 8, 11
MEMORY_PART = 2048
# gdb's order and the DWARF numbers of the x86-64 psABI, figure 3.36.
X86_64 = [("rax", 0), ("rbx", 3), ("rcx", 2), ("rdx", 1), ("rsi", 4), ("rdi", 5), ("rbp", 6),
          ("rsp", 7), *((f"r{n}", n) for n in range(8, 16)), ("rip", 16)]


class CapsuleWriter:
    """Records, in stored blocks; `text` has the lines."""

    def __init__(self, ident=1):
        self._ident, self._raw, self._blocks, self._lines = ident, b"", 0, 0
        self.text = f"begin panic capsule 1 {ident:08x}\n"

    def record(self, kind, body):
        padded = body + bytes(-len(body) % 8)
        if len(self._raw) + 8 + len(padded) > BLOCK_BYTES:
            self.flush()
        self._raw += struct.pack("<HHI", kind, 0, len(body)) + padded

    def flush(self):
        if not self._raw:
            return
        raw, self._raw = self._raw, b""
        packed = struct.pack("<HBBHHIII", 0x4243, 1, 0, len(raw), len(raw), self._blocks,
                             self._ident, zlib.crc32(raw)) + raw
        self._blocks += 1
        for at in range(0, len(packed), LINE_BYTES):
            part = base64.b64encode(packed[at:at + LINE_BYTES]).decode()
            line = f"{'c' if at else 'C'}{self._lines & 0xffff:04x} {part}"
            self.text += f"~{line} {zlib.crc32(line.encode()):08x}\n"
            self._lines += 1

    def end(self):
        self.flush()
        self.record(SUMMARY, struct.pack("<IIIIQQQ", self._blocks + 1, 1, 0, 0, 0, 0, 0))
        self.flush()
        self.text += f"end panic capsule {self._ident:08x} {self._lines}\n"
        return self.text


def x86_64_capsule(registers, memory):
    """The text of a capsule of one thread: registers by name, memory as (address, bytes)."""
    writer = CapsuleWriter()
    names = dict(X86_64)
    order = [name for name, _ in X86_64]
    pc, sp, fp = order.index("rip"), order.index("rsp"), order.index("rbp")
    writer.record(MACHINE, struct.pack(
        "<16s16s32s32sBBBBIqQQIIqQQQQ32s256s", b"i386:x86-64", b"process", b"", b"", 0, 8, 11, 0,
        4096, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, b"", b"stopped by a test"))
    writer.record(REGISTER_SET, struct.pack(
        "<HHHHHHHH16s32s4sI", len(order), len(order), pc, sp, fp, 0, 8 * len(order), 0, b"none",
        b"", b"\1", 0))
    writer.record(REGISTER_ROWS, b"".join(
        struct.pack("<HHHhBB18s32s20s", number, 64, 8 * number, names[name], 0, 0, name.encode(),
                    b"org.gnu.gdb.i386.core", b"") for number, name in enumerate(order)))
    writer.record(CPU, struct.pack("<IIq96s", 0, 1 | 2, 1, b""))
    known = (1 << len(order)) - 1
    writer.record(REGISTERS, struct.pack("<qI32s4s", 1, 0, known.to_bytes(32, "little"), b"") +
                  b"".join(struct.pack("<Q", registers[name]) for name in order))
    for address, contents in memory:
        for at in range(0, len(contents), MEMORY_PART):
            part = contents[at:at + MEMORY_PART]
            writer.record(MEMORY, struct.pack("<QII", address + at, 1, len(part)) + part)
    return writer.end()
