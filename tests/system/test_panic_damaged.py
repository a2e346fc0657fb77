# SPDX-License-Identifier: MIT
"""Panics of a machine that has lost what its code stands on: the pointer by which a CPU finds its own
data, the current thread, the stack pointer, locks that nobody will give back, or all CPUs at once.
The report comes out once and line by line, and the capsule with it."""
import re

import pytest

from harness.capsule import Capsule
from harness.report import Report

CPUS = 4
RESTORED = "the per-CPU pointer or the current thread was destroyed"


def running(gdb):
    """gdb's numbers of the threads that CPUs execute."""
    return re.findall(r"^[* ]+(\d+) +Thread .*running on CPU", gdb.command("info threads"), re.M)


def panicked(machine):
    """What a machine left that panics and powers off: the report and the capsule, both whole."""
    machine.wait_for(r"^PANIC: ")
    machine.wait_for(r"^end panic capsule .*\n")
    assert machine.exit_status() == 134
    machine.console.join()
    text = machine.console.text
    report, capsule = Report(text), Capsule(text)
    assert text.count("end panic capsule") == 1
    assert not capsule.lines.bad and capsule.spoiled == 0 and capsule.summary
    assert capsule.machine["reason"] == report.reason
    assert (capsule.machine["cpu"], capsule.machine["thread"]) == (report.cpu, report.thread)
    assert sorted(capsule.cpus) == list(range(CPUS))
    assert {index: thread for index, (_, thread, _) in capsule.cpus.items()} == \
        {cpu: thread for cpu, thread, _ in report.stacks}
    assert {index for index, (flags, _, _) in capsule.cpus.items() if flags & 4} == report.also
    return report, capsule


def test_without_the_pointers_that_all_code_uses(start, arch):
    machine = start(gdb=False, append="panic=poweroff").boot()
    machine.type("crash pointers\n")
    report, capsule = panicked(machine)
    assert report.name == "crash" and "crash_pointers+" in report.text
    assert capsule.threads[report.thread]["name"] == "crash"
    assert len(capsule.registers[report.thread][1]) > 20
    # On RISC-V they are one register, which every exception replaces; the report shows what it was.
    assert RESTORED in report.text or (arch == "riscv64" and "tp 0000123456789a80" in report.text)


def test_without_the_pointers_on_all_cpus_at_once(start, debug):
    """And with the console's own lock, and the flag that orders its output, taken for ever."""
    machine = start(append="panic=poweroff").boot()
    gdb = debug(machine)
    for number in running(gdb):
        gdb.command(f"thread {number}")
        gdb.command("set var $pc = (unsigned long)&crash_pointers")
    gdb.command("set var output_busy = 1")
    gdb.command("set var input_lock.lock.next_ticket = input_lock.lock.now_serving + 1")
    gdb.command("detach")
    report, _ = panicked(machine)
    assert "crash_pointers+" in report.text and len(report.stacks) == CPUS


@pytest.mark.parametrize("cpu", [0, 2])
def test_without_a_current_thread_in_memory(start, debug, cpu):
    """Found at its next use: by the CPU's interrupts, or when it panics for another reason."""
    machine = start(append="panic=poweroff").boot()
    gdb = debug(machine)
    name = re.search('"(.*?)[\\\\"]', gdb.command(f"print cpus[{cpu}].current->name"))[1]
    gdb.command(f"set var cpus[{cpu}].current = (struct thread *)0x18")
    gdb.command("detach")
    machine.type("crash null\n")
    report, _ = panicked(machine)
    restored = re.search(f"{RESTORED}; restored: cpu (\\d), (.*)", report.text)
    assert restored is None or restored.groups() == (str(cpu), name), "by the stack that it is on"


@pytest.mark.parametrize("sp", ["0x10", "0x0123456789abcdef", "(unsigned long)&ring[256]",
                                "(unsigned long)&crash_null"],
                         ids=["low", "nowhere", "data", "text"])
def test_without_a_stack(start, debug, sp):
    machine = start(append="panic=poweroff").boot()
    gdb = debug(machine)
    gdb.command(f"thread {running(gdb)[0]}")
    gdb.command("set var $pc = (unsigned long)&crash_null")
    gdb.command("frame 0") # gdb may have selected the one it was in, now a caller
    gdb.command(f"set var $sp = {sp}")
    gdb.command("detach")
    report, capsule = panicked(machine)
    assert capsule.registers[report.thread][1]


def test_with_every_lock_taken(start, debug):
    """The console's, the allocators', the scheduler's, the list of threads, interrupts, and a log
    record that is never finished."""
    machine = start(append="panic=poweroff").boot()
    gdb = debug(machine)
    for lock in ("input_lock", "page_lock", "vmap_lock", "caches_lock", "secrets_lock", "list_lock",
                 "table_lock"):
        gdb.command(f"set var {lock}.lock.next_ticket = {lock}.lock.now_serving + 1")
        assert gdb.evaluate(f"{lock}.lock.next_ticket - {lock}.lock.now_serving") == 1
    gdb.command("set var output_busy = 1")
    gdb.command("set var ring[next_sequence % 512].state = 2 * next_sequence")
    gdb.command("set var next_sequence = next_sequence + 1")
    gdb.command(f"thread {running(gdb)[0]}")
    gdb.command("set var $pc = (unsigned long)&crash_null")
    gdb.command("detach")
    report, capsule = panicked(machine)
    assert "ready" in report.text.split("last log lines:")[1]
    assert b"ready" in capsule.texts["log"] and b"uart0" in capsule.texts["irq"]


def test_each_boot_has_another_name(start):
    """The same machine twice, and again after a warm reboot."""
    machine = start(gdb=False, append="panic=reboot panic.capsule=0",
                    extra=("-action", "reboot=reset")).boot()
    machine.type("crash null\n")
    machine.wait_for(r"an earlier run panicked")
    machine.boot()
    machine.type("crash null\n")
    machine.wait_for(r"an earlier run panicked")
    machine.boot()
    other = start(gdb=False, append="panic=poweroff panic.capsule=0").boot()
    other.type("crash null\n")
    other.wait_for(r"^end of panic report")
    names = re.findall(r", boot ([0-9a-f]{32})\n", machine.console.text + other.console.text)
    assert len(set(names)) == len(names) == 3
