# SPDX-License-Identifier: MIT
"""An independent witness: a second gdb on QEMU's own stub of the same machine must see the same.

What can be compared while the kernel stands in its debugger: memory, all of it that does not belong
to the debugger; and the registers of CPUs. A CPU that was stopped by a signal sleeps in the
debugger's park, with its registers as they were saved in a trap frame; the witness sees the park. So
registers are compared the other way round: the witness stops the machine first, at an instruction
that leaves no doubt, and the kernel's debugger is asked about the same instruction next.
"""
import re

from conftest import STOPS_MASKED_CPUS


def dump(gdb, what, length):
    text = gdb.command(f"x/{length}xb {what}")
    return re.findall(r"\t0x([0-9a-f]{2})", text)


def test_memory_is_the_same_through_both(start, debug):
    machine = start(qemu_stub=True).boot()
    gdb = debug(machine)
    witness = debug(machine, target="witness", name="witness")
    for what, length in (("ticker_step", 256), ("&__rodata_start", 512), ("&ticker_count", 8),
                         ("&boot_info", 64)):
        assert dump(gdb, what, length) == dump(witness, what, length), what
    witness.command("detach")


def test_breakpoints_are_in_memory_only_while_the_machine_runs(start, debug):
    machine = start(qemu_stub=True).boot()
    gdb = debug(machine)
    witness = debug(machine, target="witness", name="witness")
    clean = dump(witness, "ticker_step", 16)
    witness.command("detach")

    gdb.command("break ticker_step if ticker_count == 0") # never true
    gdb.resume("continue&") if False else gdb.go()
    gdb.interrupt()
    stopped = debug(machine, target="witness", name="witness-stopped")
    assert dump(stopped, "ticker_step", 16) == clean
    stopped.command("detach")

    gdb.command("delete")
    gdb.command("hbreak ticker_scale") if False else None
    gdb.command("break crash_hang") # planted, and not hit
    clean = dump(gdb, "crash_hang", 16)
    gdb.go()
    running = debug(machine, target="witness", name="witness-running")
    assert dump(running, "crash_hang", 16) != clean
    running.command("detach")
    gdb.interrupt()
    gdb.command("detach")
    gone = debug(machine, target="witness", name="witness-gone")
    assert dump(gone, "crash_hang", 16) == clean
    gone.command("detach")


REGISTERS = {
    "x86_64": "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip".split(),
    "aarch64": [f"x{n}" for n in range(31)] + ["sp", "pc"],
    "riscv64": "ra sp gp tp t0 t1 t2 fp s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 "
               "t3 t4 t5 t6 pc".split(),
}


def test_registers_are_the_same_through_both(start, debug, arch):
    """Both stop at the first instruction of the same call of ticker_scale(): the witness by a
    hardware breakpoint of the emulator, which is hit before the kernel's own can be."""
    machine = start(qemu_stub=True, cpus=1).boot()
    gdb = debug(machine)
    gdb.command("break *ticker_scale")
    witness = debug(machine, target="witness", name="witness")
    witness.command("hbreak *ticker_scale")
    witness.go()
    gdb.go()
    witness.wait_stop("the witness's breakpoint")
    seen = {name: witness.register(name) for name in REGISTERS[arch]}
    witness.command("delete")
    witness.command("detach")
    stop = gdb.wait_stop("the kernel's breakpoint")
    assert stop.function == "ticker_scale"
    told = {name: gdb.register(name) for name in REGISTERS[arch]}
    assert told == seen


def test_memory_written_through_one_is_seen_by_the_other(start, debug):
    machine = start(qemu_stub=True).boot()
    gdb = debug(machine)
    witness = debug(machine, target="witness", name="witness")
    gdb.command("set var ticker_count = 0x1122334455667788")
    assert witness.evaluate("ticker_count") == 0x1122334455667788
    witness.command("set var ticker_count = 42")
    witness.command("detach")
    gdb.command("set var $unused = 0")
    gdb.command("maintenance flush dcache")
    assert gdb.evaluate("ticker_count") == 42
