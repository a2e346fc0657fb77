# SPDX-License-Identifier: MIT
"""The symbolizer against independent witnesses, on small programs in every form debug information
comes in: DWARF 2 to 5, 32- and 64-bit, split, compressed, with type units, linked and not, both
byte orders.

Every address of every function is asked of `fathom addr2line` without an index, of GNU addr2line and
of eu-addr2line, and the whole answer (function, file and line of each inlined frame) must be the one
the witnesses give. Where they differ from each other one of them must agree.
"""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.machine import BUILD

SOURCES = Path(__file__).parent / "symbolizer"
FATHOM = Path(BUILD) / "fathom"
# What eu-addr2line adds to each line: a column, and a note beside an inlined function's name.
COLUMN = re.compile(r"(:\d+):\d+$")
INLINED_AT = re.compile(r" inlined at .*$")
DISCRIMINATOR = re.compile(r" \(discriminator \d+\)$")
LINK = "-nostartfiles -nostdlib -static -no-pie -Wl,-e,main".split()
C_FILES = ["prog.c", "second.c"]
PLAIN = "-O2 -g -ffreestanding -fno-stack-protector -fcf-protection=none".split()


def run(*words, cwd=None, stdin=None):
    result = subprocess.run([str(word) for word in words], cwd=cwd, input=stdin, text=True,
                            capture_output=True, timeout=60)
    assert result.returncode == 0, f"{words}: {result.stderr}"
    return result.stdout


def copy_sources(folder):
    for source in SOURCES.iterdir():
        shutil.copy(source, folder)


def build(folder, compiler, flags, sources=C_FILES):
    """Compiles in `folder`, from copies of the sources, so that comp_dir is there too."""
    copy_sources(folder)
    objects = []
    for source in sources:
        objects.append(source.replace(".", "_") + ".o")
        run(compiler, *PLAIN, *flags, "-c", source, "-o", objects[-1], cwd=folder)
    run(compiler, *LINK, *flags, *objects, "-o", "prog", cwd=folder)
    return folder / "prog"


def functions(elf):
    """(name, address, size, section) of each function; an object file's addresses are offsets."""
    found = []
    table = run("readelf", "-sW", elf)
    sections = {match[1]: match[2] for match in
                re.finditer(r"^\s*\[\s*(\d+)\] (\S+)", run("readelf", "-SW", elf), re.M)}
    for line in table.splitlines():
        words = re.sub(r"\[<localentry>.*?\]", "", line).split()
        if len(words) >= 8 and words[3] == "FUNC" and words[6].isdigit() and int(words[2], 0):
            found.append((words[7], int(words[1], 16), int(words[2], 0), sections.get(words[6])))
    assert found
    return found


def answers(text):
    """{address: [(function, file:line), ...]} from the output of addr2line -afi."""
    found, frames = {}, None
    for line in text.splitlines():
        if re.fullmatch(r"0x[0-9a-f]+", line):
            frames = found[int(line, 16)] = []
        else:
            frames.append(line)
    clean = {}
    for address, lines in found.items():
        names = [INLINED_AT.sub("", name) for name in lines[0::2]]
        places = [COLUMN.sub(r"\1", DISCRIMINATOR.sub("", place)) for place in lines[1::2]]
        clean[address] = [(name, "??" if place.endswith((":?", ":0")) else place)
                          for name, place in zip(names, places)]
    return clean


def ask(command, elf, addresses, section=None):
    where = ["-j", section] if section else []
    asked = "".join(f"{address:#x}\n" for address in addresses)
    result = subprocess.run([*command, *where, "-afi", "-e", str(elf)], input=asked, text=True,
                            capture_output=True, timeout=60)
    return answers(result.stdout) if result.returncode == 0 else {}


OURS = [str(FATHOM), "addr2line", "--index", "never"]


def compare(elf, witnesses, section=None, least=40):
    """Returns how many addresses were compared."""
    addresses = sorted({start + i for _, start, size, where in functions(elf)
                        for i in range(size) if section in (None, where)})
    ours = ask(OURS, elf, addresses, section)
    theirs = [ask(witness, elf, addresses, section) for witness in witnesses]
    assert any(theirs)
    wrong = []
    for address in addresses:
        mine = ours.get(address)
        others = [witness.get(address) for witness in theirs]
        if mine not in others:
            wrong.append(f"{address:#x}:\n  ours   {mine}\n" +
                         "\n".join(f"  theirs {other}" for other in others))
    assert not wrong, f"{len(wrong)} of {len(addresses)} differ\n" + "\n".join(wrong[:4])
    assert len(addresses) >= least
    inlined = sum(len(frames) > 1 for frames in ours.values())
    assert inlined > 0, "nothing was inlined: the program tests nothing"
    return len(addresses)


