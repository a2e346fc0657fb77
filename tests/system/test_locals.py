# SPDX-License-Identifier: MIT
"""Variables of frames by DWARF of both versions from both compilers, without and with optimization.
A program of this host is stopped in gdb, made a capsule of, and looked at by `fathom decode
--locals`. Its values are in its source; what an optimizer did not keep must be said to be gone, and
must not be gone where gdb still has it.
"""
import json
import pathlib
import platform
import re
import subprocess

import pytest

from harness.batch import run_gdb
from harness.capsule_writer import X86_64, x86_64_capsule
from harness.machine import FATHOM

SOURCE = pathlib.Path(__file__).parent / "locals" / "variables.c"

# Runs inside gdb: registers, the stack from the stop to main's frame, and data that is written to.
DUMP = """
import gdb, json
inferior = gdb.selected_inferior()
registers = {{name: int(gdb.parse_and_eval("(unsigned long)$" + name)) for name in {names}}}
frame = gdb.newest_frame()
while frame.name() != "main":
    frame = frame.older()
top = int(frame.read_register("rsp")) + 1024
low = registers["rsp"] - 128
data = int(gdb.parse_and_eval("(unsigned long)&plain_global"))
memory = [(low, top - low), (data, 4)]
open({path!r}, "w").write(json.dumps([registers, [(address, inferior.read_memory(address, size)
    .tobytes().hex()) for address, size in memory]]))
"""

KINDS = {
    "count": "100",
    "bits": "{low = 5, middle = -3, tint = BLUE, high = 0xabcdef0123}",
    "letters": '"hello"',
    "numbers": "{1, 2 <5 times>, 3, 0 <3 times>}",
    "grid": "{{1, 2, 3}, {4, 5, 6}}",
    "real": "1.5",
    "half": "0.25",
    "byte": "65 'A'",
    "negative": "-42",
    "large": "0xffff800000001234",
    "where": r"0x[0-9a-f]+ <plain_global>",
    "nothing": "0x0",
    "copy": (r'{name = 0x[0-9a-f]+ "a \\"name\\"\\n", corners = {{x = 1, y = 2}, {x = 3, y = 4}}, '
             r'either = {word = 67305985, bytes = "\\001\\002\\003\\004"}, '
             r"colour = GREEN, mode = (READ \| EXECUTE), on = true, next = 0x[0-9a-f]+, "
             r"call = 0x[0-9a-f]+ <twice>, {inner = -9}}"),
}
LEAF = {"number": "100", "at": "0x[0-9a-f]+", "text": '0x[0-9a-f]+ "hello"', "before": "102"}
INLINED = {"outer": "100", "inside": "101", "block": "202", "at": "0x[0-9a-f]+"}
PATTERNS = {"where", "copy", "at", "text"}

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64",
                                reason="the capsule of a process is written for x86-64")


def dump(program, folder):
    """What gdb sees where the program calls stop(): values of registers and memory, and which
    variables it could print in each function."""
    path = folder / "state.json"
    script = folder / "dump.py"
    script.write_text(DUMP.format(names=[name for name, _ in X86_64], path=str(path)),
                      encoding="utf-8")
    outputs = run_gdb([f"file {program}", "break stop", "run", f"source {script}", "bt full"],
                      folder)
    registers, memory = json.loads(path.read_text())
    return registers, [(address, bytes.fromhex(contents)) for address, contents in memory], outputs[4]


def frames(text):
    """Functions of the printed frames, each with its variables: an argument that is too long for
    its line is printed below it."""
    found = []
    for line in text.split("\n"):
        head = re.match(r"(?:#\d+ +0x[0-9a-f]+| {20,})\s*(\w+) \((.*)\) at ", line)
        below = re.match(r" {8}(\w+) = (.*) \([^()]*(?:\(\))?[^()]*\)$", line)
        if head:
            pairs = re.findall(r'(\w+)=((?:"(?:[^"\\]|\\.)*"|[^,"])*)', head[2])
            found.append((head[1], dict(pairs)))
        elif below:
            found[-1][1][below[1]] = below[2]
    return found


def gdb_has(trace, function, name):
    """Whether gdb knows the value of a variable in the frame of a function, in `bt full`."""
    part = re.search(rf"^#\d+ .*\b{function} \((?:.|\n)*?(?=^#\d|\Z)", trace, re.M)
    value = part and re.search(rf"\b{name} ?= ?([^,\n)]*)", part[0])
    return bool(value) and "optimized out" not in value[1]


def agrees(name, value, wanted):
    if name not in PATTERNS:
        return value == wanted
    pattern = wanted if name != "copy" else re.sub(r"([{}()])", r"\\\1", wanted)
    return re.fullmatch(pattern, value) is not None


@pytest.mark.parametrize("optimized", ["-O0", "-O2"])
@pytest.mark.parametrize("version", ["-gdwarf-4", "-gdwarf-5"])
@pytest.mark.parametrize("compiler", ["gcc", "clang-14"])
def test_variables_have_their_values(compiler, version, optimized, folder):
    program = folder / "variables"
    subprocess.run([compiler, "-std=gnu17", "-g", version, optimized, "-no-pie",
                    "-fno-stack-protector", "-Wl,--build-id=none", SOURCE, "-o", program], check=True)
    registers, memory, trace = dump(program, folder)
    log = folder / "panic.log"
    log.write_text(x86_64_capsule(registers, memory), encoding="utf-8")
    result = subprocess.run([FATHOM, "decode", "--locals", "--color", "never", "--no-source",
                             "--no-disassembly", log, "-e", program],
                            capture_output=True, text=True, timeout=60, check=True)
    seen = frames(result.stdout[result.stdout.index('thread 1 "'):])
    print(result.stdout)
    assert [function for function, _ in seen][:5] == ["stop", "inlined", "leaf", "kinds", "main"]
    for function, wanted in (("kinds", KINDS), ("leaf", LEAF), ("inlined", INLINED)):
        variables = dict(seen)[function]
        for name, value in wanted.items():
            got = variables.get(name, "<missing>")
            if optimized == "-O2" and got.startswith("<") and not gdb_has(trace, function, name):
                continue
            if optimized == "-O2" and "was not kept" in got:
                continue  # in a register that a call may have used: gdb shows what is in it now
            assert agrees(name, got, value), (function, name, got)
