# SPDX-License-Identifier: MIT
"""`fathom decode` on panics of the real kernel: each machine crashes, its console is decoded.

What the crash site is comes from the source itself, so that the tests hold when lines move.
"""
import functools
import http.server
import json
import os
import pathlib
import re
import select
import subprocess
import termios
import threading
import time

import pytest

from harness.machine import BUILD, FATHOM

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOGS = ROOT / "tests" / "data" / "panics"
CRASH_C = "kernel/shell/crash.c"
DECODE_SECONDS = 60  # takes a few milliseconds; this is for one that hangs
END = r"end of panic report"


def line_of(text, path=CRASH_C):
    """The number of the only line that holds the text."""
    lines = (ROOT / path).read_text().splitlines()
    found = [number for number, line in enumerate(lines, 1) if text in line]
    assert len(found) == 1, f"{text!r} stands {len(found)} times in {path}"
    return found[0]


def kernel_of(arch):
    return os.path.join(BUILD, arch, "kernel.elf")


def decode(*words, stdin=None):
    """Runs `fathom decode`; returns what it printed."""
    result = subprocess.run([FATHOM, "decode", "--no-index", *map(str, words)], input=stdin,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            timeout=DECODE_SECONDS, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def decode_json(*words):
    return [json.loads(line) for line in decode("--json", *words).splitlines()]


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def crash(start):
    """Crashes a machine in one way; returns the path of its console's log."""
    def crash_one(kind):
        machine = start(cpus=2, append="panic=poweroff").boot()
        machine.type(f"crash {kind}\n")
        machine.wait_for(END)
        machine.close()
        return pathlib.Path(machine.folder) / "console.log"
    return crash_one


def annotation(output, frame):
    """The lines of ours beneath the first line that has this frame."""
    match = re.search(rf"^ *#{frame} .*\n((?:---  .*\n)+)", output, re.M)
    assert match, output
    return match[1]


def test_a_null_pointer_is_shown_where_it_was_used(arch, crash):
    log = crash("null")
    output = decode(log, "-e", kernel_of(arch), "--color", "never")
    line = line_of("(null_address + 8) = 1")
    where = annotation(output, 0)
    assert re.search(rf"crash_null at {CRASH_C}:{line}(:|$)", where, re.M), where
    assert re.search(rf"^--- +> +{line}  .*null_address \+ 8", where, re.M), where
    assert re.search(r"^--- +> 0xffffffff[0-9a-f]+ <\+0x[0-9a-f]+>  \w+", where, re.M), where
    assert "null pointer dereference in crash_null" in output
    assert "warning" not in output

    caller = line_of("crash->run();")
    assert re.search(rf"crash_thread at {CRASH_C}:{caller}(:|$)", annotation(output, 1), re.M)


def test_a_panic_in_json_names_function_file_and_line(arch, crash):
    log = crash("assert")
    [panic] = decode_json(log, "-e", kernel_of(arch))
    assert panic["arch"] == arch
    assert panic["boot_id"] == re.search(r"^build-id .*, boot ([0-9a-f]{32})$",
                                         log.read_text(errors="replace"), re.MULTILINE)[1]
    assert (panic["os"], panic["task"], panic["kind"]) == ("Fathom", "crash", "assert")
    assert panic["title"] == "assertion failed in crash_assert"
    assert not panic["corrupted"]
    # The compiler may have cut the function in two and inlined one part: the innermost has the line.
    place = next(frame for frame in panic["frames"] if frame["sym"] == "crash_assert")
    assert (place["file"], place["line"]) == (CRASH_C, line_of("ASSERT(zero == 1)"))


def test_a_live_panic_shows_what_the_whole_log_shows(arch, crash):
    """No trap brought it here, so where the source belongs is known by the frames' names only."""
    log = crash("assert")
    whole = decode(log, "-e", kernel_of(arch))
    line = line_of("ASSERT(zero == 1)")
    assert re.search(rf"^--- +> +{line}  .*ASSERT", whole, re.M), whole
    with open(log) as text:
        live = subprocess.run([FATHOM, "decode", "--follow", "--no-index", "-e", kernel_of(arch)],
                              stdin=text, capture_output=True, text=True, check=True,
                              timeout=DECODE_SECONDS).stdout
    # Only what is said of all of it comes later, when nothing more can belong to it.
    assert sorted(live.splitlines()) == sorted(whole.splitlines())


def places_of(decoded):
    """{a frame's line: the places written beneath it}"""
    places, line = {}, None
    for text in decoded.splitlines():
        if not text.startswith("---"):
            line = places.setdefault(text, [])
        elif re.match(r"---    \S.* at \S+:\d+", text):
            line.append(text)
    return {line: found for line, found in places.items() if re.match(r" *#\d+ 0x", line)}


def test_every_line_with_a_place_is_decoded_alone_as_in_the_report(arch, crash):
    log = crash("interrupt")
    report = places_of(decode(log, "-e", kernel_of(arch)))
    assert any(line.endswith("(interrupted)") for line in report)
    assert sum(bool(places) for places in report.values()) > 10
    for line, places in report.items():
        alone = decode("-", "-e", kernel_of(arch), stdin=line + "\n")
        assert places_of(alone) == {line: places}


def test_other_kernels_file_is_not_taken(arch, crash):
    others = [word for other in ("x86_64", "aarch64", "riscv64")
              if os.path.exists(kernel_of(other)) for word in ("-e", kernel_of(other))]
    [panic] = decode_json(crash("divide"), *others, "-e", kernel_of(arch))
    assert panic["kind"] == "ub"
    assert panic["frames"][0]["line"] == line_of("1 / zero")


def separate(arch, folder):
    """The kernel's debug information, in a folder as distributions have it; returns the build-id."""
    kernel = kernel_of(arch)
    notes = subprocess.run(["readelf", "-n", kernel], capture_output=True, text=True, check=True)
    build_id = re.search(r"Build ID: (\w+)", notes.stdout)[1]
    place = folder / ".build-id" / build_id[:2]
    place.mkdir(parents=True)
    subprocess.run([f"{arch}-linux-gnu-objcopy", "--only-keep-debug", kernel,
                    place / f"{build_id[2:]}.debug"], check=True)
    return build_id, place / f"{build_id[2:]}.debug"


def test_without_an_elf_file_the_build_id_finds_the_debug_information(arch, crash, tmp_path,
                                                                      monkeypatch):
    log = crash("null")
    build_id, debug = separate(arch, tmp_path / "debug")
    place = f"crash_null at {CRASH_C}:{line_of('(null_address + 8) = 1')}"
    assert place in decode(log, "--debug", tmp_path / "debug")
    monkeypatch.setenv("DEBUGINFOD_CACHE_PATH", str(tmp_path / "cache"))
    monkeypatch.delenv("DEBUGINFOD_URLS", raising=False)
    assert place not in decode(log)
    served = tmp_path / "served" / "buildid" / build_id
    served.mkdir(parents=True)
    debug.rename(served / "debuginfo")
    handler = functools.partial(QuietHandler, directory=tmp_path / "served")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("DEBUGINFOD_URLS", f"http://127.0.0.1:{server.server_port}")
        assert place in decode(log)
        server.shutdown()


# -- without a machine ----------------------------------------------------------------------------

def test_a_live_log_is_decoded_line_by_line():
    text = (LOGS / "linux-x86_64-null.log").read_text()
    process = subprocess.Popen([FATHOM, "decode", "--follow"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    try:
        seen = b""
        for line in text.splitlines():
            process.stdin.write(line.encode() + b"\r\n")
            process.stdin.flush()
            deadline = time.monotonic() + DECODE_SECONDS
            while line.rstrip().encode() not in seen:
                assert select.select([process.stdout], [], [], deadline - time.monotonic())[0], line
                seen += os.read(process.stdout.fileno(), 65536)
        process.stdin.close()
        seen += process.stdout.read()
        assert b"---  null pointer dereference in item_sum\n" in seen
        assert process.wait(DECODE_SECONDS) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_serial_line_is_read_and_hears_nothing():
    ours, theirs = os.openpty()
    with subprocess.Popen([FATHOM, "decode", "--follow", os.ttyname(theirs)],
                          stdout=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + DECODE_SECONDS
        while termios.tcgetattr(theirs)[3] & termios.ECHO and time.monotonic() < deadline:
            time.sleep(0.01)  # until it has opened its end; there is no event for that
        os.write(ours, b"PANIC: null pointer write at 0x8\r\n  #0 0x1 crash_null+0x1/0x2\r\n")
        assert process.stdout.readline() == "PANIC: null pointer write at 0x8\n"
        assert process.stdout.readline() == "  #0 0x1 crash_null+0x1/0x2\n"
        assert not select.select([ours], [], [], 0)[0], "what comes in is sent back"
        os.close(theirs)
        os.close(ours)
        process.kill()


def test_a_file_that_grows_is_followed(tmp_path):
    log = tmp_path / "serial.log"
    log.write_text("quiet\n")
    process = subprocess.Popen([FATHOM, "decode", "--follow", str(log)], stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"quiet\n"
        with log.open("a") as file:
            file.write("PANIC: null pointer write at 0x8\n")
        assert process.stdout.readline() == b"PANIC: null pointer write at 0x8\n"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


MODULE = """volatile int *gone;
__attribute__((section(".init.text"), noinline)) int parcel_init(int x)
{
    return *gone + x; // the first
}
__attribute__((noinline)) int parcel_open(int x)
{
    return *gone - x; // the second
}
"""


def test_functions_of_a_modules_sections_are_told_apart(tmp_path):
    """Both begin at 0 of their section. Logs have _ in names where files have -."""
    (tmp_path / "box.c").write_text(MODULE)
    module = tmp_path / "parcel-box.ko"
    subprocess.run(["gcc", "-g", "-O2", "-c", tmp_path / "box.c", "-o", module], check=True)
    for function, line, marker in (("parcel_init", 4, "the first"), ("parcel_open", 8, "the second")):
        output = decode("-e", module, stdin=f"""BUG: kernel NULL pointer dereference, address: 0
CPU: 1 PID: 86 Comm: init Tainted: G
RIP: 0010:{function}+0x7/0x20 [parcel_box]
Call Trace:
---[ end trace 0000000000000000 ]---
""")
        assert re.search(rf"^---    {function} at {tmp_path}/box\.c:{line}:", output, re.M), output
        assert re.search(rf"^---    > +{line}  .*// {marker}$", output, re.M), output
        assert re.search(r"^---    > 0x7 <\+0x7>  movl ", output, re.M), output


@pytest.mark.parametrize("log, count, name, value", [
    ("freebsd-trap", 9, "rbx", "0xfffff80003a1c400"),
    ("freebsd-double-fault", 18, "rip", "0xffffffff82112345"),
    ("freebsd-arm64", 10, "elr", "0xffff00000123a5c4"),
    ("freebsd-riscv", 10, "t[1]", "0x1"),
    ("zircon", 8, "RIP", "0xffffffff00115d55"),
])
def test_registers_of_other_kernels(log, count, name, value):
    panic = decode_json(LOGS / f"{log}.log")[0]
    assert len(panic["regs"]) == count
    assert panic["regs"][name] == value


def test_standard_input_is_a_log():
    assert "kernel BUG in oopser_init" in decode(stdin=(LOGS / "linux-x86_64-bug.log").read_text())


def test_a_log_is_pasted_into_a_terminal():
    log = (LOGS / "fathom-x86_64-null.log").read_text().replace("\t", " ")
    ours, theirs = os.openpty()
    with subprocess.Popen([FATHOM, "decode"], stdin=theirs, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        assert "Ctrl-D" in process.stderr.readline()
        os.write(ours, log[log.index("PANIC"):].encode() + b"\x04")
        output, _ = process.communicate(timeout=DECODE_SECONDS)
    os.close(ours)
    os.close(theirs)
    assert "null pointer dereference in crash_null" in output


def test_the_same_panic_is_counted_once_for_each_time_it_happened():
    groups = [json.loads(line) for line in decode("--dedup", "--json", LOGS).splitlines()]
    [group] = [group for group in groups if group["title"].endswith("in crash_null")]
    assert group["count"] == 3
    assert sorted(map(os.path.basename, group["logs"])) == [
        f"fathom-{arch}-null.log" for arch in ("aarch64", "riscv64", "x86_64")]
    assert group["sig"] == decode_json(LOGS / "fathom-x86_64-null.log")[0]["sig"]
    counts = [group["count"] for group in groups]
    assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize("whole, damaged", [
    ("#0 ", "# "), ("crash_null+", "crash_nul+"), ("  #1", "#1"), ("(crash):", "(crash"),
    ("rax 0000", "rax 000"), ("end of panic report", "end of panic epor"),
])
def test_lost_bytes_leave_the_signature(whole, damaged):
    log = (LOGS / "fathom-x86_64-null.log").read_text()
    assert whole in log
    told = [json.loads(decode("--json", stdin=text))
            for text in (log, log.replace(whole, damaged, 1))]
    if "crash_nul" in whole:  # a name can be found again by its address only, in an ELF file
        assert told[1]["title"] == "null pointer dereference in crash_nul"
    else:
        assert told[0]["sig"] == told[1]["sig"]


def test_a_logs_name_is_printable_whatever_it_is(tmp_path):
    path = os.fsencode(tmp_path) + b"/b\xe4d\033[1m.log"
    with open(path, "wb") as log:
        log.write((LOGS / "linux-x86_64-null.log").read_bytes())
    for words in (["--json"], ["--dedup", "--json"], ["--dedup"]):
        told = subprocess.run([FATHOM, "decode", *words, path], capture_output=True, check=True)
        assert r"/b\xe4d" in told.stdout.decode().replace("\\\\", "\\"), told.stdout
        assert b"\033" not in told.stdout


def test_programs_among_logs_are_no_logs(tmp_path):
    (tmp_path / "a.log").write_text("PANIC: x\nend of panic report\n")
    (tmp_path / "tool").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(4000) + b"\nPANIC: %s\n")
    (tmp_path / ".hidden").write_text("PANIC: hidden\n")
    [group] = decode("--dedup", "--json", tmp_path).splitlines()
    assert json.loads(group)["count"] == 1


def test_html_is_one_page():
    page = decode("--html", LOGS / "linux-x86_64-null.log")
    assert page.startswith("<!DOCTYPE html>") and page.endswith("</html>\n")
    assert "null pointer dereference in item_sum" in page


def test_color_only_where_it_is_wanted():
    log = LOGS / "linux-x86_64-null.log"
    assert "\033[" not in decode(log)
    assert "\033[" in decode("--color=always", log)


@pytest.mark.parametrize("words, status, text", [
    (["nowhere.log"], 1, "cannot open nowhere.log: No such file or directory"),
    (["-e", "nowhere.elf"], 1, "nowhere.elf"),
    (["--jsn"], 2, "unknown option '--jsn'; did you mean '--json'?"),
    (["--html", "--json"], 2, "--html"),
])
def test_what_cannot_be_done_is_said_in_a_line(words, status, text):
    result = subprocess.run([FATHOM, "decode", *words], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    assert result.returncode == status
    assert text in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_missing_disassembler_is_said_and_the_rest_is_shown(tmp_path):
    """A library of its name without its functions stands in for one that is not installed."""
    log = LOGS / "linux-x86_64-null.log"
    whole = decode(log)
    name = next(word for word in subprocess.run(
        ["strings", FATHOM], capture_output=True, text=True, check=True).stdout.split()
        if word.startswith("libcapstone.so."))
    subprocess.run(["gcc", "-shared", "-o", tmp_path / name, "-x", "c", "/dev/null"], check=True)
    result = subprocess.run([FATHOM, "decode", "--no-index", log], capture_output=True, text=True,
                            timeout=DECODE_SECONDS, check=True,
                            env={**os.environ, "LD_LIBRARY_PATH": str(tmp_path)})
    assert f"warning: {name} is missing" in result.stdout
    assert "warning" not in whole
    rest = [line for line in result.stdout.splitlines() if "is missing" not in line]
    assert set(rest) < set(whole.splitlines())