GNU, EU, LLVM = ["addr2line"], ["eu-addr2line"], ["llvm-addr2line-14"]

LINKED = {
    "gcc-dwarf5": ("gcc", ["-gdwarf-5"]),
    "gcc-dwarf4": ("gcc", ["-gdwarf-4"]),
    "gcc-dwarf3": ("gcc", ["-gdwarf-3", "-gstrict-dwarf"]),
    "gcc-dwarf2": ("gcc", ["-gdwarf-2"]),
    "gcc-64bit": ("gcc", ["-gdwarf-5", "-gdwarf64"]),
    "gcc-64bit-dwarf4": ("gcc", ["-gdwarf-4", "-gdwarf64"]),
    "gcc-sections": ("gcc", ["-gdwarf-5", "-ffunction-sections", "-Wl,--gc-sections"]),
    "gcc-sections-dwarf4": ("gcc", ["-gdwarf-4", "-ffunction-sections", "-Wl,--gc-sections"]),
    "gcc-lto": ("gcc", ["-gdwarf-5", "-flto"]),
    "gcc-type-units": ("gcc", ["-gdwarf-4", "-fdebug-types-section"]),
    "gcc-type-units-dwarf5": ("gcc", ["-gdwarf-5", "-fdebug-types-section"]),
    "gcc-assembler-lines": ("gcc", ["-gdwarf-5", "-gno-as-loc-support"]),
    "clang-dwarf5": ("clang-14", ["-gdwarf-5"]),
    "clang-dwarf4": ("clang-14", ["-gdwarf-4"]),
    "clang-dwarf3": ("clang-14", ["-gdwarf-3"]),
    "clang-64bit": ("clang-14", ["-gdwarf-5", "-gdwarf64"]),
    "clang-aranges": ("clang-14", ["-gdwarf-5", "-gdwarf-aranges"]),
    "clang-sections": ("clang-14", ["-gdwarf-5", "-ffunction-sections", "-Wl,--gc-sections"]),
}


@pytest.mark.parametrize("form", LINKED)
def test_a_linked_program_is_understood(form, folder):
    compiler, flags = LINKED[form]
    compare(build(folder, compiler, flags), [GNU, EU, LLVM])


@pytest.mark.parametrize("form", ["gcc-dwarf5", "gcc-type-units", "gcc-type-units-dwarf5",
                                  "clang-dwarf5", "clang-dwarf4"])
def test_cxx_with_classes_templates_and_local_functions(form, folder):
    compiler, flags = LINKED[form]
    flags = [*flags, "-fno-exceptions", "-fno-rtti"]
    # The vtables of classes with pure functions name what only a C++ library has.
    elf = build(folder, compiler, [*flags, "-Wl,--unresolved-symbols=ignore-all"], ["prog.cc"])
    compare(elf, [GNU, EU, LLVM])


@pytest.mark.parametrize("method", ["zlib", "zlib-gnu", "zstd"])
def test_compressed_sections(method, folder):
    elf = build(folder, "gcc", ["-gdwarf-5"])
    packed = folder / "packed"
    run("objcopy", f"--compress-debug-sections={method}", elf, packed)
    assert ".zdebug" in run("readelf", "-SW", packed) or "C" in run("readelf", "-SW", packed)
    addresses = [start for _, start, _, _ in functions(elf)]
    assert ask(OURS, packed, addresses) == ask(OURS, elf, addresses)
    assert any(len(frames) > 1 for frames in ask(OURS, packed, range(
        min(addresses), min(addresses) + 200)).values())


SPLIT = {"gcc-dwarf5": ("gcc", ["-gdwarf-5"]), "gcc-dwarf4": ("gcc", ["-gdwarf-4"]),
         "clang-dwarf5": ("clang-14", ["-gdwarf-5"]), "clang-dwarf4": ("clang-14", ["-gdwarf-4"])}


def split_and_whole(folder, form):
    """A program with its .dwo files, and one of the same code without."""
    compiler, flags = SPLIT[form]
    whole = folder / "whole"
    whole.mkdir()
    split = build(folder, compiler, [*flags, "-gsplit-dwarf"])
    plain = build(whole, compiler, flags)
    addresses = [start + i for _, start, size, _ in functions(plain) for i in range(size)]
    return split, ask(OURS, plain, addresses), addresses


