# SPDX-License-Identifier: MIT
"""An independent reader of panic capsules, written from kdebug/format/capsule.h: the witness that
the kernel writes what the header says. It shares no code with the kernel or with `fathom decode`.
"""
import base64
import re
import struct
import zlib

import lz4.block

LINE = re.compile(r"~([Cc])([0-9a-f]{4}) ([A-Za-z0-9+/]+=*) ([0-9a-f]{8})")
BEGIN = re.compile(r"begin panic capsule (\d+) ([0-9a-f]{8})")
END = re.compile(r"end panic capsule ([0-9a-f]{8}) (\d+)")
BLOCK = struct.Struct("<HBBHHIII")

MACHINE, REGISTER_SET, REGISTER_ROWS, REGISTER_TYPES, CPU, REGISTERS, THREAD, MEMORY, WITHHELD, TEXT, \
    SUMMARY = range(1, 12)
SECRET, CANARY = 1, 2


class Lines:
    """The ~ lines of a text, each checked; what is wrong with a line is in `bad`."""

    def __init__(self, text):
        self.good, self.bad = [], []
        for match in LINE.finditer(text):
            kind, number, packed, crc = match.groups()
            inside = f"{kind}{number} {packed}"
            (self.good if zlib.crc32(inside.encode()) == int(crc, 16) else self.bad).append(
                (kind, int(number, 16), packed))


def blocks_of(lines):
    """Raw blocks by number, and how many were spoiled."""
    groups = []
    for kind, number, packed in lines:
        if kind == "C":
            groups.append([number, b"", True])
        elif groups and groups[-1][0] + 1 == number:
            groups[-1][0] = number
        else:
            if groups:
                groups[-1][2] = False
            continue
        if kind == "C":
            groups[-1][1] = base64.b64decode(packed, validate=True)
        else:
            groups[-1][1] += base64.b64decode(packed, validate=True)
    blocks, spoiled = {}, 0
    for _, data, whole in groups:
        if not whole or len(data) < BLOCK.size:
            spoiled += 1
            continue
        magic, version, method, packed_bytes, raw_bytes, number, ident, crc = BLOCK.unpack_from(data)
        body = data[BLOCK.size:]
        if len(body) != packed_bytes:
            spoiled += 1
            continue
        assert magic == 0x4243 and version == 1 and method in (0, 1) and raw_bytes <= 4096
        raw = body if method == 0 else lz4.block.decompress(body, uncompressed_size=raw_bytes)
        assert len(raw) == raw_bytes and zlib.crc32(raw) == crc
        blocks[number] = (ident, raw)
    return blocks, spoiled


def records_of(raw):
    at = 0
    while at < len(raw):
        kind, reserved, size = struct.unpack_from("<HHI", raw, at)
        assert reserved == 0 and at + 8 + size <= len(raw)
        yield kind, raw[at + 8:at + 8 + size]
        at += 8 + (size + 7) // 8 * 8


def string(data):
    return data.split(b"\0", 1)[0].decode()


class Capsule:
    """All of a capsule that `text` holds whole blocks of. Registers are {name: value}."""

    def __init__(self, text):
        self.lines = Lines(text)
        self.blocks, self.spoiled = blocks_of(self.lines.good)
        self.machine, self.set, self.rows, self.types = None, None, {}, b""
        self.cpus, self.registers, self.threads, self.memory = {}, {}, {}, {}
        self.withheld, self.texts, self.summary = [], {}, None
        raw_registers = []
        for number in sorted(self.blocks):
            for kind, body in records_of(self.blocks[number][1]):
                self._record(kind, body, raw_registers)
        if self.rows:
            for body in raw_registers:
                self._registers(body)

    def _record(self, kind, body, raw_registers):
        if kind == MACHINE and not self.machine:
            self.machine = self._machine(body)
        elif kind == REGISTER_SET:
            self.set = struct.unpack_from("<8H16s32s4s", body)
        elif kind == REGISTER_ROWS:
            assert len(body) % 80 == 0
            for at in range(0, len(body), 80):
                number, bits, offset, dwarf, group, _ = struct.unpack_from("<HHHhBB", body, at)
                name, feature, kind_ = struct.unpack_from("18s32s20s", body, at + 10)
                self.rows[number] = (string(name), bits, offset, dwarf, group, string(feature),
                                     string(kind_))
        elif kind == REGISTER_TYPES:
            offset, = struct.unpack_from("<I", body)
            if offset == len(self.types):
                self.types += body[4:]
        elif kind == CPU:
            index, flags, thread, reason = struct.unpack("<IIq96s", body)
            self.cpus.setdefault(index, (flags, thread, string(reason)))
        elif kind == REGISTERS:
            raw_registers.append(body)
        elif kind == THREAD:
            ident, cpu, state, priority, _, low, high, name, wait = struct.unpack("<qIBBHQQ32s32s",
                                                                                  body)
            self.threads[ident] = {"cpu": cpu, "state": state, "priority": priority, "low": low,
                                   "high": high, "name": string(name), "wait": string(wait)}
        elif kind == MEMORY:
            address, kind_, size = struct.unpack_from("<QII", body)
            assert size == len(body) - 16 and address not in self.memory
            self.memory[address] = (kind_, body[16:])
        elif kind == WITHHELD:
            self.withheld.append(struct.unpack("<QQII", body)[:3])
        elif kind == TEXT:
            name, offset = struct.unpack_from("<16sI", body)
            text = self.texts.setdefault(string(name), b"")
            assert offset >= len(text)
            self.texts[string(name)] = text.ljust(offset, b"?") + body[24:]
        elif kind == SUMMARY:
            self.summary = struct.unpack("<IIIIQQQ", body)

    @staticmethod
    def _machine(body):
        fields = struct.unpack("<16s16s32s32sBBBBIqQQIIqQQQQ32s256s", body)
        names = ("architecture", "kernel", "version", "build_id", "build_id_bytes", "pointer_bytes",
                 "signal", "trap_flags", "page_bytes", "load_offset", "image_start", "image_end",
                 "cpu_count", "cpu", "thread", "uptime_ns", "trap_code", "trap_address", "budget",
                 "trap_name", "reason")
        machine = dict(zip(names, fields))
        for name in ("architecture", "kernel", "version", "trap_name", "reason"):
            machine[name] = string(machine[name])
        machine["build_id"] = machine["build_id"][:machine["build_id_bytes"]].hex()
        return machine

    def _registers(self, body):
        thread, cpu, known = struct.unpack_from("<qI32s", body)
        values = body[48:]
        assert len(values) == self.set[6]
        registers = {}
        for number, (name, bits, offset, *_) in self.rows.items():
            if offset != 0xffff and known[number // 8] >> number % 8 & 1:
                registers[name] = int.from_bytes(values[offset:offset + bits // 8], "little")
        self.registers.setdefault(thread, (cpu, registers))

    def read(self, address, size):
        """Bytes at an address; None for each that is not there."""
        result = []
        ordered = sorted(self.memory.items())
        for at in range(address, address + size):
            byte = None
            for start, (_, data) in ordered:
                if start <= at < start + len(data):
                    byte = data[at - start]
                    break
            result.append(byte)
        return result

    def raw(self):
        """Everything, unpacked: what a secret is searched in."""
        return b"".join(raw for _, raw in self.blocks.values())
