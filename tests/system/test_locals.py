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
import shutil
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
    return bool(value) and not re.search("optimized out|error reading", value[1])


def agrees(name, value, wanted):
    if name not in PATTERNS:
        return value == wanted
    value = value.replace("<twice(int)>", "<twice>")  # as it is in C++
    pattern = wanted if name != "copy" else re.sub(r"([{}()])", r"\\\1", wanted)
    return re.fullmatch(pattern, value) is not None


def build(compiler, flags, folder):
    """The program, compiled in `folder`, where its .dwo goes, too."""
    folder.mkdir(exist_ok=True)
    copy = folder / SOURCE.name
    shutil.copy(SOURCE, copy)
    language = ["-x", "c++"] if "++" in compiler else ["-std=gnu17"]
    subprocess.run([compiler, *language, "-g", *flags, "-no-pie", "-fno-stack-protector",
                    "-Wl,--build-id", copy.name, "-o", "variables"], cwd=folder, check=True,
                   timeout=60)
    return folder / "variables"


def show(log, program, *options):
    """What `fathom decode --locals` prints of the panicked thread."""
    result = subprocess.run([FATHOM, "decode", "--locals", "--color", "never", "--no-source",
                             "--no-disassembly", "--no-index", log, "-e", program, *options],
                            capture_output=True, text=True, timeout=60, check=True)
    shown = result.stdout[result.stdout.index('thread 1 "'):]
    print(shown)
    return shown


def check(text, trace, optimized):
    """All variables have their values; what is said to be gone is gone for gdb as well."""
    seen = frames(text)
    assert [function for function, _ in seen][:5] == ["stop", "inlined", "leaf", "kinds", "main"]
    for function, wanted in (("kinds", KINDS), ("leaf", LEAF), ("inlined", INLINED)):
        variables = dict(seen)[function]
        for name, value in wanted.items():
            got = variables.get(name, "<missing>")
            if optimized and got.startswith("<") and not gdb_has(trace, function, name):
                continue
            if optimized and "was not kept" in got:
                continue  # in a register that a call may have used: gdb shows what is in it now
            assert agrees(name, got, value), (function, name, got)


def dead_program(program, folder):
    """Its capsule's log, and gdb's trace."""
    registers, memory, trace = dump(program, folder)
    log = folder / "panic.log"
    log.write_text(x86_64_capsule(registers, memory), encoding="utf-8")
    return log, trace


@pytest.mark.parametrize("optimized", ["-O0", "-O2"])
@pytest.mark.parametrize("version", ["-gdwarf-2", "-gdwarf-4", "-gdwarf-5"])
@pytest.mark.parametrize("compiler", ["gcc", "clang-14"])
def test_variables_have_their_values(compiler, version, optimized, folder):
    program = build(compiler, [version, optimized], folder)
    log, trace = dead_program(program, folder)
    check(show(log, program), trace, optimized == "-O2")


def pack(program, version, compiler):
    """Puts the .dwo into a package and removes it. Of Debian 12's tools binutils' dwp knows no
    DWARF 5, and LLVM's does not end on lists of places by gcc: then False, and nothing is done."""
    if (version, compiler) == ("-gdwarf-5", "gcc"):
        return False
    tool = "llvm-dwp-14" if version == "-gdwarf-5" else "dwp"
    subprocess.run([tool, "-e", program, "-o", f"{program}.dwp"], cwd=program.parent, check=True,
                   timeout=30)
    for dwo in program.parent.glob("*.dwo"):
        dwo.unlink()
    return True


@pytest.mark.parametrize("types", [[], ["-fdebug-types-section"]], ids=["plain", "types"])
@pytest.mark.parametrize("version", ["-gdwarf-4", "-gdwarf-5"])
@pytest.mark.parametrize("compiler", ["gcc", "clang-14"])
def test_variables_of_split_units_have_their_values(compiler, version, types, folder):
    """In the .dwo, then in a package of it; and when both are gone, that is said by name. gdb looks
    at the same code without any of this: it cannot read all of gcc's .dwo files."""
    log, trace = dead_program(build(compiler, [version, "-O2"], folder / "plain"), folder)
    program = build(compiler, [version, "-O2", "-gsplit-dwarf", *types], folder)
    check(show(log, program), trace, True)
    dwo, = folder.glob("*.dwo")
    if pack(program, version, compiler):
        check(show(log, program), trace, True)
        pathlib.Path(f"{program}.dwp").unlink()
    else:
        dwo.unlink()
    text = show(log, program)
    assert text.count(f"variables are in {dwo.name}, which is not to be found") == 1
    assert re.search(r"^#0 .* stop", text, re.M), "the symbols are still there"


@pytest.mark.parametrize("version", ["-gdwarf-4", "-gdwarf-5"])
@pytest.mark.parametrize("compiler", ["gcc", "g++", "clang++-14"])
def test_structures_whose_types_are_units_of_their_own(compiler, version, folder):
    program = build(compiler, [version, "-O2", "-fdebug-types-section"], folder)
    table = subprocess.run(["readelf", "--debug-dump=info", program], capture_output=True,
                           text=True, check=True).stdout
    assert re.search(r"Signature:|signature:", table), "the compiler made units of types"
    log, trace = dead_program(program, folder)
    check(show(log, program), trace, True)


@pytest.mark.parametrize("by", ["build-id", "debuglink"])
def test_debug_information_that_is_kept_apart(by, folder):
    """In a folder by build-id, or beside the program by name: then CFI is in the program and types
    are not."""
    program = build("gcc", ["-O2"], folder)
    log, trace = dead_program(program, folder)
    whole = folder / "whole.debug"
    subprocess.run(["objcopy", "--only-keep-debug", program, whole], check=True)
    link = ["--add-gnu-debuglink=whole.debug"] if by == "debuglink" else []
    subprocess.run(["objcopy", "--strip-all", *link, program], cwd=folder, check=True)
    if by == "debuglink":
        check(show(log, program), trace, True)
        return
    notes = subprocess.run(["readelf", "-n", program], capture_output=True, text=True, check=True)
    ident = re.search(r"Build ID: (\w+)", notes.stdout)[1]
    place = folder / "debug" / ".build-id" / ident[:2] / f"{ident[2:]}.debug"
    place.parent.mkdir(parents=True)
    whole.rename(place)
    check(show(log, program, "--debug", str(folder / "debug")), trace, True)
