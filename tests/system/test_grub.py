# SPDX-License-Identifier: MIT
"""The other way in on x86-64: GRUB loads the kernel from a disc by its multiboot2 header, instead of
QEMU's -kernel by its PVH note. Memory map, ACPI tables and command line come from GRUB then."""
import os
import pathlib
import shutil
import subprocess

import pytest

from conftest import ARCHES
from harness.machine import BUILD
from harness.stream import Stream

pytestmark = pytest.mark.skipif("x86_64" not in ARCHES, reason="GRUB is for x86-64")
KERNEL = pathlib.Path(BUILD) / "x86_64" / "kernel.elf"
CONFIG = """\
set timeout=0
serial --unit=0 --speed=115200
terminal_output serial
menuentry fathom {{
    multiboot2 /boot/kernel.elf {append}
}}
"""


class FromDisc:
    """A machine that starts from a disc with GRUB and the kernel; `type` reaches its shell."""

    def __init__(self, folder, append):
        tree = folder / "disc" / "boot"
        (tree / "grub").mkdir(parents=True)
        shutil.copy(KERNEL, tree / "kernel.elf")
        (tree / "grub" / "grub.cfg").write_text(CONFIG.format(append=append), encoding="utf-8")
        disc = folder / "disc.iso"
        subprocess.run(["grub-mkrescue", "-o", disc, folder / "disc"],
                       check=True, capture_output=True, timeout=60)
        words = ["qemu-system-x86_64", "-M", "q35", "-cpu", "max", "-accel", "tcg", "-m", "512",
                 "-smp", "4", "-cdrom", str(disc), "-nographic", "-no-reboot"]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.console = Stream(self.process.stdout.fileno(), os.path.join(folder, "console.log"),
                              "console of GRUB's machine")

    def type(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.console.join()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def from_disc(folder):
    machines = []

    def start_one(append):
        machines.append(FromDisc(folder, append))
        return machines[-1]

    yield start_one
    for machine in machines:
        machine.close()


def test_grub_starts_the_kernel(from_disc):
    machine = from_disc("loglevel=debug")
    machine.console.wait_for(r"4 CPUs, ready")
    machine.console.wait_for(r"fathom> $")
    machine.type("mem\n")
    machine.console.wait_for(r"free")
    machine.type("cpu\n")
    machine.console.wait_for(r"fathom> $")


def test_the_self_tests_pass_under_grub(from_disc):
    machine = from_disc("test")
    machine.console.wait_for(r"^# (\d+) passed, 0 failed", timeout=90)
    assert "not ok" not in machine.console.text
