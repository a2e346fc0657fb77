#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A whole session without anyone typing, on each machine in turn: boot, attach gdb over the line the
console shares, look at threads, stop in an interrupt handler, step, watch a variable, break into a
CPU that spins with interrupts off, read a panic, decode it from the log, and look at the dead
machine with gdb. Transcripts are kept in BUILD/demo/.

usage: demo.py [--build DIR] [ARCH...]
"""
import argparse
import contextlib
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests"))


class Stage:
    """Shows what happens as it happens, and keeps it."""

    def __init__(self, path):
        self._file = open(path, "w", encoding="utf-8")
        self._colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._at_start = True

    def show(self, text):
        colour = self._colour and text.startswith("(gdb) ")
        sys.stdout.write(f"\033[1m{text}\033[0m" if colour else text)
        sys.stdout.flush()
        self._file.write(text)
        self._at_start = text.endswith("\n")

    def say(self, text):
        """A line of the narrator's."""
        line = f"=== {text}\n"
        start = "" if self._at_start else "\n"
        sys.stdout.write(start + (f"\n\033[1;36m{line}\033[0m" if self._colour else "\n" + line))
        self._file.write(f"{start}\n{line}")
        self._at_start = True


def number_of(name, threads):
    """gdb's own number of a thread, from what `info threads` printed."""
    return next(line.split()[0] for line in threads.replace("*", " ").splitlines()
                if f'"{name}"' in line)


def without_capsule(report):
    """The report of a panic as a person reads it: the capsule behind it is for `fathom decode`."""
    return re.sub(r"(?:^~.*\n)+", "...\n", report, flags=re.M)


def part_of_first_cpu(decoded):
    """What `fathom decode` says of the CPU that panicked."""
    return re.search(r"^cpu \d+ thread [^\n]*:\n.*?(?=^cpu |^last log)", decoded,
                     re.M | re.S)[0] + "...\n"


def play_post_mortem(kernel, log, stage):
    """The machine is gone; what is left of it is the text of its console."""
    from harness.batch import run_gdb
    from harness.machine import FATHOM

    stage.say("the machine is gone; its log is decoded")
    stage.show(f"$ fathom decode {log} -e {kernel}\n")
    decoded = subprocess.run([FATHOM, "decode", log, "-e", kernel], capture_output=True, text=True,
                             check=True).stdout
    stage.show(part_of_first_cpu(decoded))

    stage.say("gdb over the dead machine: the capsule in the log holds its registers and stacks")
    stage.show(f"$ fathom decode --gdb 0 {log} -e {kernel}\n")
    with subprocess.Popen([FATHOM, "decode", "--gdb", "0", log, "-e", kernel], text=True,
                          stdout=subprocess.PIPE) as server:
        invitation = server.stdout.readline()
        stage.show(invitation)
        port = re.search(r"target remote (\S+)", invitation)[1]
        commands = [f"target remote {port}", "info threads", "bt", "x/3i $pc", "frame 2",
                    "print thread->name", "thread find shell", "monitor reason"]
        with contextlib.redirect_stdout(None):
            outputs = run_gdb([f"file {kernel}", *commands, "echo"], log.parent)
        for command, output in zip(commands, outputs[1:]):
            stage.show(f"(gdb) {command}\n{output}")
        server.kill()


def play(arch, folder, stage):
    from harness.gdb import Gdb
    from harness.machine import Machine

    watchpoints = spinning_can_be_stopped = arch in ("x86_64", "aarch64")
    stage.say(f"{arch}: boot with four CPUs")
    with Machine(arch, str(folder)) as machine:
        machine.boot()
        stage.show(machine.console.text)

        stage.say("gdb attaches over the serial line that the console uses too")
        with Gdb(machine, show=stage.show) as gdb:
            gdb.command("info threads")

            stage.say("a breakpoint in an interrupt handler; the backtrace goes through the interrupt")
            gdb.command("tbreak timer_interrupt")
            gdb.resume("continue")
            gdb.command("bt")

            stage.say("step through a kernel thread, and let its function finish")
            gdb.command("tbreak ticker_step")
            gdb.resume("continue")
            gdb.resume("next")
            gdb.resume("step")
            gdb.resume("finish")

            stage.say("a watchpoint" + ("" if watchpoints else
                      " (in software: the firmware of this machine lends no triggers)"))
            if not watchpoints:
                gdb.command("set can-use-hw-watchpoints 0")
            gdb.command("watch ticker_count")
            gdb.resume("continue")
            gdb.command("delete")
            gdb.command("monitor ps")

            stage.say("send the ticker into a loop with interrupts off, and press Ctrl-C")
            gdb.command("tbreak *ticker_step")
            gdb.resume("continue")
            gdb.command("set var $pc = (long)crash_hang")
            gdb.go("continue")
            gdb.wait_target_output("spinning with interrupts off")
            gdb.interrupt()
            threads = gdb.command("info threads")
            if spinning_can_be_stopped:
                gdb.command(f"thread {number_of('ticker', threads)}")
                gdb.command("bt")
            gdb.command("set var hang_on = 0")
            gdb.command("monitor cpu")

            stage.say("let it go")
            gdb.command("detach")

        stage.say("a crash: the panic report, and then the debugger")
        begin = len(machine.console.text)
        machine.type("\ncrash null\n")
        machine.wait_for(r"^PANIC: ")
        with Gdb(machine, name="gdb-panic", show=None) as gdb:
            stage.show(without_capsule(machine.console.since(begin).lstrip()) + "\n")
            stage.say("gdb finds the machine where it fell")
            gdb.show_from_now(stage.show)
            gdb.command("bt")
            gdb.command("info registers")
        kernel = machine.kernel
    play_post_mortem(kernel, folder / "console.log", stage)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("arches", nargs="*", metavar="ARCH")
    options = parser.parse_args()
    os.environ["FATHOM_BUILD"] = options.build # read when the harness is imported
    for arch in options.arches or ["x86_64", "aarch64", "riscv64"]:
        folder = pathlib.Path(options.build) / "demo" / arch
        folder.mkdir(parents=True, exist_ok=True)
        for log in folder.glob("*.log"):
            log.unlink()
        stage = Stage(folder / "transcript.txt")
        play(arch, folder, stage)
        stage.say(f"{arch}: the transcript is in {folder / 'transcript.txt'}")


main()
