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


def main():
    run("set pagination off")
    measure("connect", ["target remote 127.0.0.1:" + os.environ["BENCH_PORT"]])
    measure("info threads", ["info threads"])
    tell("note", "threads", len(gdb.selected_inferior().threads()))
    measure_backtrace(12, TRIES)
    for _ in range(TRIES):
        stop_in("ticker_scale")  # a loop: ten instructions of one function
        measure("stepi x10", ["stepi"] * 10)
        stop_in("timer_interrupt")  # lists, locks, the clock, a timer's function
        measure("next x10", ["next"] * 10)
    for _ in range(TRIES):
        stop_in("ticker_scale")
        measure("stepi x100", ["stepi"] * 100)
        run("maintenance flush dcache")
        measure("read", ["dump binary memory /dev/null &__text_start (char *)&__text_start + 65536"])
    run("detach")


try:
    main()
except Exception as error:  # any: bench.py says it and ends
    tell("failed", str(error).replace("\n", " "))
