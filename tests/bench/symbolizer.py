#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures the symbolizer beside its peers on a real kernel, and counts where their answers differ.

usage: symbolizer.py [--build DIR] [--vmlinux FILE] [--quick]

The kernel is Debian's vmlinux with all its debug information, fetched with apt (850 MB, once) unless
--vmlinux names one. Peers that are installed take part: binutils' addr2line, elfutils' eu-addr2line,
llvm-symbolizer. Wall seconds and peak megabytes are medians of the tries, in brackets the best try,
which a busy machine disturbs least; all tools are measured in turn.
"""
import argparse
import collections
import functools
import itertools
import os
import pathlib
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
LIMIT_SECONDS = 240  # a peer that takes longer is not waited for
PACKAGE = re.compile(r"^(linux-image-\d[\d.]*-(\d+)-amd64-dbg) ", re.M)


def fetch(folder):
    vmlinux = folder / "vmlinux"
    if vmlinux.exists():
        return vmlinux
    folder.mkdir(parents=True, exist_ok=True)
    listed = subprocess.run(["apt-cache", "search", "--names-only", r"^linux-image-.*-amd64-dbg$"],
                            capture_output=True, text=True, check=True).stdout
    packages = [(int(number), name) for name, number in PACKAGE.findall(listed)]
    if not packages:
        sys.exit("bench: apt knows no linux-image-*-amd64-dbg; give a kernel with --vmlinux")
    name = max(packages)[1]
    print(f"bench: fetching {name}", file=sys.stderr)
    subprocess.run(["apt-get", "download", name], cwd=folder, check=True)
    package = next(folder.glob(f"{name}_*.deb"))
    part = folder / "vmlinux.part"
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package.name], cwd=folder,
                          stdout=subprocess.PIPE) as archive, open(part, "wb") as out:
        subprocess.run(["tar", "-xO", "--wildcards", "./usr/lib/debug/boot/vmlinux-*"],
                       stdin=archive.stdout, stdout=out, check=True)
    package.unlink()
    part.rename(vmlinux)
    return vmlinux


def pick_addresses(vmlinux, count, seed=1):
    """Random addresses inside functions, as likely in a small one as in a large one."""
    table = subprocess.run(["nm", "-S", "--defined-only", str(vmlinux)], capture_output=True,
                           text=True, check=True).stdout
    functions = [(int(words[0], 16), int(words[1], 16)) for words in map(str.split, table.splitlines())
                 if len(words) == 4 and words[2] in "tT" and int(words[1], 16)]
    pick = random.Random(seed)
    chosen = (pick.choice(functions) for _ in range(count))
    return [start + pick.randrange(size) for start, size in chosen]


def compile_measure(folder):
    program = folder / "measure"
    subprocess.run(["gcc", "-O1", "-o", program, HERE / "measure.c"], check=True)
    return str(program)


def measure(program, command, stdin, stdout=None):
    """(seconds, megabytes); None when it took too long or failed."""
    end, other = os.pipe()
    with open(stdin) as source, open(stdout or os.devnull, "w") as sink, os.fdopen(end) as told:
        with subprocess.Popen([program, *command], stdin=source, stdout=sink,
                              stderr=subprocess.DEVNULL, start_new_session=True, pass_fds=[3],
                              preexec_fn=lambda: os.dup2(other, 3)) as child:
            os.close(other)
            try:
                failed = child.wait(LIMIT_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                return None
        if failed:
            return None
        microseconds, kilobytes = map(int, told.read().split())
        return microseconds / 1e6, kilobytes / 1024


def median(tries):
    if not all(tries):
        return None
    return tuple(statistics.median(column) for column in zip(*tries)) + (min(tries)[0],)


def text(figures):
    if not figures:
        return f"failed or > {LIMIT_SECONDS} s"
    seconds, megabytes, best = figures
    return f"{seconds:.3f} ({best:.3f}) s {megabytes:.0f} MB"


class Table:
    def __init__(self):
        self.rows = [("figure", "reached", "goal", "met", "peers")]

    def add(self, name, reached, goal, met, peers=""):
        self.rows.append((name, reached, goal, "yes" if met else "no", peers))

    def print(self):
        widths = [max(len(row[i]) for row in self.rows) for i in range(len(self.rows[0]))]
        for row in self.rows:
            print("  " + "  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip())


# -- do the answers agree -------------------------------------------------------------------------

def frames_of_addr2line(path, heads):
    """[[(function, file, line), ...], ...] from the output of addr2line -afi."""
    found = []
    with open(path) as lines:
        for line in lines:
            line = line.rstrip("\n")
            if line.startswith("0x"):
                found.append([])
                continue
            name, place = line, next(lines).rstrip("\n")
            file, _, number = re.sub(r" \(discriminator \d+\)$", "", place).rpartition(":")
            found[-1].append((name, file, number if number.isdigit() else "0"))
    assert len(found) == heads
    return found


def frames_of_llvm(path, heads):
    with open(path) as file:
        blocks = file.read().split("\n\n")
    found = []
    for block in itertools.islice(blocks, heads):
        lines = block.strip("\n").split("\n")
        places = [place.rsplit(":", 2) for place in lines[1::2]]
        found.append([(name, place[0], place[1]) for name, place in zip(lines[0::2], places)])
    return found


SUFFIX = re.compile(r"\.(cold|isra|constprop|part|lto_priv|llvm)\b.*$")


def kind_of_difference(ours, theirs):
    """What differs first, as docs/symbolizer-differences.md names it."""
    if ours == theirs:
        return "the same"
    plain = [[(SUFFIX.sub("", name), os.path.normpath(file), line) for name, file, line in frames]
             for frames in (ours, theirs)]
    if plain[0] == plain[1]:
        return "the compiler's suffix of a name, or how a path is written"
    if len(ours) != len(theirs):
        return "another number of frames"
    for mine, other in zip(*plain):
        if mine[0] != other[0]:
            return "another function"
        if mine[2] != other[2]:
            return "another line"
    return "the unit's file or none in place of the declaration's"


def compare(table, count, ours, others):
    for name, theirs in others.items():
        kinds = collections.Counter(map(kind_of_difference, ours, theirs))
        same = kinds.pop("the same", 0)
        print(f"\n{name}: {same} of {count} answers are the same")
        for kind, times in kinds.most_common():
            print(f"  {times:6}  {kind}")
        wrong = kinds["another number of frames"] + kinds["another function"] + kinds["another line"]
        table.add(f"other answers than {name}", str(wrong), "explained in docs", wrong < count / 100)


# -- the figures ----------------------------------------------------------------------------------

class Bench:
    def __init__(self, build, vmlinux, folder, tries):
        self.fathom, self.vmlinux = str(pathlib.Path(build).resolve() / "fathom"), str(vmlinux)
        self.folder, self.tries = folder, tries
        self.index = str(folder / "vmlinux.fidx")
        self.table = Table()
        self.measure = functools.partial(measure, compile_measure(folder))
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        os.environ.pop("DEBUGINFOD_URLS", None)
        llvm = next((tool for tool in ("llvm-symbolizer", "llvm-symbolizer-14")
                     if shutil.which(tool)), None)
        self.peers = {name: command for name, command in {
            "binutils": ["addr2line", "-fiC", "-e", self.vmlinux],
            "elfutils": ["eu-addr2line", "-fiC", "-e", self.vmlinux],
            "llvm": [llvm, "-e", self.vmlinux],
        }.items() if command[0] and shutil.which(command[0])}

    def ours(self, *options):
        return [self.fathom, "addr2line", "-fiC", "-e", self.vmlinux, *options]

    def addresses(self, name, addresses):
        path = self.folder / name
        path.write_text("".join(f"{address:#x}\n" for address in addresses))
        return str(path)

    def build_index(self):
        nothing = self.addresses("none", [])
        command = [self.fathom, "index", "-f", "-o", self.index, self.vmlinux]
        figures = median([self.measure(command, nothing) for _ in range(self.tries)])
        size = os.path.getsize(self.index) / 2**20
        met = figures and figures[0] <= 1.0 and figures[1] <= 400
        self.table.add("build the index", text(figures), "1.0 s 400 MB", met)
        packed = self.folder / "packed"
        subprocess.run([self.fathom, "index", "--pack", "-o", packed, self.index], check=True,
                       stdout=subprocess.DEVNULL)
        self.table.add("size on disk (packed)",
                       f"{size:.1f} MB ({packed.stat().st_size / 2**20:.1f} MB)", "16 MB", size <= 16)

    def lookups(self, name, path, seconds, megabytes, peers, *options):
        """One row: us and, in turn with us, the peers."""
        tries = {"ours": []} | {peer: [] for peer in peers if peer in self.peers}
        for _ in range(self.tries):
            for who, figures in tries.items():
                if None not in figures:
                    command = self.ours(*options) if who == "ours" else self.peers[who]
                    figures.append(self.measure(command, path))
        figures = {who: median(all_tries) for who, all_tries in tries.items()}
        mine = figures.pop("ours")
        met = mine and mine[0] <= seconds and (not megabytes or mine[1] <= megabytes)
        goal = f"{seconds} s" + (f" {megabytes} MB" if megabytes else "")
        self.table.add(name, text(mine), goal, met,
                       ", ".join(f"{who} {text(theirs)}" for who, theirs in figures.items()))

    def run(self, quick):
        many = pick_addresses(self.vmlinux, 100_000)
        one = self.addresses("one", many[:1])
        thousand = self.addresses("thousand", many[:1000])
        all_of_them = self.addresses("many", many)
        weights = [1 / (rank + 1) for rank in range(20_000)]
        zipf = self.addresses("zipf", random.Random(2).choices(many[:20_000], weights, k=1_000_000))

        everyone, fast = ["binutils", "elfutils", "llvm"], [] if quick else ["binutils", "llvm"]
        self.build_index()
        index = ["--index-file", self.index]
        self.lookups("1 address", one, 0.005, 10, everyone, *index)
        self.lookups("1 address without an index", one, 0.030, None, [], "--index", "never")
        self.lookups("1,000 addresses", thousand, 0.05, None, everyone, *index)
        self.lookups("100,000 addresses", all_of_them, 0.12, None, fast, *index)
        self.lookups("1 M addresses, 20,000 different", zipf, 0.6, None, [] if quick else ["llvm"],
                     *index)
        self.agreement(many[:5000] if quick else many)
        print()
        self.table.print()

    def agreement(self, addresses):
        path, out = self.addresses("asked", addresses), str(self.folder / "answers")
        plain = [self.fathom, "addr2line", "-afi", "-e", self.vmlinux, "--index-file", self.index]
        self.measure(plain, path, out)
        ours, others = frames_of_addr2line(out, len(addresses)), {}
        binutils = ["addr2line", "-afi", "-e", self.vmlinux]
        if "binutils" in self.peers and self.measure(binutils, path, out):
            others["binutils"] = frames_of_addr2line(out, len(addresses))
        if "llvm" in self.peers and self.measure(self.peers["llvm"], path, out):
            others["llvm"] = frames_of_llvm(out, len(addresses))
        compare(self.table, len(addresses), ours, others)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--vmlinux", type=pathlib.Path)
    parser.add_argument("--tries", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="no peers for the long inputs")
    options = parser.parse_args()
    folder = pathlib.Path(options.build).resolve() / "bench" / "symbolizer"
    folder.mkdir(parents=True, exist_ok=True)
    vmlinux = options.vmlinux or fetch(folder)
    Bench(options.build, vmlinux, folder, options.tries).run(options.quick)


main()
