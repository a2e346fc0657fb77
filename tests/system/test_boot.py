# SPDX-License-Identifier: MIT
"""The OS boots on every machine with 1 to 8 CPUs, its self-tests pass, its shell answers."""
import os
import re

import pytest
from harness.machine import BUILD


@pytest.mark.parametrize("cpus", [1, 4, 8])
def test_boots_to_the_prompt_with_all_cpus(start, cpus):
    machine = start(cpus=cpus).boot()
    assert re.search(rf"\b{cpus} CPUs, ready", machine.console.text)
    assert "error" not in machine.console.text.lower()


def test_console_is_read_and_answered(machine):
    helped = machine.command("help")
    for name in "help ps cpu mem irq locks dmesg pci crash reboot poweroff".split():
        assert re.search(rf"^\s*{name}\b", helped, re.MULTILINE), name
    assert "shell" in machine.command("ps")
    assert "ready" in machine.command("dmesg")


def test_a_word_alone_means_on_where_that_is_a_choice(start):
    machine = start(gdb=False, append="kdebug panic").boot()
    parameters = machine.command("params")
    assert re.search(r"^ +kdebug +on$", parameters, re.MULTILINE)
    assert 'command line: panic cannot be ""' in machine.console.text
    assert re.search(r"^ +panic +poweroff$", parameters, re.MULTILINE)


def test_poweroff_ends_the_machine_with_status_0(machine):
    machine.type("poweroff\n")
    assert machine.exit_status() == 0


def run_self_tests(machine):
    status = machine.exit_status(600)
    machine.console.join()
    text = machine.console.text
    failed = re.findall(r"^(?:# .*\n)*not ok .*", text, re.MULTILINE)
    assert not failed, "\n".join(failed)
    assert "KTAP version 1" in text
    assert int(re.search(r"^1\.\.(\d+)", text, re.MULTILINE)[1]) == len(
        re.findall(r"^ok ", text, re.MULTILINE))
    assert status == 0


def test_self_tests_pass(start):
    run_self_tests(start(append="test", gdb=False))


def test_self_tests_pass_under_the_address_sanitizer(start, arch):
    kernel = os.path.join(BUILD, f"{arch}-kasan", "kernel.elf")
    run_self_tests(start(append="test", gdb=False, kernel=kernel))


def test_a_failing_self_test_run_is_status_1(start):
    machine = start(append="test=there-is-no-such-test", gdb=False)
    assert machine.exit_status() == 1
