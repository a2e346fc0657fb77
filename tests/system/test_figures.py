# SPDX-License-Identifier: MIT
"""What commands cost on the line, in gdb's requests and bytes both ways: no clocks. The commands are
those of `make bench`, given once as at gdb's prompt; a limit is what must not be passed again."""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))
from bench import Session  # noqa: E402

# On AArch64 gdb also reads the instruction at each pc, twice for a stepi.
# What a backtrace reads varies a little with what the interrupt found.
LIMITS = {
    "stepi x10": {"x86_64": (30, 3000), "aarch64": (52, 4200), "riscv64": (30, 3000)},
    "next x10": {"x86_64": (100, 7000), "aarch64": (100, 7000), "riscv64": (100, 7000)},
    "bt": {"x86_64": (14, 1500), "aarch64": (14, 1500), "riscv64": (12, 1200)},
}


def test_steps_and_backtraces_are_cheap(machine, arch):
    measured = Session(machine, machine.port, counted=True, part="once")
    for name, limits in LIMITS.items():
        packets, size = measured.cost(name)
        assert packets <= limits[arch][0], name
        assert size <= limits[arch][1], name


def stop_in_spawn(machine, gdb, line):
    """Runs to spawn_run() in the shell's thread."""
    gdb.command("tbreak spawn_run")
    machine.type(line + "\n")
    assert gdb.resume("continue").function == "spawn_run"


def test_thirty_threads_are_told_at_once(machine, gdb):
    machine.wait_for
    stop_in_spawn(machine, gdb, "spawn 23")
    gdb.resume("finish")
    gdb.proxy.take_counts()
    text = gdb.command("fathom threads")
    packets, size = gdb.proxy.take_counts()
    assert packets <= 4
    assert size <= 8000
    assert len(re.findall(r"^[* ] \d+ +spawned +0x", text, re.MULTILINE)) == 23
    assert re.search(r"^\* \d+ +shell +0x[0-9a-f]{16} in command_execute", text, re.MULTILINE)
    assert re.search(r"reaper +0x[0-9a-f]{16} in switch_away .* at kernel/sched/sched\.c:\d+\n"
                     r" +blocked, last on CPU \d", text)


def test_what_saves_bytes_hides_nothing(machine, gdb):
    """gdb may look into the file for what it does not show; what it shows is the machine's."""
    stop_in_spawn(machine, gdb, "spawn 0")
    gdb.command("set var *(unsigned char *)&spawn_run = 0x5a")
    gdb.resume("stepi")
    assert gdb.evaluate("*(unsigned char *)&spawn_run") == 0x5a
    gdb.command('set var *(char *)command_spawn.usage = 66')
    assert "Bpawn COUNT" in gdb.command("print command_spawn.usage")
    gdb.command("bt")
    assert "Bpawn COUNT" in gdb.command("print command_spawn.usage")
    assert "is off" in gdb.command("show trust-readonly-sections")
