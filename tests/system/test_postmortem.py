# SPDX-License-Identifier: MIT
"""The dead machine: what `fathom decode` makes of the capsule in a panic's log. gdb looks at it over
--gdb and in a --core file, and our own unwinder and printer of variables must see what gdb sees. drgn
and readelf read the core file too.
"""
import re
import subprocess

import drgn
import pytest

from harness.batch import run_gdb
from harness.capsule import Capsule
from harness.machine import BUILD, FATHOM

# The functions of the thread that `crash null` panics in, from the innermost one.
CRASHED = ["crash_null", "crash_thread", "thread_start", "thread_begin"]
THREADS = {"crash", "shell", "reaper", "ticker", "cpu0", "cpu1"}

_texts = {}


def panic_text(start, kind="null"):
    """What a machine with two CPUs prints when it panics."""
    machine = start(gdb=False, cpus=2, append="panic=poweroff").boot()
    machine.type(f"crash {kind}\n")
    machine.wait_for(r"^end panic capsule .*\n")
    return machine.console.text


@pytest.fixture
def kernel(arch):
    return f"{BUILD}/{arch}/kernel.elf"


@pytest.fixture
def log(arch, folder, request):
    """A file with that text; one machine of a kind serves all tests."""
    if arch not in _texts:
        _texts[arch] = panic_text(request.getfixturevalue("start"))
    path = folder / "panic.log"
    path.write_text(_texts[arch], encoding="utf-8")
    return path


def decode(*arguments, status=0):
    result = subprocess.run([FATHOM, "decode", *map(str, arguments)], capture_output=True, text=True,
                            timeout=60, check=False)
    assert result.returncode == status, result.stderr
    return result


