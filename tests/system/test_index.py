# SPDX-License-Identifier: MIT
"""`fathom index` leaves a whole index or none, whatever happens to it, and an index that is not what
it should be is refused with its name."""
import json
import os
import signal
import struct
import subprocess
from pathlib import Path

import pytest

from harness.machine import BUILD

FATHOM = str(Path(BUILD) / "fathom")
# symbolizer/index_format.h: the header's version stands behind eight bytes of magic.
VERSION_AT = 8


@pytest.fixture(autouse=True)
def cache(folder, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.delenv("DEBUGINFOD_URLS", raising=False)
    return folder / "cache"


@pytest.fixture
def program(folder):
    return build(folder, "int table[4];\nint main(void)\n{\n    return table[1];\n}\n")


def build(folder, text, name="prog"):
    (folder / f"{name}.c").write_text(text)
    subprocess.run(["gcc", "-g", "-O1", folder / f"{name}.c", "-o", folder / name], check=True)
    return folder / name


def fathom(*words):
    return subprocess.run([FATHOM, *map(str, words)], capture_output=True, text=True, timeout=60)


def made(cache):
    return [path for path in cache.rglob("*") if path.is_file()]


def test_the_same_index_is_built_by_many_at_once(cache, program):
    children = [subprocess.Popen([FATHOM, "index", "--force", program], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True) for _ in range(6)]
    said = [child.communicate(timeout=60) for child in children]
    assert {child.returncode for child in children} == {0}
    assert len(set(said)) == 1 and not said[0][1], "no progress where nobody looks"
    assert made(cache) == [Path(said[0][0].strip())]
    assert fathom("index", "--check", program).returncode == 0


def test_killed_at_any_time_it_leaves_what_was_there_or_all_of_it(cache):
    elf = Path(BUILD) / "x86_64" / "kernel.elf"
    path = Path(fathom("index", elf).stdout.strip())
    whole = path.read_bytes()
    killed = 0
    for milliseconds in range(0, 60, 3):
        child = subprocess.Popen([FATHOM, "index", "--force", elf], stdout=subprocess.DEVNULL)
        try:
            child.wait(milliseconds / 1000)
        except subprocess.TimeoutExpired:
            os.kill(child.pid, signal.SIGKILL)
            killed += child.wait() == -signal.SIGKILL
        assert path.read_bytes() == whole
    assert killed, "none was still at work"
    # A temporary file may be left behind, and nothing takes it for an index.
    assert fathom("index", "--check", elf).stdout.split() == [str(path)]


@pytest.mark.parametrize("form", ["flat", "packed"])
def test_a_flipped_byte_anywhere_is_found_by_check(form, folder, program):
    index = folder / "index"
    fathom("index", *(["--pack"] if form == "packed" else []), "-o", index, program)
    whole = index.read_bytes()
    passed = set()
    for at in range(0, len(whole), 5):
        index.write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1:])
        checked = fathom("index", "--check", index)
        if checked.returncode == 0:
            passed.add(at)
        else:
            assert str(index) in checked.stderr and checked.stderr.count("\n") == 1
        if at % 7 == 0:  # and those who use it unchecked get an answer or an error
            used = fathom("addr2line", "-fie", program, "--index-file", index, "main", "1150")
            assert used.returncode in (0, 1), used.stderr
    # What fills up the parts to whole words means nothing.
    assert len(passed) < 10


@pytest.mark.parametrize("form", ["flat", "packed"])
def test_an_index_of_the_future_is_refused_by_its_version(form, folder, program):
    index = folder / "index"
    fathom("index", *(["--pack"] if form == "packed" else []), "-o", index, program)
    bytes_ = bytearray(index.read_bytes())
    struct.pack_into("<I", bytes_, VERSION_AT, 77)
    index.write_bytes(bytes_)
    for words in (["index", "--check", index], ["addr2line", "-e", index, "main"]):
        refused = fathom(*words)
        assert refused.returncode == 1
        assert f"{index}: " in refused.stderr and "version 77" in refused.stderr


def test_an_index_of_another_build_is_refused_by_name(folder, program):
    index = folder / "index"
    fathom("index", "-o", index, program)
    other = build(folder, "int main(void)\n{\n    return 3;\n}\n", "other")
    refused = fathom("addr2line", "-e", other, "--index-file", index, "main")
    assert refused.returncode == 1
    assert str(index) in refused.stderr and str(other) in refused.stderr


def test_several_files_make_several_indexes(cache, folder, program):
    other = build(folder, "int main(void)\n{\n    return 3;\n}\n", "other")
    printed = fathom("index", program, other).stdout.split()
    assert sorted(map(Path, printed)) == sorted(made(cache))
    assert fathom("index", "-o", folder / "index", program, other).returncode == 2


def test_where_nothing_can_be_written_it_says_so_and_questions_are_answered(program, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(program))  # a file
    refused = fathom("index", program)
    assert refused.returncode == 1 and str(program) in refused.stderr
    assert fathom("addr2line", "-fe", program, "main").stdout.startswith("main\n")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME")
    refused = fathom("index", program)
    assert refused.returncode == 1 and "XDG_CACHE_HOME" in refused.stderr


def test_a_device_is_not_replaced(program):
    before = os.stat("/dev/null").st_rdev
    refused = fathom("index", "-o", "/dev/null", program)
    assert os.stat("/dev/null").st_rdev == before
    assert refused.returncode == 2 and "/dev/null" in refused.stderr


def test_names_that_are_no_utf8_are_told_in_json(folder):
    source = os.fsencode(folder) + b"/b\xe4d\"\x01.c"
    with open(source, "w") as file:
        file.write("int main(void)\n{\n    return 3;\n}\n")
    subprocess.run(["gcc", "-g", source, "-o", folder / "prog"], check=True)
    told = subprocess.run([FATHOM, "addr2line", "--json", "-e", folder / "prog", "main"],
                          capture_output=True, check=True)
    frame = json.loads(told.stdout.decode())["frames"][0]
    assert frame["file"].endswith("/b\ufffdd\"\x01.c")
