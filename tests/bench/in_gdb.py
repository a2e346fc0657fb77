# SPDX-License-Identifier: MIT
"""What `make bench` has gdb do, on any stub: connect, then the commands whose cost is wanted, as a
person at gdb's prompt gives them. Runs inside gdb, through its Python. bench.py is told over a
socket where each measurement begins and ends, so that it can count what went over the line; time
is taken here, around gdb's own work."""
import os
import socket
import time

import gdb

TRIES = 5
control = socket.create_connection(("127.0.0.1", int(os.environ["BENCH_CONTROL"]))).makefile("rw")


def tell(*words):
    print(*words, file=control, flush=True)
    control.readline()


def run(command):
    return gdb.execute(command, to_string=True)


def measure(name, commands):
    tell("begin")
    begin = time.monotonic()
    for command in commands:
        run(command)
    tell("end", name, time.monotonic() - begin)


def stop_in(function):
    run(f"tbreak {function}")
    run("continue")


def measure_backtrace(frames, tries):
    """Where a timer's interrupt wakes a thread: twelve frames and more, through the interrupt. The
    same function is also called from elsewhere; those stops do not count."""
    for _ in range(40 * tries):
        stop_in("run_queue_add")
        tell("begin")
        begin = time.monotonic()
        lines = [line for line in run(f"bt {frames}").splitlines() if line.startswith("#")]
        if len(lines) == frames:
            tell("end", "bt", time.monotonic() - begin)
            tries -= 1
        if tries == 0:
            return
    raise gdb.GdbError("no stop is deep enough")


def stop_in_command(line, function):
    """Stops in a function of a shell command that is typed at the machine's console."""
    run(f"tbreak {function}")
    tell("type", line)
    run("continue")


def measure_stepi(tries):
    """In spawn_run(), a plain function with two loops and calls; and where it is harder, in
    ticker_scale(), which returns within ten instructions."""
    for _ in range(tries):
        stop_in_command("spawn 0", "spawn_run")  # refused: no thread stays
        measure("stepi x10", ["stepi"] * 10)
        stop_in("ticker_scale")
        measure("stepi x10, hard", ["stepi"] * 10)


def measure_next(tries):
    """Each try leaves a thread behind, and gdb reads the list of threads at every stop."""
    for _ in range(tries):
        stop_in_command("spawn 1", "spawn_run")
        measure("next x10", ["next"] * 10)


def measure_next_hard(tries):
    """In timer_interrupt(), which is made of inlined functions and runs on all CPUs. An interrupt that
    finds no timer due is over before ten lines are, and where it returns to is the debugger's own
    ground, in which no breakpoint is allowed: that one does not count."""
    for _ in range(40 * tries):
        stop_in("timer_interrupt")
        try:
            measure("next x10, hard", ["next"] * 10)
            tries -= 1
        except gdb.error:
            pass
        if tries == 0:
            return
    raise gdb.GdbError("no interrupt is long enough")


def measure_many_threads(wanted=30):
    """The threads of a busier machine, with gdb's command and with ours."""
    run("info threads")
    stop_in_command(f"spawn {wanted - len(gdb.selected_inferior().threads())}", "spawn_run")
    while len(gdb.selected_inferior().threads()) < wanted:
        stop_in("ticker_scale")
    note_threads()
    measure("info threads", ["info threads"])
    stop_in("ticker_scale")
    measure("fathom threads", ["fathom threads"])


def note_threads():
    tell("note", "threads", len(gdb.selected_inferior().threads()))


def measure_line():
    measure("info threads at the prompt", ["info threads"])
    note_threads()
    measure_backtrace(12, TRIES)
    measure_stepi(TRIES)
    measure_next_hard(TRIES)
    measure_next(1)


def measure_time():
    for _ in range(TRIES):
        stop_in("ticker_scale")
        measure("stepi x100", ["stepi"] * 100)
        run("maintenance flush dcache")
        measure("read", ["dump binary memory /dev/null &__text_start (char *)&__text_start + 65536"])
    measure_next(TRIES)
    measure_next_hard(TRIES)


def measure_once():
    measure_backtrace(12, 1)
    measure_stepi(1)
    measure_next(1)


PARTS = {"line": measure_line, "time": measure_time, "once": measure_once,
         "many threads": measure_many_threads}


def main():
    run("set pagination off")
    measure("connect", ["target remote 127.0.0.1:" + os.environ["BENCH_PORT"]])
    PARTS[os.environ["BENCH_PART"]]()
    run("detach")


try:
    main()
except Exception as error:  # any: bench.py says it and ends
    tell("failed", str(error).replace("\n", " "))
