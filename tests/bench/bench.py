#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures what the debugger costs on the line and in time, and prints it beside the goal and the
peers. Packets are gdb's requests, bytes go both ways, both counted by a proxy on the way.

usage: bench.py [--build DIR] [ARCH...]

QEMU's own stub is measured in the same run, on the same machine, with the same commands. The other
peers' figures were taken once: kgdb of Linux 6.1 on x86-64 in QEMU, gdbserver 13 on x86-64.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

# name: (unit, goal, figures of peers)
LINE_GOALS = {
    "connect": ("25 / 8000", "kgdb 18 / 1300, gdbserver 46 / 34600"),
    "stepi x10": ("30 / 3000", "kgdb 61 / 6700, gdbserver 54 / 3500"),
    "next x10": ("100 / 7000", "kgdb 347 / 47000, gdbserver 109 / 7200"),
    "bt": ("12 / 1000", "kgdb 3 / 500, gdbserver 11 / 769 (12 frames)"),
    "info threads": ("40 /", "kgdb 140 / 12500 (29 threads)"),
}
TEXT_BYTES = 65536


class Table:
    """Rows of one machine: figure, reached, goal, met or not, QEMU's stub, others."""

    def __init__(self, arch):
        self.arch = arch
        self.rows = []

    def add(self, name, reached, goal, met, qemu="", peers=""):
        self.rows.append((name, reached, goal, "yes" if met else "no", qemu, peers))

    def print(self):
        titles = ("figure", "reached", "goal", "met", "QEMU's stub", "others")
        rows = [titles, *self.rows]
        widths = [max(len(str(row[i])) for row in rows) for i in range(len(titles))]
        print(f"\n{self.arch}")
        for row in rows:
            print("  " + "  ".join(str(c).ljust(w) for c, w in zip(row, widths)).rstrip())


def counts_text(counts):
    return f"{counts[0]} / {counts[1]}"


def within(counts, goal):
    limits = [int(n) for n in goal.replace("/", " ").split()]
    return all(count <= limit for count, limit in zip(counts, limits))


class Session:
    """The same commands on one stub, each with its cost on the line and its time."""

    def __init__(self, gdb):
        self.gdb = gdb
        self.cost, self.time = {}, {}
        self.cost["connect"] = gdb.proxy.take_counts()

    def measure(self, name, work):
        self.gdb.proxy.take_counts()
        begin = time.monotonic()
        work()
        self.time[name] = time.monotonic() - begin
        self.cost[name] = self.gdb.proxy.take_counts()

    def repeat(self, command, times):
        for _ in range(times):
            self.gdb.resume(command)

    def stop_in(self, function):
        self.gdb.command(f"tbreak {function}")
        self.gdb.resume("continue")

    def next_x10(self):
        """Ten lines of a function that does not wait, so that the stub's own time is measured: two
        each time the ticker comes by."""
        cost, seconds = [0, 0], 0.0
        for _ in range(5):
            self.stop_in("ticker_step")
            self.measure("next x10", lambda: self.repeat("next", 2))
            cost = [a + b for a, b in zip(cost, self.cost["next x10"])]
            seconds += self.time["next x10"]
        self.cost["next x10"], self.time["next"] = tuple(cost), seconds

    def run(self):
        gdb = self.gdb
        self.measure("info threads", lambda: gdb.command("info threads"))
        self.stop_in("timer_interrupt")
        self.measure("bt", lambda: gdb.command("bt"))
        self.stop_in("ticker_scale") # a loop: ten instructions of one function
        self.measure("stepi x10", lambda: self.repeat("stepi", 10))
        self.next_x10()
        self.stop_in("ticker_scale")
        self.measure("stepi", lambda: self.repeat("stepi", 100))
        with tempfile.NamedTemporaryFile() as file:
            gdb.command("maintenance flush dcache")
            self.measure("read", lambda: gdb.command(
                f"dump binary memory {file.name} &__text_start (char *)&__text_start + {TEXT_BYTES}"))
        return self


def boot_seconds(arch, folder, tries=3):
    from harness.machine import Machine
    best = None
    for _ in range(tries):
        with Machine(arch, folder, gdb=False) as machine:
            machine.boot()
            took = time.monotonic() - machine.started
        best = took if best is None else min(best, took)
    return best


def read_only_bytes(kernel):
    out = subprocess.run(["readelf", "-SW", kernel], capture_output=True, text=True, check=True).stdout
    total = 0
    for line in out.splitlines():
        match = re.match(r"\s*\[\s*\d+\]\s+\S+\s+(?:PROGBITS|NOTE|INIT_ARRAY)\s+\S+ \S+ (\S+) \S+\s+(\S+)",
                         line)
        if match and "A" in match[2] and "W" not in match[2]:
            total += int(match[1], 16)
    return total


def measure(arch, build):
    from harness.gdb import Gdb
    from harness.machine import Machine
    folder = pathlib.Path(build) / "bench" / arch
    folder.mkdir(parents=True, exist_ok=True)
    table = Table(arch)

    took = boot_seconds(arch, str(folder))
    table.add("QEMU start to prompt, 4 CPUs", f"{took:.2f} s", "0.80 s", took <= 0.8)
    size = read_only_bytes(os.path.join(build, arch, "kernel.elf")) / 1024
    table.add("text and read-only data", f"{size:.0f} KiB", "512 KiB", size <= 512)

    with Machine(arch, str(folder), qemu_stub=True) as machine:
        machine.boot()
        used = re.search(r"in use\s+(\d+) KiB", machine.command("mem"))
        used = int(used[1]) / 1024
        table.add("memory in use at the prompt", f"{used:.1f} MiB", "8.0 MiB", used <= 8)
        with Gdb(machine) as gdb:
            ours = Session(gdb).run()
            gdb.command("detach")
        with Gdb(machine, name="qemu", target="witness") as gdb:
            theirs = Session(gdb).run()
            gdb.command("detach")

    for name, (goal, peers) in LINE_GOALS.items():
        table.add(f"{name}: packets / bytes", counts_text(ours.cost[name]), goal,
                  within(ours.cost[name], goal), counts_text(theirs.cost[name]), peers)
    # On x86-64 in full; the other machines may take twice as long.
    share = 1.0 if arch == "x86_64" else 0.5
    rate = 100 / ours.time["stepi"]
    table.add("stepi a second", f"{rate:.0f}", f"{250 * share:.0f}", rate >= 250 * share,
              f"{100 / theirs.time['stepi']:.0f}", "kgdb 70")
    rate = TEXT_BYTES / 1024 / ours.time["read"]
    table.add("reading 64 KiB of text, KB/s", f"{rate:.0f}", f"{60 * share:.0f}", rate >= 60 * share,
              f"{TEXT_BYTES / 1024 / theirs.time['read']:.0f}", "kgdb 43")
    rate, witness = 10 / ours.time["next"], 10 / theirs.time["next"]
    goal = 3 * share * witness
    table.add("next a second", f"{rate:.0f}", f"{goal:.0f} ({3 * share:g} x QEMU's)", rate >= goal,
              f"{witness:.0f}", "QEMU's stub on Linux 13")
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("arches", nargs="*", metavar="ARCH")
    options = parser.parse_args()
    os.environ["FATHOM_BUILD"] = options.build # read when the harness is imported
    for arch in options.arches or ["x86_64", "aarch64", "riscv64"]:
        measure(arch, options.build).print()


main()
