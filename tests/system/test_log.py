# SPDX-License-Identifier: MIT
"""The log is written from any context: in the middle of another write, and in an NMI."""
import re

from conftest import STOPS_MASKED_CPUS


def stopped_cpu(gdb):
    """The CPU of the thread that gdb was told of."""
    return int(re.search(r"^\* .*running on CPU (\d)", gdb.command("info threads"), re.M)[1])


def test_a_line_is_written_in_an_nmi(machine, gdb, arch):
    """The byte of gdb that stopped the machine came by an NMI, or by an interrupt above those that are
    masked; on RISC-V by an ordinary interrupt."""
    depth = gdb.evaluate(f"cpus[{stopped_cpu(gdb)}].nmi_depth")
    assert depth == (1 if arch in STOPS_MASKED_CPUS else 0)
    gdb.command("monitor log a mark from the debugger")
    assert gdb.command("monitor dmesg").endswith("a mark from the debugger\n")
    gdb.command("detach")
    machine.type("\n")  # the console shows it when it is next used
    machine.wait_for("a mark from the debugger\n")
    machine.boot()
    assert machine.command("dmesg").count("a mark from the debugger") == 1


def test_a_record_that_is_never_finished_hides_none_behind_it(machine, gdb):
    """Its writer was stopped in the middle."""
    gdb.command("set var ring[next_sequence % 512].state = 2 * next_sequence")
    gdb.command("set var next_sequence = next_sequence + 1")
    gdb.command("monitor log behind it")
    assert "behind it" in gdb.command("monitor dmesg")
    gdb.command("detach")
    machine.type("crash null\n")
    machine.wait_for(r"^PANIC: ")
    machine.wait_for(r"^last log lines:\n")
    machine.wait_for(r"^\[.*\] cpu\d behind it\n")
    machine.wait_for(r"^end of panic report")
