# SPDX-License-Identifier: MIT
"""kdebug and gdbstub in the tiny kernel of tests/tinykernel, under a real gdb: what they do when
nothing of the bundled kernel is there to help."""
import re
import socket
import subprocess

import pytest

from harness.batch import BUILD, GDB_SECONDS, make, run_gdb


@pytest.fixture(scope="module")
def elf():
    make("tinykernel")
    return BUILD / "tests" / "tinykernel.elf"


@pytest.fixture
def session(elf, tmp_path):
    """Runs gdb commands on a fresh tiny kernel; returns what each printed, in order."""
    line = tmp_path / "line"
    # wait=on: QEMU starts when someone listens, so nothing is missed and nobody has to sleep.
    qemu = subprocess.Popen(
        ["qemu-system-riscv64", "-accel", "tcg", "-M", "virt", "-m", "128", "-display", "none",
         "-monitor", "none", "-kernel", elf, "-serial", f"unix:{line},server=on,wait=on"],
        stderr=subprocess.PIPE, text=True)
    qemu.stderr.readline()  # "waiting for connection"
    # The firmware's banner would be taken for acknowledgements, so gdb comes when it is over.
    with socket.socket(socket.AF_UNIX) as console:
        console.connect(str(line))
        console.settimeout(GDB_SECONDS)
        seen = b""
        while b"waiting for gdb" not in seen:
            seen += console.recv(4096)

    def run(*commands):
        connect = [f"file {elf}", f"target remote {line}"]
        return run_gdb([*connect, *commands], tmp_path)[len(connect):]

    yield run
    qemu.kill()
    qemu.wait()


def test_breakpoint_backtrace_and_step(session):
    _, _, backtrace, _, pc = session("break leaf", "continue", "bt", "stepi", "print $pc")
    assert re.findall(r"#\d+ .*?(\w+) \(", backtrace)[:3] == ["leaf", "work", "tiny_main"]
    assert "<leaf+2>" in pc


def test_an_atomic_sequence_is_one_step(session):
    _, _, before, _, after, insn = session("break atomic_increment", "continue",
                                           "print atomic_counter", "stepi",
                                           "print atomic_counter", "x/i $pc")
    assert int(after.split()[-1]) == int(before.split()[-1]) + 1
    assert "ret" in insn


def test_steps_through_code_that_masks_interrupts(session):
    # In the frame, SPIE (bit 5) is whether interrupts were on.
    steps = ["stepi", "print ($sstatus >> 5) & 1"] * 15
    output = session("break mask_and_unmask", "continue", "delete", *steps)
    masks = "".join(re.search(r"= (\d)", part)[1] for part in output[4::2])
    # on, off in between, on again: never what the step itself did
    assert re.fullmatch("1+0+1+", masks), masks


def test_bad_addresses_are_errors(session):
    for answer in session("x/x 0", "x/x 0x1000000000", "x/x 0x10000000", "x/x 0xffffffffffffffff"):
        assert "Cannot access memory" in answer


def test_no_breakpoint_in_the_debugger(session):
    answers = session("break kd_trap", "continue")
    assert "Cannot insert breakpoint" in answers[-1]


def test_a_fault_in_a_command_is_told_and_survived(session):
    fault, hello = session("monitor fault", "monitor hello")
    assert "fault in the debugger" in fault
    assert "hello from the tiny kernel" in hello


def test_a_thread_that_does_not_run_is_shown_and_not_stepped(session):
    threads, _, where, step = session("info threads", "thread 2", "bt 1", "stepi")
    assert "sleeper" in threads and "waits for nothing" in threads
    assert "atomic_increment" in where
    assert "cannot be stepped" in step


def test_a_wild_jump_is_a_stop_and_then_a_panic(session):
    _, step, report = session("set $pc = 0", "stepi", "continue")
    assert "SIGSEGV" in step
    assert "PANIC: exception 1" in report
