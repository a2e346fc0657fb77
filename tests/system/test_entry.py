# SPDX-License-Identifier: MIT
"""The ways into the debugger, and the locks on them: kdebug=wait, a BREAK, a panic, uart1 alone;
and without kdebug on the command line no way at all."""
import random
import re

import pytest

PACKET = b"$?#3f"


def test_without_kdebug_nothing_on_the_line_enters(start):
    machine = start(gdb=False).boot()
    machine.type(b"+" + PACKET + b"\x03$vCont;c#a8$g#67\x03" + b"\n")
    machine.wait_for(r"^fathom> ") # it was a line like another
    noise = bytes(b for b in random.Random(1).randbytes(4096) if b not in (0x04, 0x0a, 0x0d))
    machine.type(noise + b"\n")
    machine.type("\n")
    assert "ticker" in machine.command("ps")


def test_without_kdebug_a_break_does_not_enter(start):
    machine = start(gdb=False).boot()
    machine.qmp("chardev-send-break", id="uart0")
    assert "ticker" in machine.command("ps")


def test_noise_does_not_enter(machine):
    noise = random.Random(2).randbytes(4000)
    machine.type(noise.replace(b"\n", b"").replace(b"\r", b"") + b"\n\n")
    machine.type("\n")
    assert "ticker" in machine.command("ps")


def test_a_packet_with_a_wrong_checksum_does_not_enter(machine):
    machine.type(b"$?#00\n")
    machine.wait_for(r"\$\?#00")
    assert "ticker" in machine.command("ps")


def test_wait_stops_inside_kernel_main(start, debug):
    machine = start(wait=True)
    machine.wait_for("gdb may attach")
    gdb = debug(machine)
    assert "kernel_main" in gdb.command("bt")
    assert "ready" not in machine.console.text
    gdb.command("tbreak ticker_step")
    assert gdb.resume("continue").function == "ticker_step"
    gdb.command("detach")
    machine.command("ps")


def test_a_break_on_the_line_stops_the_machine(machine, debug):
    machine.qmp("chardev-send-break", id="uart0")
    gdb = debug(machine)
    assert "ticker" in gdb.command("monitor ps")
    gdb.command("detach")
    machine.command("ps")


def test_a_line_of_its_own(start, debug):
    machine = start(line="uart1").boot()
    gdb = debug(machine)
    gdb.command("tbreak ticker_step")
    assert gdb.resume("continue").function == "ticker_step"
    gdb.go()
    # The console is free, and a packet on it is only text.
    assert "ticker" in machine.command("ps")
    machine.type(b"$?#3f\n")
    assert "ticker" in machine.command("ps")
    gdb.interrupt()
    gdb.command("detach")


PANICS = {
    "null": "fault|null|abort",
    "jump": "fault|fetch|abort|protection",
    "assert": "assertion failed",
    "stack": "stack",
    "divide": "divi|undefined",
    "doublelock": "lock",
    "lockorder": "lock|order|rank",
    "interrupt": "fault|null|abort",
}


@pytest.mark.parametrize("kind", sorted(PANICS))
def test_a_crash_is_reported(start, arch, kind):
    machine = start(gdb=False, append="panic=poweroff").boot()
    machine.type(f"crash {kind}\n")
    reason = machine.wait_for(r"^PANIC: (.*)\n")[1]
    assert re.search(PANICS[kind], reason, re.IGNORECASE), reason
    assert machine.exit_status() == 134
    machine.console.join()
    report = machine.console.text[machine.console.text.index("PANIC: "):]
    assert re.search(r"CPU\s*\d", report, re.IGNORECASE)
    assert '"crash"' in report or "crash" in report
    assert re.search(r"[a-z_]+\+0x[0-9a-f]+", report)
    if kind in ("null", "assert", "doublelock"):
        assert f"crash_{ {'doublelock': 'double_lock'}.get(kind, kind)}+" in report


def test_use_after_free_is_found(start):
    machine = start(gdb=False, append="panic=poweroff").boot()
    machine.type("crash uaf\n")
    machine.wait_for(r"^PANIC: .*\n")
    assert machine.exit_status() == 134


def test_gdb_looks_at_a_panicked_machine(machine, debug):
    machine.type("crash null\n")
    machine.wait_for(r"^PANIC: .*\n")
    gdb = debug(machine)
    assert "crash_null" in gdb.command("bt")
    assert "ticker" in gdb.command("monitor ps")
    assert '"crash"' in gdb.command("info threads")


def test_a_panic_while_gdb_is_attached_is_a_stop(machine, debug):
    machine.type("crash assert\n")
    machine.wait_for(r"^PANIC: .*\n")
    first = debug(machine)
    first.kill()
    second = debug(machine) # and the second one finds it as well
    assert "crash_assert" in second.command("bt")


@pytest.mark.parametrize("action", ["halt", "reboot", "poweroff"])
def test_a_panic_does_what_the_command_line_says(start, action):
    machine = start(gdb=False, append=f"panic={action}").boot()
    machine.type("crash assert\n")
    machine.wait_for(r"^PANIC: .*\n")
    if action == "halt":
        # Nothing more can be asked of it; it is there until it is switched off.
        machine.qmp("quit")
    assert machine.exit_status() == 134