def without_folders(found):
    return {address: [(name, place.rsplit("/", 1)[-1]) for name, place in frames]
            for address, frames in found.items()}


@pytest.mark.parametrize("form", SPLIT)
def test_split_units_beside_the_program(form, folder):
    split, expected, addresses = split_and_whole(folder, form)
    assert list(folder.glob("*.dwo"))
    assert without_folders(ask(OURS, split, addresses)) == without_folders(expected)


@pytest.mark.parametrize("form", SPLIT)
def test_split_units_moved_with_the_program(form, folder):
    split, expected, addresses = split_and_whole(folder, form)
    moved = folder / "moved"
    moved.mkdir()
    for file in [split, *folder.glob("*.dwo")]:
        shutil.move(file, moved)
    found = ask(OURS, moved / split.name, addresses)
    assert without_folders(found) == without_folders(expected)


@pytest.mark.parametrize("form", ["gcc-dwarf4", "gcc-dwarf5"])
def test_split_units_in_a_package(form, folder):
    split, expected, addresses = split_and_whole(folder, form)
    run("llvm-dwp-14", "-e", split, "-o", f"{split}.dwp", cwd=folder)
    for file in folder.glob("*.dwo"):
        file.unlink()
    assert without_folders(ask(OURS, split, addresses)) == without_folders(expected)


def test_split_units_that_are_lost_leave_the_lines(folder):
    split, expected, addresses = split_and_whole(folder, "gcc-dwarf5")
    for file in folder.glob("*.dwo"):
        file.unlink()
    found = ask(OURS, split, addresses)
    assert [frames[0][1].rsplit("/", 1)[-1] for frames in found.values()] == \
           [frames[0][1].rsplit("/", 1)[-1] for frames in expected.values()]


def test_split_units_of_another_compilation_are_not_believed(folder):
    split, _, addresses = split_and_whole(folder, "gcc-dwarf5")
    before = ask(OURS, split, addresses)
    prog = folder / "prog.c"
    prog.write_text(prog.read_text().replace("cold_path", "other_name"))
    run("gcc", *PLAIN, "-gdwarf-5", "-gsplit-dwarf", "-c", "prog.c", "-o", "prog_c.o", cwd=folder)
    found = ask(OURS, split, addresses)
    assert found != before
    assert "other_name" not in str(found)


@pytest.mark.parametrize("version", [4, 5])
def test_entries_that_dwz_moved_to_a_common_file(version, folder):
    elf = build(folder, "gcc", [f"-gdwarf-{version}"])
    addresses = [start + i for _, start, size, _ in functions(elf) for i in range(size)]
    before = ask(OURS, elf, addresses)
    shutil.copy(elf, folder / "other")
    run("dwz", "-m", "common.debug", "-r", "prog", "other", cwd=folder)
    assert ".gnu_debugaltlink" in run("readelf", "-SW", elf)
    assert ask(OURS, elf, addresses) == before


OBJECTS = {
    "x86_64": ("gcc", []),
    "aarch64": ("aarch64-linux-gnu-gcc", []),
    "riscv64": ("riscv64-linux-gnu-gcc", []),
    "riscv64-relax-dwarf4": ("riscv64-linux-gnu-gcc", ["-gdwarf-4"]),
    "clang-x86_64": ("clang-14", ["-gdwarf-4"]),  # GNU addr2line misreads clang's DWARF 5
    "i386": ("clang-14", ["--target=i386-linux-gnu"]),
    "arm": ("clang-14", ["--target=arm-linux-gnueabi"]),
    "powerpc64-big-endian": ("clang-14", ["--target=powerpc64-linux-gnu", "-mabi=elfv2"]),
    "powerpc-big-endian-32": ("clang-14", ["--target=powerpc-linux-gnu", "-gdwarf-4"]),
    "s390x-big-endian": ("clang-14", ["--target=s390x-linux-gnu"]),
}


