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
sys.path.insert(0, str(HERE.parent))

from harness.capsule_writer import X86_64, x86_64_capsule  # noqa: E402  (behind the path)

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


class Symbols:
    """The symbol table: what the addresses and panics are made of, and what names are explained by."""

    def __init__(self, vmlinux):
        table = subprocess.run(["nm", "-S", "--defined-only", str(vmlinux)], capture_output=True,
                               text=True, check=True).stdout
        self.functions, self.places = [], collections.defaultdict(list)
        for words in map(str.split, table.splitlines()):
            sized = len(words) == 4
            start, size = int(words[0], 16), int(words[1], 16) if sized else 0
            if sized and words[2] in "tT" and size:
                self.functions.append((start, size, words[3]))
            self.places[SUFFIX.sub("", words[-1])].append((start, size))

    def addresses(self, count, seed=1):
        """Random addresses inside functions, as likely in a small one as in a large one."""
        pick = random.Random(seed)
        chosen = (pick.choice(self.functions) for _ in range(count))
        return [start + pick.randrange(size) for start, size, _ in chosen]

    def place(self, name, address):
        """(start, size) of the symbol of that name nearest below an address."""
        below = [place for place in self.places.get(name, ()) if place[0] <= address]
        return max(below, default=None)

    def why_another(self, address, ours, theirs):
        """Why two names were given for the code at an address."""
        mine, other = self.place(ours, address), self.place(theirs, address)
        if not mine or not other:
            return "another function"
        if mine[0] == other[0]:
            return "another of the symbols that begin at the same address"
        if mine[0] < other[0] < mine[0] + mine[1]:
            return ("a symbol within the function that we name" if other[1]
                    else "a mark without a size within the function that we name")
        return "another function"


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


def kind_of_difference(symbols, address, ours, theirs):
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
            return symbols.why_another(address, mine[0], other[0])
        if mine[2] != other[2]:
            return "another line"
    return "the unit's file or none in place of the declaration's"


UNEXPLAINED = {"another number of frames", "another function", "another line"}


def compare(table, symbols, addresses, ours, others):
    count = len(addresses)
    for name, theirs in others.items():
        kinds = collections.Counter(map(functools.partial(kind_of_difference, symbols), addresses,
                                        ours, theirs))
        same = kinds.pop("the same", 0)
        print(f"\n{name}: {same} of {count} answers are the same")
        for kind, times in kinds.most_common():
            print(f"  {times:6}  {kind}")
        wrong = sum(kinds[kind] for kind in UNEXPLAINED)
        table.add(f"unexplained differences from {name}", str(wrong), "0", wrong == 0)


# -- dead machines ---------------------------------------------------------------------------------

def code_at(vmlinux, address, before, length):
    """Bytes around an address of .text."""
    sections = subprocess.run(["readelf", "-SW", vmlinux], capture_output=True, text=True,
                              check=True).stdout
    start, offset = (int(word, 16) for word in
                     re.search(r"\.text +PROGBITS +(\w+) (\w+)", sections).groups())
    with open(vmlinux, "rb") as file:
        file.seek(offset + address - start - before)
        return file.read(length)