class Server:
    """`fathom decode --gdb`."""

    def __init__(self, log, *arguments):
        self.process = subprocess.Popen([FATHOM, "decode", "--gdb", "0", str(log), *arguments],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.port = int(re.search(r"target remote 127\.0\.0\.1:(\d+)",
                                  self.process.stdout.readline())[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def gdb_remote(log, kernel, folder, *commands):
    with Server(log, "-e", kernel) as server:
        setup = [f"file {kernel}", f"target remote 127.0.0.1:{server.port}"]
        # The last command gets gdb's parting words, too.
        return run_gdb([*setup, *commands, "echo"], folder)[len(setup):-1]


def gdb_core(log, kernel, folder, *commands):
    core = folder / "core"
    decode("--core", core, log, "-e", kernel)
    setup = [f"file {kernel}", f"core-file {core}"]
    outputs = run_gdb([*setup, *commands], folder)
    warnings = [line for line in outputs[1].split("\n") if line.startswith("warning")]
    assert all("more recent" in line for line in warnings), outputs[1]  # a source, being edited
    return outputs[len(setup):]


def functions(trace):
    """The functions of one thread's backtrace, from the innermost one."""
    return re.findall(r"^#\d+ +(?:0x[0-9a-f]+ (?:in )?)?(\w+) \(", trace, re.M)


def traces(text, head):
    """Backtraces by thread; `head` matches the line before each, with the thread's number."""
    parts = re.split(head, text, flags=re.M)[1:]
    return {int(number): functions(trace) for number, trace in zip(parts[::2], parts[1::2])}


def test_gdb_sees_the_dead_machine(log, kernel, folder):
    threads, trace, source, registers, code, reason, console, lost = gdb_remote(
        log, kernel, folder, "info threads", "bt", "info source", "info registers pc", "x/2i $pc",
        "monitor reason", "monitor log", "monitor lost")
    assert set(re.findall(r'Thread \d+ "(\w+)"', threads)) == THREADS
    assert re.search(r'^\* 1 +Thread \d+ "crash" \(CPU \d, panicked\)', threads, re.M)
    assert functions(trace) == CRASHED
    assert "kernel/shell/crash.c" in source
    assert "<crash_null" in registers
    assert "=> " in code and "<crash_null+" in code  # out of the ELF: text is not in a capsule
    assert reason.startswith("PANIC: null pointer write at 0x8\n")
    assert "CPUs, ready" in console
    assert "the capsule is whole" in lost


def test_gdb_cannot_change_it(log, kernel, folder):
    stack, register, text, step, _, trace = gdb_remote(
        log, kernel, folder, "set var *(long *)$sp = 1", "set var $sp = 1",
        "set var *(char *)$pc = 0", "continue", "frame 0", "bt")
    assert "error" in stack and "error" in text
    assert "can only be read" in register and "can only be read" in step
    assert functions(trace) == CRASHED


def test_memory_that_is_not_there_is_said_so(log, kernel, folder):
    far, = gdb_remote(log, kernel, folder, "x/1xg 0x123450")
    assert "Cannot access memory at address 0x123450" in far


def test_a_core_file_tells_what_the_session_tells(log, kernel, folder):
    commands = ["thread apply all bt", "p/x $pc", "x/8xg $sp", "x/4i $pc"]
    remote = gdb_remote(log, kernel, folder, *commands)
    core = gdb_core(log, kernel, folder, *commands)
    heads = r"^Thread \d+ \((?:Thread|LWP) (\d+)\b.*\n"
    of_remote, of_core = traces(remote[0], heads), traces(core[0], heads)
    assert len(of_remote) == len(THREADS)
    assert of_core == of_remote
    assert core[1:] == remote[1:]


def test_other_tools_read_the_core_file(log, kernel, folder, arch):
    core = folder / "core"
    decode("--core", core, log, "-e", kernel)
    notes = subprocess.run(["readelf", "-nW", core], capture_output=True, text=True,
                           check=True).stdout
    assert notes.count("NT_PRSTATUS") == len(THREADS)
    assert "FATHOM" in notes
    program = drgn.Program()
    program.set_core_dump(core)
    program.load_debug_info([kernel])
    threads = list(program.threads())
    assert len(threads) == len(THREADS)
    assert program["cpus"][0].type_.type_name() == "struct cpu"
    if arch == "riscv64":
        return  # drgn does not unwind on it
    crashed = [thread for thread in threads if "crash_null" in str(thread.stack_trace())]
    assert len(crashed) == 1
    names = [frame.name for frame in crashed[0].stack_trace()]
    assert [name for name in names if name] == CRASHED


def test_the_unwinder_sees_the_frames_that_gdb_sees(log, kernel, folder):
    """All threads: also through interrupts, switches and the assembly at the outer end. An
    exception's entry has no name in gdb; an inlined call has a number in gdb, and none with us."""
    text = decode("--locals", "--threads", "--color", "never", log, "-e", kernel).stdout
    ours = traces(text, r'^thread (\d+) ".*\n')
    trace, = gdb_remote(log, kernel, folder, "thread apply all bt")
    gdbs = traces(trace.replace("<signal handler called>", "entry ("),
                  r"^Thread \d+ \(Thread (\d+)\b.*\n")
    assert set(ours) == set(gdbs)
    for thread, frames in ours.items():
        theirs = iter(gdbs[thread])
        for function in frames:
            assert any(name in (function, "entry") for name in theirs), (thread, function)
        assert not list(theirs), thread


def test_variables_are_what_gdb_says(log, kernel, folder):
    text = decode("--locals", "--threads", "--color", "never", log, "-e", kernel).stdout
    thread = re.search(r"crash_thread \(argument=(0x[0-9a-f]+) <crashes>\)", text)
    assert thread, text
    said, waits = gdb_remote(log, kernel, folder, "frame function crash_thread",
                             "thread apply all -s frame function condition_wait_any_")
    assert f"argument={thread[1]}" in said
    waiter = re.search(r"waiter = {thread = (0x[0-9a-f]+), next = 0x0, woken = false", text)
    assert waiter and "condition_wait_any_" in waits


@pytest.mark.parametrize("kind, frames", [
    ("jump", ["crash_jump", *CRASHED[1:]]),  # no code, and so no CFI, where it stopped
    ("stack", ["recurse"] * 50),             # perhaps with memset at its inner end
])
def test_hard_stacks_are_walked(start, kernel, folder, kind, frames):
    log = folder / "panic.log"
    log.write_text(panic_text(start, kind), encoding="utf-8")
    text = decode("--locals", "--color", "never", log, "-e", kernel).stdout
    seen = next(iter(traces(text, r'^thread (\d+) ".*\n').values()))
    assert [function for function in seen if function != "memset"][:len(frames)] == frames


def test_a_damaged_log_is_used_as_far_as_it_goes(log, kernel, folder):
    lines = log.read_text().split("\n")
    marks = [i for i, line in enumerate(lines) if line.startswith("~")]
    damaged, missing = marks[len(marks) // 2], marks[3]
    lines[damaged] = lines[damaged][:40] + "#" + lines[damaged][41:]
    del lines[missing]  # of the essentials, which come twice
    log.write_text("\n".join(lines), encoding="utf-8")
    result = decode("--core", folder / "core", log, "-e", kernel)
    assert "parts of the capsule are lost" in result.stderr
    assert f"{log}:{missing + 1}: capsule line 0003 is missing" in result.stderr
    assert re.search(rf"{re.escape(str(log))}:{damaged}: capsule line [0-9a-f]{{4}} is damaged",
                     result.stderr)
    threads, lost = gdb_remote(log, kernel, folder, "info threads", "monitor lost")
    assert re.search(r"^\* 1 .*\(CPU \d, panicked\)", threads, re.M)
    assert "2 of" in lost and "blocks are lost" in lost


def test_another_kernel_is_told(log, kernel, folder, arch):
    wrong = folder / "kernel.elf"
    image = open(kernel, "rb").read()
    ident = bytes.fromhex(re.search(r"build-id ([0-9a-f]+)", log.read_text())[1])
    wrong.write_bytes(image.replace(ident, bytes(len(ident))))
    result = decode("--core", folder / "core", log, "-e", wrong)
    assert "is not the kernel that panicked" in result.stderr
    assert ident.hex() in result.stderr
    other = "aarch64" if arch != "aarch64" else "x86_64"
    result = decode("--core", folder / "core", log, "-e", f"{BUILD}/{other}/kernel.elf", status=1)
    assert "is no kernel for" in result.stderr


def test_a_log_without_a_capsule_is_an_error(folder, kernel):
    empty = folder / "empty.log"
    empty.write_text("PANIC: nothing\n", encoding="utf-8")
    assert "holds no panic capsule" in decode("--core", folder / "core", empty, "-e", kernel,
                                              status=1).stderr


MANY = 1500


def test_more_threads_than_the_budget_has_room_for(start, kernel, folder):
    """All have a record and registers; memory goes to those that ran first, then as far as it goes."""
    machine = start(gdb=False, cpus=4, append="panic=poweroff").boot()
    machine.command(f"spawn {MANY}")
    machine.type("crash null\n")
    machine.wait_for(r"^end panic capsule .*\n")
    capsule = Capsule(machine.console.text)
    assert not capsule.lines.bad and capsule.spoiled == 0
    _, threads, left_out, stacks_left_out, memory, _, _ = capsule.summary
    assert len(capsule.threads) == len(capsule.registers) == threads > MANY and left_out == 0
    assert 0.9 * 65536 < memory <= 65536 and MANY / 2 < stacks_left_out < threads - 10
    running = [thread for _, thread, _ in capsule.cpus.values()]
    assert set(list(capsule.threads)[:4]) == set(running)
    for ident in running:
        sp = next(value for name, value in capsule.registers[ident][1].items()
                  if name in ("sp", "rsp"))
        assert None not in capsule.read(sp, capsule.threads[ident]["high"] - sp)

    log = folder / "panic.log"
    log.write_text(machine.console.text, encoding="utf-8")
    listed, trace = gdb_remote(log, kernel, folder, "info threads", "bt")
    assert listed.count('"spawned" (') == MANY
    assert functions(trace) == CRASHED
    listed, trace = gdb_core(log, kernel, folder, "info threads", "bt")
    assert len(re.findall(r"^[* ]+\d+ +LWP", listed, re.M)) == threads
    assert functions(trace) == CRASHED