@pytest.mark.parametrize("machine", OBJECTS)
@pytest.mark.parametrize("section", [".text", ".text.other"])
def test_an_object_file_is_relocated_and_asked_by_section(machine, section, folder):
    compiler, flags = OBJECTS[machine]
    if compiler == "clang-14" and "--target" in str(flags):
        flags = [*flags, "-Wno-unused-command-line-argument"]
    copy_sources(folder)
    plain = PLAIN if "86" in machine else PLAIN[:-1]  # -fcf-protection is x86's alone
    run(compiler, *plain, *flags, "-c", "prog.c", "-o", "prog.o", cwd=folder)
    elf = folder / "prog.o"
    inside = [(name, start, size) for name, start, size, where in functions(elf)
              if where == section]
    expected = {name for name, _, _ in inside}
    addresses = [start + i for _, start, size in inside for i in range(size)]
    ours = ask(OURS, elf, addresses, section)
    assert ours
    named = {frames[-1][0] for frames in ours.values()}
    assert named == expected
    files = {place.split("/")[-1].split(":")[0] for frames in ours.values() for _, place in frames}
    files -= {"??"}  # of no line: what the compiler put in between
    assert files == ({"prog.c"} if section == ".text.other" else {"prog.c", "helper.h"})
    tool = {"aarch64": "aarch64-linux-gnu-", "riscv64": "riscv64-linux-gnu-",
            "riscv64-relax-dwarf4": "riscv64-linux-gnu-", "x86_64": "",
            "clang-x86_64": ""}.get(machine)
    if tool is not None:
        theirs = ask([f"{tool}addr2line"], elf, ours, section)
        wrong = {hex(a): (ours[a], theirs[a]) for a in ours if ours[a] != theirs[a]}
        assert not wrong


@pytest.mark.parametrize("machine", os.environ.get("FATHOM_ARCHES", "x86_64 aarch64 riscv64").split())
def test_our_own_kernel(machine):
    elf = Path(BUILD) / machine / "kernel.elf"
    every = [(start, size) for _, start, size, _ in functions(elf)]
    # The first, the last and a middle address of each function: enough to meet every unit.
    addresses = sorted({start + at for start, size in every for at in (0, size // 2, size - 1)})
    native = "" if machine == os.uname().machine else f"{machine}-linux-gnu-"
    ours = ask(OURS, elf, addresses)
    theirs = [ask([f"{native}addr2line"], elf, addresses), ask(LLVM, elf, addresses)]
    wrong = [hex(a) for a in addresses
             if tidied(ours[a]) not in [tidied(witness.get(a)) for witness in theirs]]
    assert not wrong, f"{len(wrong)} of {len(addresses)}, the first at {wrong[:5]}"
    assert len(addresses) > 2000


def tidied(frames):
    """Witnesses differ in whether a path keeps its "." and ".."."""
    return [(name, os.path.normpath(place)) for name, place in frames or []]


DAMAGE = {  # where a byte is changed, counted from the section's start, and what it becomes
    "unit length": (".debug_info", 0, b"\xf0\xff\xff\x7f"),
    "version of DWARF": (".debug_info", 4, b"\x63\x00"),
    "abbreviation table": (".debug_info", 8, b"\xff\xff\xff\x00"),
    "line table length": (".debug_line", 0, b"\xf0\xff\xff\x7f"),
    "line range": (".debug_line", 16, b"\x00"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_an_error_that_names_file_section_and_offset(what, folder):
    section, at, change = DAMAGE[what]
    elf = build(folder, "gcc", ["-gdwarf-5"])
    table = run("readelf", "-SW", elf)
    offset = int(re.search(rf" {re.escape(section)}\s+PROGBITS\s+\S+ (\S+)", table)[1], 16)
    content = bytearray(elf.read_bytes())
    content[offset + at:offset + at + len(change)] = change
    elf.write_bytes(content)
    start = functions(elf)[0][1]
    result = subprocess.run([*OURS, "-afi", "-e", str(elf), hex(start)], text=True,
                            capture_output=True, timeout=10)
    assert result.returncode == 1
    named = section if what != "abbreviation table" else ".debug_abbrev"
    assert re.search(rf"{re.escape(str(elf))}: {re.escape(named)}: offset 0x[0-9a-f]+: ",
                     result.stderr), result.stderr


@pytest.mark.parametrize("kept", range(0, 100, 7))
def test_a_file_cut_short_anywhere_is_answered_or_refused(kept, folder):
    elf = build(folder, "gcc", ["-gdwarf-5"])
    start = functions(elf)[0][1]
    content = elf.read_bytes()
    elf.write_bytes(content[:len(content) * kept // 100])
    result = subprocess.run([*OURS, "-afi", "-e", str(elf), hex(start)], text=True,
                            capture_output=True, timeout=10)
    assert result.returncode in (0, 1)
    assert result.returncode == 0 or str(elf) in result.stderr
