# SPDX-License-Identifier: MIT
"""Machines that differ from the usual ones, and boots in which something is missing: another boot
hart, an older interrupt controller, a plainer processor, an allocation that fails, a lock that
never becomes free."""
import re
import subprocess

import pytest
from conftest import ARCHES


def only(*arches):
    return pytest.mark.parametrize("arch", [arch for arch in arches if arch in ARCHES],
                                   indirect=True)


FIRMWARE = "/usr/share/qemu/opensbi-riscv64-generic-fw_dynamic.elf"


def exchanges():
    """Where the firmware exchanges memory atomically: the first to do so is the one that boots."""
    text = subprocess.run(["riscv64-linux-gnu-objdump", "-d", FIRMWARE], check=True,
                          capture_output=True, text=True).stdout
    return re.findall(r"^ *([0-9a-f]+):\s.*\bamoswap\.", text, re.MULTILINE)


@only("riscv64")
@pytest.mark.parametrize("hart", [1, 3])
def test_any_hart_may_be_the_one_that_boots(start, debug, arch, hart):
    """The emulator holds hart 0 just before the firmware's lottery, and lets another one play it
    alone."""
    machine = start(qemu_stub=True, extra=["-S"])
    witness = debug(machine, target="witness", name="witness")
    witness.command("set scheduler-locking on")
    witness.command("thread 1")
    for address in exchanges():
        witness.command(f"hbreak *0x{address}")
    witness.resume("continue")
    witness.command("delete")
    witness.command(f"thread {hart + 1}")
    witness.command("thbreak kernel_main")
    stop = witness.resume("continue")
    assert stop.function == "kernel_main"
    assert witness.evaluate("boot_hw_id") == hart
    witness.command("set scheduler-locking off")
    witness.command("detach")
    machine.wait_for("4 CPUs, ready")
    machine.boot()
    gdb = debug(machine)
    assert gdb.evaluate("boot_info.cpu_hw_id[0]") == hart
    assert len(re.findall(r"running on CPU \d", gdb.command("info threads"))) == 4
    gdb.command("tbreak ticker_step")
    assert gdb.resume("continue").function == "ticker_step"
    gdb.command("detach")
    assert "ticker" in machine.command("ps")


VARIANTS = [("aarch64", ["-M", "virt,gic-version=2"]),
            ("aarch64", ["-M", "virt,gic-version=3,virtualization=on"]),
            ("aarch64", ["-cpu", "cortex-a57"]),
            ("x86_64", ["-cpu", "qemu64"]),
            ("x86_64", ["-M", "q35,hpet=off"])]


@pytest.mark.parametrize("arch, extra", [pytest.param(*v, id="-".join((v[0], v[1][1]))) for v in
                                         VARIANTS if v[0] in ARCHES], indirect=["arch"])
def test_a_session_on_another_kind_of_machine(start, debug, arch, extra):
    """Ctrl-C reaches a CPU that spins with interrupts off on all of these, too."""
    machine = start(extra=extra).boot()
    gdb = debug(machine)
    gdb.command("tbreak ticker_step")
    assert gdb.resume("continue").function == "ticker_step"
    gdb.resume("stepi")
    gdb.command("watch ticker_count")
    stop = gdb.resume("continue")
    assert stop.reason == "watchpoint-trigger"
    gdb.command("delete")
    gdb.command("detach")
    machine.type("crash hang\n")
    machine.wait_for("spinning with interrupts off")
    gdb = debug(machine)
    number = re.search(r'(\d+)\s+Thread \d+ "crash"', gdb.command("info threads"))[1]
    gdb.command(f"thread {number}")
    assert "crash_hang" in gdb.command("bt")
    gdb.command("set var hang_on = 0")
    gdb.command("detach")
    machine.wait_for("survived")
    assert "ticker" in machine.command("ps")


def test_an_allocation_that_fails_is_told_or_done_without(start):
    """Never a fault: either the kernel says for what there was no memory, or it runs."""
    ended = 0
    for number in (1, 3, 6, 12):
        machine = start(gdb=False, cpus=2, append=f"failnth={number}")
        found = machine.wait_for(r"^(?:fathom> $|PANIC: (.*)\n)|error: .*: no memory")
        if found[1]:
            assert "memory" in found[1], found[1]
            assert machine.exit_status() == 134
        if found[0].strip() != "fathom>":
            ended += 1
        else:
            assert "shell" in machine.command("ps")
        machine.close()
    assert ended > 0


@pytest.mark.parametrize("holder", ["nobody", "thread"])
def test_a_lock_that_never_becomes_free_is_told(start, debug, holder):
    """Its ticket is taken away from it; and of ten seconds' patience it is given one."""
    machine = start().boot()
    gdb = debug(machine)
    gdb.command("set var outer_lock.lock.next_ticket = outer_lock.lock.next_ticket + 1")
    if holder == "thread":
        gdb.command("set var outer_lock.lock.holder = cpus[0].current")
    gdb.command("detach")
    machine.type("crash doublelock\n")
    machine.wait_for("crash doublelock")
    gdb = debug(machine)
    gdb.command("tbreak patience_over")
    assert gdb.resume("continue").function == "patience_over"
    gdb.command("set var forgiven_ns = forgiven_ns - 9000000000")
    gdb.resume("continue")
    gdb.wait_target_output('PANIC: lock stuck: "crash outer" ' +
                           ("held by thread" if holder == "thread" else "is free but"))
    gdb.wait_target_output("end of panic report")
