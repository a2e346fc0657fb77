# SPDX-License-Identifier: MIT
"""An independent witness: a second gdb on QEMU's own stub of the same machine must see the same.

What can be compared while the kernel stands in its debugger: memory, all of it that does not belong
to the debugger; and the registers of CPUs. A CPU that was stopped by a signal sleeps in the
debugger's park, with its registers as they were saved in a trap frame; the witness sees the park. So
registers are compared the other way round: the witness stops the machine first, at an instruction
that leaves no doubt, and the kernel's debugger is asked about the same instruction next.
"""
import re



def dump(gdb, what, length):
    text = gdb.command(f"x/{length}xb {what}")
    return re.findall(r"\t0x([0-9a-f]{2})", text)


def look(machine, debug, name, what, length):
    """What QEMU's own stub says. While it looks, the emulator stands still: the kernel's stub cannot
    be asked anything until it has gone."""
    witness = debug(machine, target="witness", name=name)
    seen = dump(witness, what, length)
    witness.command("detach")
    return seen


def test_memory_is_the_same_through_both(start, debug):
    machine = start(qemu_stub=True).boot()
    gdb = debug(machine)
    for number, (what, length) in enumerate((("ticker_step", 256), ("&__rodata_start", 512),
                                             ("&ticker_count", 8), ("&boot_info", 64))):
        assert dump(gdb, what, length) == look(machine, debug, f"witness{number}", what, length), what


def test_breakpoints_are_in_memory_only_while_the_machine_runs(start, debug):
    machine = start(qemu_stub=True).boot()
    gdb = debug(machine)
    clean = dump(gdb, "crash_hang", 16)
    gdb.command("break crash_hang") # planted, and not hit
    gdb.go()
    assert look(machine, debug, "witness-running", "crash_hang", 16) != clean
    gdb.interrupt()
    assert look(machine, debug, "witness-stopped", "crash_hang", 16) == clean
    gdb.go()
    gdb.interrupt()
    gdb.command("detach")
    assert look(machine, debug, "witness-gone", "crash_hang", 16) == clean


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
    gdb.command("set var ticker_count = 0x1122334455667788")
    witness = debug(machine, target="witness", name="witness")
    assert witness.evaluate("ticker_count") == 0x1122334455667788
    witness.command("set var ticker_count = 42")
    witness.command("detach")
    gdb.command("maintenance flush dcache")
    assert gdb.evaluate("ticker_count") == 42