def an_instruction(vmlinux, start, size):
    """Where one in the middle of a function begins."""
    listed = subprocess.run(["objdump", "-d", f"--start-address={start:#x}",
                             f"--stop-address={start + size:#x}", vmlinux],
                            capture_output=True, text=True, check=True).stdout
    addresses = [int(found, 16) for found in re.findall(r"^ *([0-9a-f]+):\t", listed, re.M)]
    return addresses[len(addresses) // 2]


def linux_panic(symbols, vmlinux, seed=3):
    """An oops as Linux 6.1 prints it: the instruction's function and ten callers, all with the
    offsets and sizes of this kernel."""
    pick = random.Random(seed)
    large = [row for row in symbols.functions if 100 <= row[1] <= 4000 and "." not in row[2]]
    first = pick.choice([row for row in large if row[0] >> 24 == 0xffffffff81])
    address = an_instruction(vmlinux, *first[:2])
    chosen = [(first, address - first[0])]
    chosen += [(row, pick.randrange(16, row[1])) for row in pick.sample(large, 10)]
    tokens = [f"{row[2]}+{offset:#x}/{row[1]:#x}" for row, offset in chosen]
    code = [f"{byte:02x}" for byte in code_at(vmlinux, address, 42, 64)]
    code[42] = f"<{code[42]}>"
    lines = ["BUG: kernel NULL pointer dereference, address: 0000000000000014",
             "#PF: supervisor read access in kernel mode",
             "#PF: error_code(0x0000) - not-present page",
             "Oops: 0000 [#1] PREEMPT SMP NOPTI",
             "CPU: 1 PID: 85 Comm: init Not tainted 6.1.0-56-amd64 #1  Debian 6.1.192-2",
             f"RIP: 0010:{tokens[0]}",
             "Code: " + " ".join(code),
             "RSP: 0018:ffa00000003d3a38 EFLAGS: 00000202",
             "RAX: 0000000000000000 RBX: 0000000000000010 RCX: 0000000000000000",
             "CR2: 0000000000000014 CR3: 0000000005f5a000 CR4: 0000000000751ee0",
             "Call Trace:",
             " <TASK>", *(f" {token}" for token in tokens[1:]), " </TASK>",
             "---[ end trace 0000000000000000 ]---"]
    return "".join(f"[    5.681122] {line}\n" for line in lines)


def stopped_in(symbols, function):
    """The log of a capsule of a thread that stands in the middle of a function."""
    start, size = symbols.places[function][0]
    stack = 0xffffc90000010000
    registers = {name: 0xffff888000001000 + 64 * i for i, (name, _) in enumerate(X86_64)}
    registers |= {"rip": start + size // 2, "rsp": stack, "rbp": stack + 128}
    return x86_64_capsule(registers, [(stack, bytes(4096))])


# -- the figures ----------------------------------------------------------------------------------

class Bench:
    def __init__(self, build, vmlinux, folder, tries, script=None):
        self.fathom, self.vmlinux = str(pathlib.Path(build).resolve() / "fathom"), str(vmlinux)
        self.folder, self.tries, self.script = folder, tries, script
        self.index = str(folder / "vmlinux.fidx")
        self.table = Table()
        self.symbols = Symbols(vmlinux)
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
        many = self.symbols.addresses(100_000)
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
        # decode takes its index from the cache.
        subprocess.run([self.fathom, "index", self.vmlinux], check=True, stdout=subprocess.DEVNULL)
        self.panic()
        self.locals(quick)
        self.agreement(many[:5000] if quick else many)
        print()
        self.table.print()

    def row(self, name, seconds, commands):
        """One row: commands by who runs them, ours first, in turn; each reads nothing."""
        nothing = self.addresses("none", [])
        tries = {who: [] for who in commands}
        for _ in range(self.tries):
            for who, command in commands.items():
                if None not in tries[who]:
                    tries[who].append(self.measure(command, nothing))
        figures = {who: median(all_tries) for who, all_tries in tries.items()}
        mine = figures.pop("ours")
        self.table.add(name, text(mine), f"{seconds} s", mine and mine[0] <= seconds,
                       ", ".join(f"{who} {text(theirs)}" for who, theirs in figures.items()))

    def panic(self):
        """A log of Linux with its 11 functions, decoded with inlined calls and disassembly."""
        log = self.folder / "panic.log"
        log.write_text(linux_panic(self.symbols, self.vmlinux), encoding="ascii")
        decode = [self.fathom, "decode", "--no-source", str(log), "-e", self.vmlinux]
        commands = {"ours": decode}
        if self.script:
            commands["decode_stacktrace.sh"] = [
                "sh", "-c", 'bash "$0" "$1" < "$2"', str(self.script), self.vmlinux, str(log)]
        self.row("a Linux panic of 11 functions", 0.030, commands)

    def locals(self, quick):
        """Arguments and locals of one frame, of a capsule and of the core made of it."""
        log, core = self.folder / "capsule.log", self.folder / "core"
        log.write_text(stopped_in(self.symbols, "vfs_read"), encoding="ascii")
        decode = [self.fathom, "decode", str(log), "-e", self.vmlinux]
        subprocess.run(decode + ["--core", str(core)], check=True, stdout=subprocess.DEVNULL)
        commands = {"ours": decode + ["--locals", "--no-source", "--no-disassembly"]}
        if shutil.which("gdb") and not quick:
            commands["gdb"] = ["gdb", "-nx", "-batch", "-ex", "frame", "-ex", "info locals",
                               self.vmlinux, str(core)]
        self.row("locals of a frame", 0.1, commands)

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
        compare(self.table, self.symbols, addresses, ours, others)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--vmlinux", type=pathlib.Path)
    parser.add_argument("--tries", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="no peers for the long inputs")
    parser.add_argument("--script", type=pathlib.Path, default=next(pathlib.Path("/usr/src").glob(
        "linux-*/scripts/decode_stacktrace.sh"), None),
                        help="Linux' decode_stacktrace.sh (of Debian's linux-source, unpacked)")
    options = parser.parse_args()
    folder = pathlib.Path(options.build).resolve() / "bench" / "symbolizer"
    folder.mkdir(parents=True, exist_ok=True)
    vmlinux = options.vmlinux or fetch(folder)
    Bench(options.build, vmlinux, folder, options.tries, options.script).run(options.quick)


main()
