# SPDX-License-Identifier: MIT
"""Fixtures of the system tests: machines of each kind, and gdb on them.

Each test has a folder of its own below BUILD/test, with the machine's console, what `fathom run`
said and gdb's transcript. It is removed when the test passes and kept when it fails.
"""
import os
import pathlib
import re
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.gdb import Gdb  # noqa: E402
from harness.machine import BUILD, Machine  # noqa: E402

ARCHES = os.environ.get("FATHOM_ARCHES", "x86_64 aarch64 riscv64").split()
# What the machines differ in, as far as a test can see it.
HAS_WATCHPOINTS = {"x86_64", "aarch64"}
STOPS_MASKED_CPUS = {"x86_64", "aarch64"}  # by NMI and by interrupt priority


@pytest.fixture(params=ARCHES)
def arch(request):
    return request.param


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        item.failed = True


@pytest.fixture
def folder(request):
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", request.node.name)
    path = pathlib.Path(BUILD).resolve() / "test" / name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    yield path
    if getattr(request.node, "failed", False):
        print(f"kept: {path}")
    else:
        shutil.rmtree(path)


@pytest.fixture
def start(arch, folder):
    """Starts machines of this kind; they end with the test."""
    machines = []

    def start_one(**options):
        where = folder if not machines else folder / str(len(machines))
        machines.append(Machine(arch, str(where), **options))
        return machines[-1]

    yield start_one
    for machine in machines:
        machine.close()


@pytest.fixture
def debug():
    """Starts gdbs on machines; they end with the test."""
    sessions = []

    def debug_one(machine, **options):
        options.setdefault("name", f"gdb{len(sessions) or ''}")
        sessions.append(Gdb(machine, **options))
        return sessions[-1]

    yield debug_one
    for session in sessions:
        session.close()


@pytest.fixture
def machine(start):
    """A machine with four CPUs at the shell's prompt."""
    return start().boot()


@pytest.fixture
def gdb(machine, debug):
    """A gdb that has just stopped that machine."""
    return debug(machine)
