# SPDX-License-Identifier: MIT
"""`fathom addr2line` prints what binutils prints, byte for byte, with an index and without one; and
`fathom index` makes, packs, checks and refuses indexes.

What is compared are programs of this machine's compilers and our three kernels. Left out is what
docs/symbolizer-differences.md lists, which binutils gets wrong: inlined calls in clang's DWARF 5,
functions of headers that were not inlined, and inlined C++ functions without a linkage name.
"""
import http.server
import json
import os
import random
import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from conftest import ARCHES
from harness.machine import BUILD

SOURCES = Path(__file__).parent / "symbolizer"
FATHOM = str(Path(BUILD) / "fathom")
FLAGS = ["", "-f", "-fi", "-fip", "-fiCa", "-apfs", "-ias"]
PROGRAMS = {
    "gcc-dwarf5": ["gcc", "-gdwarf-5"],
    "gcc-dwarf4": ["gcc", "-gdwarf-4"],
    "gcc-symbols-only": ["gcc", "-g0"],
    "gcc-stripped": ["gcc", "-g0", "-s"],
    "clang-dwarf4": ["clang-14", "-gdwarf-4"],
}


@pytest.fixture(autouse=True)
def cache(folder, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.delenv("DEBUGINFOD_URLS", raising=False)
    return folder / "cache" / "fathom" / "index"


def run(*words, stdin=None, status=0):
    result = subprocess.run([str(word) for word in words], input=stdin, text=True,
                            capture_output=True, timeout=60)
    assert result.returncode == status, f"{words}: {result.returncode} {result.stderr}"
    return result.stderr if status else result.stdout


def build(folder, command, *more):
    """A C program with the C library's start files, which have symbols and no debug information."""
    for source in SOURCES.iterdir():
        shutil.copy(source, folder)
    run(*command[:1], "-O2", *command[1:], *more, folder / "prog.c", folder / "second.c", "-o",
        folder / "prog")
    return folder / "prog"


def code(elf, step=1):
    """Every step-th address of executable sections, and some that lie in none, as lines."""
    addresses = [0, 1, 0x123, 0xffffffffffffffff]
    for line in run("readelf", "-SW", elf).splitlines():
        match = re.match(r"\s*\[\s*\d+\] \S+\s+PROGBITS\s+(\S+) \S+ (\S+) \S+\s+(\S+)", line)
        if match and "X" in match[3]:
            start, size = int(match[1], 16), int(match[2], 16)
            addresses += range(start, start + size + 3, step)
    return "".join(f"{address:x}\n" for address in addresses)


def functions(elf):
    """(address, size) of the functions."""
    return [(int(words[0], 16), int(words[1], 16))
            for words in map(str.split, run("nm", "-S", "--defined-only", elf).splitlines())
            if len(words) == 4 and words[2] in "tT" and int(words[1], 16)]


def words(flags):
    return [flags] if flags else []


def fathom(elf, flags, addresses, *options):
    return run(FATHOM, "addr2line", "-e", elf, *words(flags), *options, stdin=addresses)


@pytest.mark.parametrize("index", ["never", "always"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_it_prints_what_binutils_prints(program, index, folder):
    elf = build(folder, PROGRAMS[program])
    addresses = code(elf)
    for flags in FLAGS:
        theirs = run("addr2line", "-e", elf, *words(flags), stdin=addresses)
        assert fathom(elf, flags, addresses, "--index", index) == theirs, f"with '{flags}'"


# pack.c includes lz4.c, which therefore is the first file of its line table: difference 1 of the page.
LZ4 = re.compile(r"^((?: \(inlined by\) )?\w* ?(?:at )?)\S*/(?:kdebug/pack|lz4/lz4)\.c:", re.M)


def without_lz4(printed):
    return LZ4.sub(r"\1lz4:", printed)


@pytest.mark.parametrize("arch", ARCHES)
def test_it_prints_what_binutils_prints_of_our_kernel(arch, folder):
    elf = Path(BUILD) / arch / "kernel.elf"
    tool = f"{arch}-linux-gnu-addr2line"
    addresses = code(elf, step=5)
    theirs = run(tool, "-afiC", "-e", elf, stdin=addresses)
    assert theirs.count("\n") > 20000
    ours = fathom(elf, "-afiC", addresses, "--index", "always")
    assert without_lz4(ours) == without_lz4(theirs)
    # Padding between functions belongs to no unit, and the lazy way stops there.
    inside = "".join(f"{start + i:x}\n" for start, size in functions(elf)
                     for i in range(0, size, 5))
    theirs = run(tool, "-fip", "-e", elf, stdin=inside)
    ours = fathom(elf, "-fip", inside, "--index", "never")
    assert without_lz4(ours) == without_lz4(theirs)


def test_order_does_not_matter(folder):
    elf = Path(BUILD) / ARCHES[0] / "kernel.elf"
    lines = code(elf, step=3).splitlines(keepends=True)
    run(FATHOM, "index", elf)
    straight = fathom(elf, "-fipa", "".join(lines)).splitlines()
    answers = {}
    for line in straight:
        if line.startswith(" (inlined by)"):
            answers[address].append(line)
        else:
            address = line.split(":")[0]
            answers[address] = [line]
    shuffled = lines + random.Random(1).choices(lines, k=5000)
    random.Random(2).shuffle(shuffled)
    expected = [answer for line in shuffled for answer in answers[f"{int(line, 16):#018x}"]]
    assert fathom(elf, "-fipa", "".join(shuffled)).splitlines() == expected


def test_addresses_come_in_every_form(folder):
    elf = build(folder, PROGRAMS["gcc-dwarf5"])
    start, _ = functions(elf)[0]
    lines = f"\n{start:x}\n0x{start:X}\n  {start:x} and more\nnonsense\n-1\n0x\n{start:x}\r\n" \
            f"{start:x}"
    assert fathom(elf, "-fa", lines) == run("addr2line", "-fae", elf, stdin=lines)
    operands = [f"{start:x}", f"0x{start + 1:x}", "nonsense"]
    assert run(FATHOM, "addr2line", "-e", elf, "-fp", *operands) == \
        run("addr2line", "-e", elf, "-fp", *operands)
    # Options may stand behind addresses, and the format is accepted and not needed.
    assert run(FATHOM, "addr2line", operands[0], "-e", elf, "-b", "elf64-x86-64", "--functions",
               "--demangle=auto") == run("addr2line", operands[0], "-e", elf, "-fC")


SYMBOLS = """main
main+4
\t main+0x1c
main+010
main +4
main+ 4
main+zz
main+-4
main 4
face
face+3
facez
face 3
_start+1
nosuch
nosuch+5
-main
0xface+1
"""


@pytest.mark.parametrize("index", ["never", "always"])
def test_symbols_with_and_without_an_offset_are_addresses(index, folder):
    (folder / "face.c").write_text("int table[4];\n"
                                   "int face(int x)\n{\n    return x + table[1];\n}\n")
    elf = build(folder, PROGRAMS["gcc-dwarf5"], folder / "face.c")
    for questions in (SYMBOLS, SYMBOLS.replace("\n", "\r\n")):
        theirs = run("addr2line", "-fae", elf, stdin=questions)
        assert fathom(elf, "-fa", questions, "--index", index) == theirs
    # binutils knows the lines of variables, too, which are no code: difference 12 of the page.
    theirs = run("addr2line", "-a", "-e", elf, "table", "table+8").splitlines()[::2]
    assert run(FATHOM, "addr2line", "-a", "-e", elf, "table", "table+8").splitlines()[::2] == theirs


def test_readable_names_are_addresses(folder):
    run("g++", "-g", SOURCES / "prog.cc", "-o", folder / "prog")
    words = ["-fC", "-e", folder / "prog", "outer::square::area(int)+8", "outer::square::area"]
    theirs = run("addr2line", *words)
    assert theirs.startswith("outer::square::area(int)\n")
    assert run(FATHOM, "addr2line", *words) == theirs


def test_words_come_from_a_file(folder):
    elf = build(folder, PROGRAMS["gcc-dwarf5"])
    (folder / "words").write_text(f"-a -f\n-p --exe '{elf}' main 1129\n")
    words = [f"@{folder / 'words'}", "main+4"]
    assert run(FATHOM, "addr2line", *words) == run("addr2line", *words)


def test_every_option_of_binutils_is_taken(folder):
    elf = build(folder, PROGRAMS["gcc-dwarf5"])
    for words in (["--functions", "--inlines", "--pretty-print", "--basenames", "--addresses"],
                  ["--section=.text", "--target=elf64-x86-64"], ["-b", "anything", "-R"],
                  ["--recurse-limit"], ["--no-recurse-limit", "--demangle"], ["-r", "-C"],
                  ["--demangle=none"], ["--demangle=gnu-v3", "--func"]):
        words += [f"--exe={elf}", "main", "30"]
        theirs = [word for word in words if word not in ("-b", "anything")]
        assert run(FATHOM, "addr2line", *words) == run("addr2line", *theirs)
    assert run(FATHOM, "addr2line", "--version").startswith("fathom addr2line ")
    assert run(FATHOM, "addr2line", "-v") == run(FATHOM, "addr2line", "--version")


@pytest.mark.parametrize("index", ["never", "always"])
def test_an_object_file_is_asked_without_a_section(index, folder):
    for source in SOURCES.iterdir():
        shutil.copy(source, folder)
    run("gcc", "-g", "-O2", "-c", "-ffunction-sections", folder / "prog.c", "-o",
        folder / "prog.o")
    offsets = "".join(f"{i:x}\n" for i in range(1, 0x100))  # at 0 there is a variable, too
    theirs = run("addr2line", "-fpe", folder / "prog.o", stdin=offsets)
    assert theirs.count("prog.c:") > 20
    assert fathom(folder / "prog.o", "-fp", offsets, "--index", index) == theirs


@pytest.mark.parametrize("index", ["never", "always"])
def test_calls_inlined_beside_a_local_class(index, folder):
    """The methods of the class stand among the calls in the debug information."""
    (folder / "guard.cc").write_text("""
volatile int sink;
inline __attribute__((always_inline)) int before(int x) { sink = x; return x; }
inline __attribute__((always_inline)) int behind(int x) { sink = x; return x + 1; }
int work(int x)
{
    struct guard {
        int v;
        __attribute__((noinline)) guard(int a) : v(before(a)) { sink = a; }
        __attribute__((noinline)) ~guard() { sink = v; }
    } local(before(x));
    return behind(x) + local.v;
}
int main(int argc, char **) { return work(argc); }
""")
    run("g++", "-gdwarf-4", folder / "guard.cc", "-o", folder / "guard")
    theirs = run("addr2line", "-fie", folder / "guard", stdin=code(folder / "guard"))
    assert re.search(r"\n_Z6behindi\n.*\n_Z4worki\n", theirs)
    assert fathom(folder / "guard", "-fi", code(folder / "guard"), "--index", index) == theirs


@pytest.mark.parametrize("index", ["never", "always"])
def test_symbols_of_a_file_without_a_name(index, folder):
    """So the linker marks its own symbols in a shared library."""
    for source in SOURCES.iterdir():
        shutil.copy(source, folder)
    run("clang-14", "-g", "-fPIC", "-shared", folder / "second.c", "-o", folder / "second.so")
    addresses = code(folder / "second.so")
    theirs = run("addr2line", "-fpe", folder / "second.so", stdin=addresses)
    assert " at :?" in theirs
    assert fathom(folder / "second.so", "-fp", addresses, "--index", index) == theirs


MARKS = """
.macro code name
    \\name: nop; nop; nop; ret
.endm
.globl mark, first, after, second, before, third, last, typed, _start
_start: mark:
code first
after:
.size first, . - first
before:
code second
.size second, . - second
code third
last:
.size third, . - third
.type typed, @function
code typed
.size typed, . - typed
"""


@pytest.mark.parametrize("index", ["never", "always"])
def test_marks_without_a_size_beside_symbols_that_have_one(index, folder):
    (folder / "marks.s").write_text(MARKS)
    elf = folder / "marks"
    run("gcc", "-nostdlib", "-static", "-g0", folder / "marks.s", "-o", elf)
    start = int(re.search(r"(\w+) T _start", run("nm", elf))[1], 16)
    addresses = "".join(f"{address:#x}\n" for address in range(start, start + 16))
    theirs = run("addr2line", "-fe", elf, stdin=addresses)
    assert {"first", "second", "third", "typed"} <= set(theirs.splitlines())
    assert fathom(elf, "-f", addresses, "--index", index) == theirs


def test_offsets_in_sections(folder):
    elf = build(folder, PROGRAMS["gcc-dwarf5"])
    offsets = "".join(f"{i:x}\n" for i in range(0, 0x300))
    theirs = run("addr2line", "-fie", elf, "-j", ".text", stdin=offsets)
    assert fathom(elf, "-fi", offsets, "-j", ".text") == theirs
    assert "no section .nope" in run(FATHOM, "addr2line", "-e", elf, "-j", ".nope", "1", status=1)


def test_each_answer_comes_before_the_next_question(folder):
    elf = build(folder, PROGRAMS["gcc-dwarf5"])
    with subprocess.Popen([FATHOM, "addr2line", "-fpe", elf], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True, bufsize=1) as child:
        for start, _ in functions(elf)[:5]:
            print(f"{start:x}", file=child.stdin, flush=True)
            assert child.stdout.readline() == run("addr2line", "-fpe", elf, f"{start:x}")
        child.stdin.close()
        assert child.wait(20) == 0


def test_memory_does_not_grow_with_the_input(folder):
    elf = build(folder, PROGRAMS["gcc-dwarf5"])
    addresses = folder / "addresses"
    peaks = []
    for count in (400_000, 1_200_000):
        with open(addresses, "w") as file:
            for i in range(count):
                file.write(f"{i:x}\n")
        with open(addresses) as stdin:
            child = subprocess.Popen([FATHOM, "addr2line", "-fie", elf], stdin=stdin,
                                     stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            assert child.returncode == 0
            peaks.append(usage.ru_maxrss)
    assert peaks[1] < 1.2 * peaks[0] + 2000


def test_json_tells_the_same(folder):
    elf = build(folder, PROGRAMS["gcc-dwarf5"])
    addresses = code(elf)
    for index in ("never", "always"):
        lines = fathom(elf, "", addresses, "--json", "--index", index).splitlines()
        texts = []
        for line, address in zip(lines, addresses.split(), strict=True):
            told = json.loads(line)
            assert int(told["address"], 16) == int(address, 16)
            frames = told["frames"]
            assert [frame["inlined"] for frame in frames] == \
                [i + 1 < len(frames) for i in range(len(frames))]
            texts.append([(frame.get("function"), frame.get("line")) for frame in frames])
        assert any(len(text) > 1 for text in texts)
        if index == "never":
            lazy = lines
    assert lines == lazy


def test_wrong_use_is_told(folder):
    assert "No such file" in run(FATHOM, "addr2line", "-e", folder / "missing", "1", status=1)
    text = folder / "text"
    text.write_text("no program at all")
    assert str(text) in run(FATHOM, "addr2line", "-e", text, "1", status=1)
    assert "did you mean '--functions'" in run(FATHOM, "addr2line", "--function5", status=2)
    assert "which ELF file" in run(FATHOM, "index", status=2)
    assert str(text) in run(FATHOM, "index", text, status=1)


# -- separate debug files -------------------------------------------------------------------------

def split_debug(folder, *build_flags, link="prog.debug"):
    """(the stripped program, its debug file, the answers of the whole program, the addresses)"""
    whole = build(folder, PROGRAMS["gcc-dwarf5"], *build_flags)
    addresses = code(whole)
    expected = run("addr2line", "-fie", whole, stdin=addresses)
    debug = folder / link
    run("objcopy", "--only-keep-debug", whole, debug)
    bare = folder / "bare" / "prog"
    bare.parent.mkdir()
    run("objcopy", "--strip-all", f"--add-gnu-debuglink={debug}", whole, bare)
    assert "prog.c" not in fathom(bare, "-fi", addresses)
    return bare, debug, expected, addresses


@pytest.mark.parametrize("where", ["beside", ".debug", "folder"])
@pytest.mark.parametrize("index", ["never", "always"])
def test_a_debug_file_is_found_by_its_link(where, index, folder):
    bare, debug, expected, addresses = split_debug(folder, "-Wl,--build-id=none")
    place, options = {"beside": (bare.parent, []), ".debug": (bare.parent / ".debug", []),
                      "folder": (Path(f"{folder}/debug{bare.parent.resolve()}"),
                                 ["--debug-dir", folder / "debug"])}[where]
    place.mkdir(parents=True, exist_ok=True)
    shutil.move(debug, place / debug.name)
    assert fathom(bare, "-fi", addresses, "--index", index, *options) == expected
    # Another file of that name has another checksum.
    with open(place / debug.name, "ab") as file:
        file.write(b"more")
    assert "prog.c" not in fathom(bare, "-fi", addresses, "--index", "never", *options)


def test_a_debug_file_is_found_by_the_build_id(folder):
    bare, debug, expected, addresses = split_debug(folder, "-Wl,--build-id=sha1")
    build_id = re.search(r"Build ID: (\w+)", run("readelf", "-n", bare))[1]
    place = folder / "debug" / ".build-id" / build_id[:2] / f"{build_id[2:]}.debug"
    place.parent.mkdir(parents=True)
    shutil.move(debug, place)
    options = ["--debug-dir", folder / "debug"]
    assert fathom(bare, "-fi", addresses, *options) == expected
    # One of another program is not believed, whatever its name.
    other = folder / "other"
    other.mkdir()
    second = build(other, PROGRAMS["gcc-dwarf4"], "-DOTHER", "-Wl,--build-id=sha1")
    run("objcopy", "--only-keep-debug", second, place)
    assert "prog.c" not in fathom(bare, "-fi", addresses, "--index", "never", *options)


class DebugServer(http.server.BaseHTTPRequestHandler):
    """What debuginfod serves: one file under its build-id."""

    def do_GET(self):
        self.server.asked.append(self.path)
        content = self.server.files.get(self.path)
        self.send_response(200 if content else 404)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *words):
        pass


@pytest.fixture
def debuginfod(folder, monkeypatch):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), DebugServer)
    server.files, server.asked = {}, []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("DEBUGINFOD_URLS", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setenv("DEBUGINFOD_CACHE_PATH", str(folder / "debuginfod"))
    yield server
    server.shutdown()
    server.server_close()


def test_debuginfod_serves_what_is_not_here(folder, debuginfod):
    bare, debug, expected, addresses = split_debug(folder, "-Wl,--build-id=sha1")
    build_id = re.search(r"Build ID: (\w+)", run("readelf", "-n", bare))[1]
    where = f"/buildid/{build_id}/debuginfo"
    assert where in debuginfod.asked  # and nothing was there
    shutil.rmtree(folder / "debuginfod")
    debuginfod.files[where] = debug.read_bytes()
    debug.unlink()
    assert fathom(bare, "-fi", addresses) == expected


# -- indexes --------------------------------------------------------------------------------------

def test_an_index_is_kept_in_the_cache_and_used(folder, cache):
    elf = build(folder, PROGRAMS["gcc-dwarf5"], "-Wl,--build-id=0x1234abcd")
    path = Path(run(FATHOM, "index", elf).strip())
    build_id = re.search(r"Build ID: (\w+)", run("readelf", "-n", elf))[1]
    assert path == cache / build_id[:2] / f"{build_id[2:]}.fidx"
    assert list(path.parent.iterdir()) == [path]  # and no temporary file
    made = path.stat().st_mtime_ns
    assert run(FATHOM, "index", elf).strip() == str(path)
    assert path.stat().st_mtime_ns == made  # it was good
    assert run(FATHOM, "index", "--check", elf).strip() == str(path)
    # Answers come from it: the build-id is what counts, not what the file holds.
    addresses = code(elf)
    expected = fathom(elf, "-fi", addresses)
    other = build(folder, PROGRAMS["gcc-dwarf5"], "-O0", "-Wl,--build-id=0x1234abcd")
    assert fathom(other, "-fi", addresses) == expected
    assert fathom(other, "-fi", addresses, "--index", "never") != expected


def test_an_index_of_symbols_makes_way_for_debug_information(folder):
    bare, debug, expected, addresses = split_debug(folder, "-Wl,--build-id=sha1")
    moved = folder / "elsewhere"
    shutil.move(debug, moved)
    run(FATHOM, "index", bare)
    assert "prog.c" not in fathom(bare, "-fi", addresses)
    shutil.move(moved, bare.parent / debug.name)
    assert fathom(bare, "-fi", addresses) == expected
    run(FATHOM, "index", bare)
    assert fathom(bare, "-fi", addresses) == expected


def test_a_packed_index_answers_without_the_program(folder):
    elf = build(folder, PROGRAMS["gcc-dwarf5"])
    addresses = code(elf)
    expected = run("addr2line", "-fie", elf, stdin=addresses)
    packed = folder / "shipped"
    assert run(FATHOM, "index", "--pack", "-o", packed, elf).strip() == str(packed)
    plain = folder / "plain"
    run(FATHOM, "index", "-o", plain, elf)
    assert packed.stat().st_size < plain.stat().st_size
    elf.unlink()
    assert fathom(packed, "-fi", addresses) == expected
    assert fathom(plain, "-fi", addresses) == expected
    assert run(FATHOM, "index", "--check", packed).strip() == str(packed)


def test_an_index_that_does_not_match_is_refused(folder):
    elf = build(folder, PROGRAMS["gcc-dwarf5"], "-Wl,--build-id=sha1")
    index = folder / "index"
    run(FATHOM, "index", "-o", index, elf)
    build(folder, PROGRAMS["gcc-dwarf4"], "-O1", "-Wl,--build-id=sha1")
    message = run(FATHOM, "addr2line", "-e", elf, "--index-file", index, "1", status=1)
    assert "another build-id" in message


def test_a_file_without_a_build_id_is_known_by_size_and_time(folder):
    elf = build(folder, PROGRAMS["gcc-dwarf5"], "-Wl,--build-id=none")
    index = folder / "index"
    run(FATHOM, "index", "-o", index, elf)
    fathom(elf, "-f", "1\n", "--index-file", index)
    os.utime(elf, (1, 1))
    message = run(FATHOM, "addr2line", "-e", elf, "--index-file", index, "1", status=1)
    assert "older" in message


def test_a_damaged_index_in_the_cache_is_as_good_as_none(folder):
    elf = build(folder, PROGRAMS["gcc-dwarf5"])
    addresses = code(elf)
    expected = run("addr2line", "-fie", elf, stdin=addresses)
    path = Path(run(FATHOM, "index", elf).strip())
    path.write_bytes(path.read_bytes()[:-8])
    assert "cut off" in run(FATHOM, "index", "--check", elf, status=1)
    assert fathom(elf, "-fi", addresses, "--index", "auto") == expected
    assert fathom(elf, "-fi", addresses, "--index", "always") == expected
    assert run(FATHOM, "index", "--check", elf).strip() == str(path)
