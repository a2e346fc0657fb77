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
import socket
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from harness.proxy import Proxy  # noqa: E402

# name: (goal, figures of peers)
LINE_GOALS = {
    "connect": ("25 / 8000", "kgdb 18 / 1300, gdbserver 46 / 34600"),
    "stepi x10": ("30 / 3000", "kgdb 61 / 6700, gdbserver 54 / 3500"),
    "stepi x10, hard": ("30 / 3000", ""),
    "next x10": ("100 / 7000", "kgdb 347 / 47000, gdbserver 109 / 7200"),
    "next x10, hard": ("100 / 7000", ""),
    "bt": ("12 / 1000", "kgdb 3 / 500, gdbserver 11 / 769 (12 frames)"),
    "info threads at the prompt": ("", ""),
    "info threads": ("40", "kgdb 140 / 12500 (29 threads)"),
    "fathom threads": ("40", ""),
}
TEXT_BYTES = 65536
SCRIPT = str(HERE.parents[1] / "kdebug" / "gdb" / "fathom.gdb")


class Table:
    """Rows of one machine: figure, reached, goal, met or not, QEMU's stub, others."""

    def __init__(self, arch):
        self.arch = arch
        self.rows = []

    def add(self, name, reached, goal, met, qemu="", peers=""):
        self.rows.append((name, reached, goal, ("yes" if met else "no") if goal else "", qemu, peers))

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
    return not limits or all(count <= limit for count, limit in zip(counts, limits))


class Session:
    """The commands of in_gdb.py on one stub: packets and bytes of each, or its time. Each figure is
    the median of the tries. Time is taken without the proxy, which would cost more than the stub.

    part: one of PARTS in in_gdb.py."""

    def __init__(self, machine, port, counted, part):
        self._machine = machine
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(60)
        self._proxy = Proxy(port) if counted else None
        self._costs, self._times, self.notes = {}, {}, {}
        environment = {**os.environ, "BENCH_CONTROL": str(self._listener.getsockname()[1]),
                       "BENCH_PORT": str(self._proxy.port if counted else port),
                       "BENCH_PART": part}
        gdb = subprocess.Popen(["gdb-multiarch", "-q", "-nx", "-batch", "-ix", SCRIPT,
                                machine.kernel,
                                "-x", str(HERE / "in_gdb.py")], env=environment,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
        try:
            self._serve()
        finally:
            gdb.terminate()
            gdb.wait(20)
            self._listener.close()
            if self._proxy:
                self._proxy.close()

    def _serve(self):
        end, _ = self._listener.accept()
        end.settimeout(180)
        control = end.makefile("rw")
        for line in control:
            word, _, rest = line.strip().partition(" ")
            if word == "failed":
                raise RuntimeError(f"bench: {rest}")
            if word == "type":
                self._machine.type(rest + "\n")
            if word == "note":
                name, _, value = rest.rpartition(" ")
                self.notes[name] = int(value)
            counts = self._proxy.take_counts() if self._proxy else (0, 0)
            if word == "end":
                name, _, seconds = rest.rpartition(" ")
                self._costs.setdefault(name, []).append(counts)
                self._times.setdefault(name, []).append(float(seconds))
            print("go", file=control, flush=True)

    def has(self, name):
        return name in self._costs

    def cost(self, name):
        return tuple(int(statistics.median(column)) for column in zip(*self._costs[name]))

    def time(self, name):
        return statistics.median(self._times[name])

    def rate(self, name, amount):
        """A second: the median, and in brackets the best try, which a busy machine disturbs least."""
        return f"{amount / self.time(name):.0f} ({amount / min(self._times[name]):.0f})"


def boot_seconds(arch, folder, tries=5):
    from harness.machine import Machine
    times = []
    for _ in range(tries):
        with Machine(arch, folder, gdb=False) as machine:
            machine.boot()
            times.append(time.monotonic() - machine.started)
    return statistics.median(times)


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
    from harness.machine import Machine
    folder = pathlib.Path(build) / "bench" / arch
    folder.mkdir(parents=True, exist_ok=True)
    table = Table(arch)

    took = boot_seconds(arch, str(folder))
    table.add("QEMU start to prompt, 4 CPUs", f"{took:.2f} s", "0.80 s", took <= 0.8)
    size = read_only_bytes(os.path.join(build, arch, "kernel.elf")) / 1024
    table.add("text and read-only data", f"{size:.0f} KiB", "512 KiB", size <= 512)

    with Machine(arch, str(folder), gdb=False) as machine:
        machine.boot()
        used = re.search(r"in use\s+(\d+) KiB", machine.command("mem"))
        used = int(used[1]) / 1024
        table.add("memory in use at the prompt", f"{used:.1f} MiB", "8.0 MiB", used <= 8)

    def session(stub, **options):
        """On a machine of its own, since a session leaves threads behind."""
        with Machine(arch, str(folder), qemu_stub=True) as fresh:
            fresh.boot()
            return Session(fresh, fresh.witness_port if stub else fresh.port, **options)

    ours, theirs = (session(stub, counted=True, part="line") for stub in (False, True))
    ours_timed, theirs_timed = (session(stub, counted=False, part="time") for stub in (False, True))
    many = session(False, counted=True, part="many threads")

    for name, (goal, peers) in LINE_GOALS.items():
        measured = ours if ours.has(name) else many
        reached = measured.cost(name)
        title = f"{name} ({measured.notes['threads']})" if "threads" in name else name
        witness = counts_text(theirs.cost(name)) if theirs.has(name) else ""
        table.add(f"{title}: packets / bytes", counts_text(reached), goal, within(reached, goal),
                  witness, peers)
    # On x86-64 in full; the other machines may take twice as long.
    share = 1.0 if arch == "x86_64" else 0.5
    rate = 100 / ours_timed.time("stepi x100")
    table.add("stepi a second (best)", ours_timed.rate("stepi x100", 100), f"{250 * share:.0f}", rate >= 250 * share,
              theirs_timed.rate("stepi x100", 100), "kgdb 70")
    rate = TEXT_BYTES / 1024 / ours_timed.time("read")
    table.add("reading 64 KiB of text, KB/s", ours_timed.rate("read", TEXT_BYTES / 1024), f"{60 * share:.0f}", rate >= 60 * share,
              theirs_timed.rate("read", TEXT_BYTES / 1024), "kgdb 43")
    for name in "next x10", "next x10, hard":
        rate, witness = 10 / ours_timed.time(name), 10 / theirs_timed.time(name)
        goal = 3 * share * witness
        table.add(name.replace(" x10", " a second") + " (best)", ours_timed.rate(name, 10),
                  f"{goal:.0f} ({3 * share:g} x QEMU's)", rate >= goal,
                  theirs_timed.rate(name, 10), "QEMU's stub on Linux 13")
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("arches", nargs="*", metavar="ARCH")
    options = parser.parse_args()
    os.environ["FATHOM_BUILD"] = options.build  # read when the machine's harness is imported
    for arch in options.arches or ["x86_64", "aarch64", "riscv64"]:
        measure(arch, options.build).print()


if __name__ == "__main__":
    main()
