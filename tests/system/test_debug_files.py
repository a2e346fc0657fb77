# SPDX-License-Identifier: MIT
"""Debug information of a loadable module in a file of its own. The sections of a relocatable file all
begin at 0 and its debug information is relocated when it is read, here by tables that stand in
another file than the code: what is answered must be what the whole module answers.
"""
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.machine import FATHOM

SOURCES = Path(__file__).parent / "symbolizer"


def run(*words, cwd):
    return subprocess.run([str(word) for word in words], cwd=cwd, capture_output=True, text=True,
                          timeout=60, check=True).stdout


@pytest.fixture(name="module")
def make_module(folder):
    """whole.ko, and the same as box.ko with box.ko.debug."""
    objects = []
    for source in ("prog.c", "second.c"):
        objects.append(source.replace(".c", ".o"))
        run("gcc", "-O2", "-g", "-ffreestanding", "-fno-stack-protector", "-ffunction-sections", "-c",
            SOURCES / source, "-o", objects[-1], cwd=folder)
    run("ld", "-r", "--build-id", *objects, "-o", "whole.ko", cwd=folder)
    run("objcopy", "--only-keep-debug", "whole.ko", "box.ko.debug", cwd=folder)
    run("objcopy", "--strip-debug", "--add-gnu-debuglink=box.ko.debug", "whole.ko", "box.ko",
        cwd=folder)
    return folder / "box.ko"


def answers(module, folder, *options):
    """Functions, inlined calls, files and lines at every address of each section of code."""
    table = run("readelf", "-SW", folder / "whole.ko", cwd=folder)
    sections = re.findall(r"\] (\.text\S*) +\w+ +0+ \w+ (\w+)", table)
    told = {}
    for section, size in sections:
        addresses = [hex(address) for address in range(int(size, 16))]
        if addresses:
            told[section] = run(FATHOM, "addr2line", "-afi", "--index", "never", "-j", section,
                                "-e", module, *options, *addresses, cwd=folder)
    return told


def test_a_module_whose_debug_information_lies_beside_it(module, folder):
    whole = answers(folder / "whole.ko", folder)
    assert "prog.c:" in "".join(whole.values()) and len(whole) > 3
    assert answers(module, folder) == whole
    (folder / "box.ko.debug").unlink()
    assert "prog.c:" not in "".join(answers(module, folder).values())


def test_a_module_whose_debug_information_is_found_by_build_id(module, folder):
    whole = answers(folder / "whole.ko", folder)
    ident = re.search(r"Build ID: (\w+)", run("readelf", "-n", module, cwd=folder))[1]
    place = folder / "debug" / ".build-id" / ident[:2] / f"{ident[2:]}.debug"
    place.parent.mkdir(parents=True)
    shutil.move(folder / "box.ko.debug", place)
    assert answers(module, folder, "--debug-dir", folder / "debug") == whole
